use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use tapedeck_pipelines::job::Source;
use tokio::time::Instant;

use super::SessionHandle;
use super::table::{Entry, Table};
use crate::backoff::Backoff;
use crate::services::Services;
use crate::session::{Beginning, RecordingSession, SessionStatus, StatusSender};
use crate::{Manifest, SourceKind, StartError, StartRequest, naming, state};

/// Messages that may wait. Senders beyond that wait in turn: nothing is dropped.
const MAILBOX: usize = 256;
/// Between two looks at whether sessions are alive.
const LIVENESS: Duration = Duration::from_millis(250);
/// Between two restarts of the same session.
const RESTART: Backoff = Backoff {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(60),
};

/// Starts sessions, finds them, and makes those anew that have vanished. What it knows outlives it
/// in the shared table.
pub struct RegistryActor {
    services: Arc<Services>,
    table: Arc<Mutex<Table>>,
}

impl RegistryActor {
    pub fn new(services: Arc<Services>, table: Arc<Mutex<Table>>) -> Self {
        Self { services, table }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `request` may start a recording, or answers with one that exists.
    fn may_start(
        &self,
        request: &StartRequest,
        exclusivity_key: &str,
    ) -> Result<Option<SessionHandle>, StartError> {
        let most = self.services.settings.max_recordings;
        self.table()
            .check(request, exclusivity_key, most, &self.services.meter)
    }

    fn start_timeout(&self, manifest: &Manifest) -> Duration {
        let usual = self.services.settings.start_timeout;
        SourceKind::named(&manifest.source).map_or(usual, |source| {
            self.services.sources.start_timeout(source, usual)
        })
    }

    fn session(
        &self,
        manifest: Manifest,
        status: StatusSender,
        beginning: Beginning,
        start_timeout: Duration,
    ) -> Addr<RecordingSession> {
        RecordingSession::new(
            self.services.clone(),
            manifest,
            status,
            beginning,
            start_timeout,
        )
        .start()
    }

    fn add(
        &self,
        manifest: Manifest,
        beginning: Beginning,
        start_timeout: Duration,
    ) -> SessionHandle {
        let id = manifest.id.clone();
        let status = SessionStatus::sender(manifest.clone());
        let session = self.session(manifest, status.clone(), beginning, start_timeout);
        let entry = Entry {
            session,
            status,
            restarts: 0,
            restart_at: None,
        };
        let handle = entry.handle();
        self.table().entries.insert(id, entry);
        handle
    }

    /// Lets go of sessions that have finished and makes those anew that have vanished.
    fn look_after_sessions(&mut self, context: &mut Context<Self>) {
        let mut vanished = Vec::new();
        self.table().entries.retain(|id, entry| {
            if entry.status.borrow().finished {
                return false;
            }
            let due = entry.restart_at.is_none_or(|at| at <= Instant::now());
            if !entry.session.connected() && due {
                entry.restarts += 1;
                entry.restart_at = Some(Instant::now() + RESTART.pause(entry.restarts, 0.0));
                vanished.push(id.clone());
            }
            true
        });
        for id in vanished {
            log::error!(
                "{id}: its session vanished, most likely by a panic: it is made anew from its manifest"
            );
            self.make_anew(id, context);
        }
    }

    fn make_anew(&self, id: String, context: &mut Context<Self>) {
        let services = self.services.clone();
        let asked = id.clone();
        let read = async move { services.states.address().send(state::Get(asked)).await };
        context.spawn(read.into_actor(self).map(move |read, registry, _| {
            let mut table = registry.table();
            let Some(entry) = table.entries.get_mut(&id) else {
                return;
            };
            match read {
                Ok(Ok(manifest)) => {
                    let timeout = registry.start_timeout(&manifest);
                    entry.session = registry.session(
                        manifest,
                        entry.status.clone(),
                        Beginning::Resume,
                        timeout,
                    );
                }
                // It vanished before its manifest was written: there is no recording.
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                    let error =
                        StartError::Internal("the recording's session ended unexpectedly".into());
                    entry.status.send_modify(|status| {
                        status.manifest.state = crate::RecordingState::Failed;
                        status.manifest.error = Some(error.to_string());
                        status.start = Some(Err(error));
                        status.finished = true;
                    });
                }
                Ok(Err(error)) => log::error!("{id}: its manifest cannot be read: {error}"),
                Err(error) => log::error!("{id}: its manifest cannot be read: {error}"),
            }
        }));
    }
}

impl Actor for RegistryActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        context.run_interval(LIVENESS, Self::look_after_sessions);
    }
}

/// Asks whether a request may start a recording, before anything is done for it.
#[derive(Clone, Message)]
#[rtype(result = "Result<Option<SessionHandle>, StartError>")]
pub struct StartCheck {
    pub request: StartRequest,
    pub exclusivity_key: String,
}

impl Handler<StartCheck> for RegistryActor {
    type Result = Result<Option<SessionHandle>, StartError>;

    fn handle(&mut self, message: StartCheck, _: &mut Self::Context) -> Self::Result {
        self.may_start(&message.request, &message.exclusivity_key)
    }
}

/// Starts a recording, or answers with the one that the request made before.
#[derive(Clone, Message)]
#[rtype(result = "Result<SessionHandle, StartError>")]
pub struct Start {
    pub request: StartRequest,
    pub exclusivity_key: String,
    pub manifest: Manifest,
    pub source: Source,
    /// What is left of the time that a start may take.
    pub timeout: Duration,
}

impl Handler<Start> for RegistryActor {
    type Result = Result<SessionHandle, StartError>;

    // Checked and begun in one go: of two starts at the same moment exactly one wins.
    fn handle(&mut self, message: Start, _: &mut Self::Context) -> Self::Result {
        let Start {
            request,
            exclusivity_key,
            mut manifest,
            source,
            timeout,
        } = message;
        if let Some(known) = self.may_start(&request, &exclusivity_key)? {
            return Ok(known);
        }
        while self
            .table()
            .entries
            .values()
            .any(|entry| entry.status.borrow().manifest.name == manifest.name)
        {
            manifest.name = naming::next_name(&manifest.name);
        }
        Ok(self.add(manifest, Beginning::New(source), timeout))
    }
}

/// Goes on with recordings that an earlier server began.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Resume(pub Vec<Manifest>);

impl Handler<Resume> for RegistryActor {
    type Result = ();

    fn handle(&mut self, Resume(manifests): Resume, _: &mut Self::Context) {
        for manifest in manifests {
            if !manifest.state.is_final() {
                log::info!(
                    "{} ({}): found {}, goes on",
                    manifest.id,
                    manifest.room_name,
                    manifest.state
                );
            }
            let timeout = self.start_timeout(&manifest);
            self.add(manifest, Beginning::Resume, timeout);
        }
    }
}

/// All sessions that have not finished.
#[derive(Clone, Message)]
#[rtype(result = "Known")]
pub struct Sessions;

/// Sessions, the newest recording first.
#[derive(MessageResponse)]
pub struct Known(pub Vec<SessionHandle>);

impl Handler<Sessions> for RegistryActor {
    type Result = Known;

    fn handle(&mut self, _: Sessions, _: &mut Self::Context) -> Known {
        let mut handles: Vec<_> = self.table().entries.values().map(Entry::handle).collect();
        handles.sort_by_key(|handle| std::cmp::Reverse(handle.status.borrow().manifest.created_at));
        Known(handles)
    }
}
