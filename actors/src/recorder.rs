//! The handle by which the HTTP surfaces reach the actors.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use tapedeck_pipelines::control::Role;
use tapedeck_storage::{RecordingMetadata, RecordingStore, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::clock::now_ms;
use crate::folder::{DataFolder, FolderLock};
use crate::registry::{self, RegistryActor, SessionHandle, Table};
use crate::services::Services;
use crate::session::{Look, SessionStatus, Stop};
use crate::state::{self, StoreActor};
use crate::supervision::Keeper;
use crate::uploader::UploaderActor;
use crate::usage::UsageSampler;
use crate::{
    DeleteError, ListFilter, LiveSession, MANIFEST_VERSION, Manifest, Page, RecorderSettings,
    RecordingState, Room, RoomError, Rooms, StartError, StartRequest, StopError, naming,
};

/// How long an actor may take to answer what needs no disk.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the token of a capture is valid beyond the longest recording.
const TOKEN_MARGIN: Duration = Duration::from_secs(3_600);
/// With less free space no recording is begun.
const LEAST_FREE_BYTES: u64 = 256 << 20;
/// How long an idempotency key is remembered.
const KEY_LIFETIME_MS: i64 = 24 * 3_600_000;

/// A cheap handle on the actors; every clone speaks to the same registry.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

struct Inner {
    services: Arc<Services>,
    registry: Keeper<RegistryActor>,
    rooms: Arc<dyn Rooms>,
    store: Arc<dyn RecordingStore>,
    usage: Mutex<UsageSampler>,
    closing: AtomicBool,
    _lock: FolderLock,
}

impl Recorder {
    /// Starts the actors in the current actix system; finds what an earlier server left in the
    /// data folder and goes on with it.
    ///
    /// # Errors
    /// The data folder cannot be used, its path is too long for sockets in it, or another server
    /// uses it.
    pub async fn launch(
        settings: RecorderSettings,
        rooms: Arc<dyn Rooms>,
        store: Arc<dyn RecordingStore>,
    ) -> io::Result<Self> {
        let root = settings.data_dir.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let folder = DataFolder::prepare(&root)?;
            let lock = folder.lock()?;
            let (state, manifests) = state::State::open(folder.clone())?;
            let unfinished: Vec<_> = manifests
                .into_iter()
                .filter(|manifest| needs_session(manifest, &folder))
                .collect();
            io::Result::Ok((folder, lock, state, unfinished))
        });
        let (folder, lock, state, unfinished) = opened.await.map_err(io::Error::other)??;

        let arbiter = Arbiter::current();
        let states = Keeper::start("store actor", arbiter.clone(), move || {
            StoreActor::new(state.clone())
        });
        let uploads = store.clone();
        let uploader = Keeper::start("uploader", arbiter.clone(), move || {
            UploaderActor::new(uploads.clone())
        });
        let services = Arc::new(Services {
            settings,
            folder,
            states,
            uploader,
        });
        let (table, shared) = (Arc::new(Mutex::new(Table::default())), services.clone());
        let registry = Keeper::start("registry", arbiter, move || {
            RegistryActor::new(shared.clone(), table.clone())
        });
        let inner = Arc::new(Inner {
            services,
            registry,
            rooms,
            store,
            usage: Mutex::default(),
            closing: AtomicBool::new(false),
            _lock: lock,
        });
        inner
            .registry
            .send(registry::Resume(unfinished))
            .await
            .map_err(io::Error::other)?;

        // The registry looks after sessions; somebody must look after the registry.
        let watched = Arc::downgrade(&inner);
        actix::spawn(async move {
            while let Some(inner) = watched.upgrade() {
                inner.registry.address();
                drop(inner);
                sleep(Duration::from_millis(500)).await;
            }
        });
        Ok(Self { inner })
    }

    /// Starts a recording; returns once capture is in the room.
    ///
    /// # Errors
    /// Why there is no recording.
    pub async fn start(&self, request: StartRequest) -> Result<Manifest, StartError> {
        let settings = &self.inner.services.settings;
        let deadline = Instant::now() + settings.start_timeout;
        if self.inner.closing.load(Ordering::Relaxed) {
            return Err(StartError::Capacity(
                "the server is about to end: try again later".into(),
            ));
        }
        let exclusivity_key = format!("livekit:{}", request.room_name);
        let check = registry::StartCheck {
            request: request.clone(),
            exclusivity_key: exclusivity_key.clone(),
        };
        if let Some(known) = self.ask(check).await?? {
            return self.started(known).await;
        }
        if let Some(manifest) = self.made_under_key(&request).await? {
            return Ok(manifest);
        }
        self.check_space()?;

        let room = timeout_at(deadline, self.inner.rooms.find(&request.room_name))
            .await
            .unwrap_or(Err(RoomError::Timeout))?;
        let manifest = self.new_manifest(&request, &room, &exclusivity_key).await;
        let valid_for = Duration::from_millis(manifest.max_duration_ms) + TOKEN_MARGIN;
        let source = self.inner.rooms.source(&room, &manifest.id, valid_for)?;
        let start = registry::Start {
            request,
            exclusivity_key,
            manifest,
            source,
            timeout: deadline.saturating_duration_since(Instant::now()),
        };
        let session = self.ask(start).await??;
        self.started(session).await
    }

    async fn new_manifest(
        &self,
        request: &StartRequest,
        room: &Room,
        exclusivity_key: &str,
    ) -> Manifest {
        let id = naming::draw_id();
        let created_at = now_ms();
        let mut name = naming::file_name(&room.name, &room.id, created_at);
        while self.is_taken(&name).await {
            name = naming::next_name(&name);
        }
        let socket = |role| Some(DataFolder::socket_name(&id, role));
        Manifest {
            version: MANIFEST_VERSION,
            name,
            source: "livekit".into(),
            room_name: request.room_name.clone(),
            room_id: room.id.clone(),
            exclusivity_key: Some(exclusivity_key.into()),
            idempotency_key: request.idempotency_key.clone(),
            state: RecordingState::Starting,
            created_at,
            started_at: None,
            ended_at: None,
            completed_at: None,
            end_reason: None,
            error: None,
            output: request.output.clone(),
            max_duration_ms: request
                .max_duration_ms
                .unwrap_or(self.inner.services.settings.limits.max_duration_ms),
            metadata: request.metadata.clone(),
            warnings: Vec::new(),
            file: None,
            capture_socket: socket(Role::Capture),
            render_socket: socket(Role::Render),
            id,
        }
    }

    /// A store that does not answer does not delay a start: it never overwrites, and a name that
    /// turns out to be taken is changed then.
    async fn is_taken(&self, name: &str) -> bool {
        let by_name = self
            .inner
            .services
            .states
            .address()
            .send(state::FindByName(name.into()))
            .await;
        matches!(by_name, Ok(Ok(Some(_))))
            || matches!(
                timeout(Duration::from_secs(1), self.inner.store.head(name)).await,
                Ok(Ok(_))
            )
    }

    /// The recording that was made under the request's key and is no session any more.
    async fn made_under_key(&self, request: &StartRequest) -> Result<Option<Manifest>, StartError> {
        let Some(key) = &request.idempotency_key else {
            return Ok(None);
        };
        let found = self
            .inner
            .services
            .states
            .address()
            .send(state::FindByKey(key.clone()))
            .await;
        let known = match found {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => return Err(StartError::Internal(error.to_string())),
            Err(error) => return Err(StartError::Internal(error.to_string())),
        };
        let Some(manifest) = known.filter(|manifest| {
            registry::answers_again(manifest) && manifest.created_at > now_ms() - KEY_LIFETIME_MS
        }) else {
            return Ok(None);
        };
        if registry::is_same_request(&manifest, request) {
            Ok(Some(manifest))
        } else {
            Err(StartError::IdempotencyConflict)
        }
    }

    fn check_space(&self) -> Result<(), StartError> {
        match self.inner.services.folder.free_bytes() {
            Ok(free) if free < LEAST_FREE_BYTES => Err(StartError::Capacity(format!(
                "only {} MB are free on the disk of the data folder: make room",
                free >> 20
            ))),
            Ok(_) => Ok(()),
            Err(error) => Err(StartError::Internal(format!(
                "the data folder cannot be used: {error}"
            ))),
        }
    }

    async fn started(&self, mut session: SessionHandle) -> Result<Manifest, StartError> {
        // The session keeps the deadline; this one is for the case that it cannot.
        let limit = self.inner.services.settings.start_timeout + ANSWER;
        let decided = session
            .status
            .wait_for(|status| status.start.is_some() || status.manifest.started_at.is_some());
        match timeout(limit, decided).await {
            Ok(Ok(status)) => match &status.start {
                Some(Err(error)) => Err(error.clone()),
                _ => Ok(status.manifest.clone()),
            },
            Ok(Err(_)) => Err(StartError::Internal(
                "the recording's session is gone".into(),
            )),
            Err(_) => Err(StartError::Timeout(limit.as_secs())),
        }
    }

    /// Stops the live recording of a room; returns when it is delivered, or still `ending` or
    /// `uploading` after the stop time-out. A repeated stop waits for the same end.
    ///
    /// # Errors
    /// There is nothing to stop.
    pub async fn stop(&self, room_name: &str) -> Result<Manifest, StopError> {
        let deadline = Instant::now() + self.inner.services.settings.stop_timeout;
        let in_room =
            |manifest: &Manifest| manifest.room_name == room_name && !manifest.state.is_final();
        let sessions = self.sessions().await.map_err(StopError::Internal)?;
        let mut sessions: Vec<_> = sessions
            .into_iter()
            .filter(|session| in_room(&session.status.borrow().manifest))
            .collect();
        // A live one before those that are being rendered; of these the newest.
        sessions.sort_by_key(|session| !session.status.borrow().manifest.is_live());
        let Some(session) = sessions.into_iter().next() else {
            return Err(StopError::NotRecording);
        };
        let id = session.status.borrow().manifest.id.clone();
        let mut status = session.status.clone();
        self.ask_to_stop(&id, session, deadline).await;
        Ok(ended(&mut status, deadline).await)
    }

    /// Asks until the recording is not live any more: its session may vanish and be made anew.
    async fn ask_to_stop(&self, id: &str, mut session: SessionHandle, deadline: Instant) {
        while session.status.borrow().manifest.is_live() && Instant::now() < deadline {
            if session.session.send(Stop).timeout(ANSWER).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
            let found = self.sessions().await.unwrap_or_default();
            let again = found
                .into_iter()
                .find(|session| session.status.borrow().manifest.id == id);
            session = again.unwrap_or(session);
        }
    }

    /// Delivered recordings of the store, newest first: also those that another server of the
    /// kind left there.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn delivered(
        &self,
        filter: ListFilter,
    ) -> Result<Vec<RecordingMetadata>, StoreError> {
        if filter.state.is_some_and(|state| !state.is_delivered()) {
            return Ok(Vec::new());
        }
        let mut recordings = self.inner.store.list().await?;
        recordings.retain(|recording| {
            filter
                .room_name
                .as_ref()
                .is_none_or(|name| *name == recording.room_name)
                && filter
                    .room_id
                    .as_ref()
                    .is_none_or(|id| *id == recording.room_id)
        });
        recordings.sort_by(|a, b| {
            b.started_at
                .cmp(&a.started_at)
                .then_with(|| b.name.cmp(&a.name))
        });
        Ok(recordings)
    }

    /// Recordings in any state.
    pub async fn list(&self, filter: ListFilter, cursor: Option<String>, limit: usize) -> Page {
        let list = state::List {
            filter,
            cursor,
            limit,
        };
        match self.inner.services.states.address().send(list).await {
            Ok(Ok((recordings, next_cursor))) => Page {
                recordings,
                next_cursor,
            },
            Ok(Err(error)) => {
                log::error!("recordings cannot be listed: {error}");
                Page {
                    recordings: Vec::new(),
                    next_cursor: None,
                }
            }
            Err(error) => {
                log::error!("recordings cannot be listed: {error}");
                Page {
                    recordings: Vec::new(),
                    next_cursor: None,
                }
            }
        }
    }

    /// One recording in any state, by id.
    pub async fn get(&self, id: &str) -> Option<Manifest> {
        // An id becomes a path.
        if !naming::is_id(id) {
            return None;
        }
        self.inner
            .services
            .states
            .address()
            .send(state::Get(id.into()))
            .await
            .ok()?
            .ok()
    }

    /// Live sessions, also those that are still being rendered or delivered.
    pub async fn live(&self) -> Vec<LiveSession> {
        let mut found = Vec::new();
        for session in self.sessions().await.unwrap_or_default() {
            let manifest = session.status.borrow().manifest.clone();
            if !manifest.state.is_final() {
                found.push((
                    manifest,
                    session.session.send(Look).timeout(ANSWER).await.ok(),
                ));
            }
        }
        let inner = self.inner.clone();
        let sampled = tokio::task::spawn_blocking(move || {
            let mut usage = inner.usage.lock().unwrap_or_else(PoisonError::into_inner);
            let mut pids = Vec::new();
            let mut live = Vec::new();
            for (manifest, view) in found {
                let (capture, render, processes) = view
                    .map(|view| (view.capture, view.render, view.processes))
                    .unwrap_or_default();
                pids.extend(processes.iter().map(|(_, pid)| *pid));
                let processes = processes
                    .into_iter()
                    .filter_map(|(role, pid)| usage.sample(role, pid))
                    .collect();
                live.push(LiveSession {
                    manifest,
                    capture,
                    render,
                    processes,
                });
            }
            usage.keep(&pids);
            live
        });
        sampled.await.unwrap_or_default()
    }

    /// Removes a finished recording by file name: object, metadata and work folder.
    ///
    /// # Errors
    /// It is live or unknown, or the disk or the store refuses.
    pub async fn delete(&self, name: &str) -> Result<(), DeleteError> {
        let internal = |error: String| DeleteError::Internal(error);
        let sessions = self.sessions().await.map_err(internal)?;
        let is_unfinished = |session: &SessionHandle| {
            let status = session.status.borrow();
            status.manifest.name == name && !status.manifest.state.is_final()
        };
        if sessions.iter().any(is_unfinished) {
            return Err(DeleteError::Live);
        }
        let states = &self.inner.services.states;
        let known = states.address().send(state::FindByName(name.into())).await;
        let known = known
            .map_err(|error| internal(error.to_string()))?
            .map_err(|error| internal(error.to_string()))?;
        let stored = match self.inner.store.head(name).await {
            Ok(_) => true,
            Err(StoreError::NotFound(_)) => false,
            Err(error) => return Err(internal(error.to_string())),
        };
        if known.is_none() && !stored {
            return Err(DeleteError::NotFound);
        }
        // The manifest first: it must not name an object that is gone.
        if let Some(manifest) = known {
            log::info!(
                "{} ({}): deleted on request",
                manifest.id,
                manifest.room_name
            );
            let removed = states.address().send(state::Remove(manifest.id)).await;
            removed
                .map_err(|error| internal(error.to_string()))?
                .map_err(|error| internal(error.to_string()))?;
        }
        self.inner
            .store
            .delete(name)
            .await
            .map_err(|error| internal(error.to_string()))
    }

    /// Whether the actors answer; the reason if not.
    ///
    /// # Errors
    /// Which of them does not.
    pub async fn ready(&self) -> Result<(), String> {
        self.sessions().await?;
        let list = state::List {
            filter: ListFilter::default(),
            cursor: None,
            limit: 1,
        };
        match self
            .inner
            .services
            .states
            .address()
            .send(list)
            .timeout(ANSWER)
            .await
        {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(format!("the store actor does not answer: {error}")),
        }
    }

    /// Stops all live recordings and waits until they are delivered or `deadline` passes. No
    /// recording is started any more.
    pub async fn finish_all(&self, deadline: Duration) {
        self.inner.closing.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + deadline;
        let sessions = self.sessions().await.unwrap_or_default();
        let endings = sessions.into_iter().map(|session| async move {
            let id = session.status.borrow().manifest.id.clone();
            let mut status = session.status.clone();
            self.ask_to_stop(&id, session, deadline).await;
            let manifest = ended(&mut status, deadline).await;
            if manifest.state.is_final() {
                // Until its processes are gone, too.
                let _ = timeout_at(deadline, status.wait_for(|status| status.finished)).await;
            }
        });
        futures_util::future::join_all(endings).await;
    }

    async fn sessions(&self) -> Result<Vec<SessionHandle>, String> {
        match timeout(ANSWER, self.inner.registry.send(registry::Sessions)).await {
            Ok(Ok(registry::Known(sessions))) => Ok(sessions),
            Ok(Err(error)) => Err(format!("the registry does not answer: {error}")),
            Err(_) => Err("the registry does not answer in time".into()),
        }
    }

    async fn ask<M>(&self, message: M) -> Result<M::Result, StartError>
    where
        M: Message + Send + Clone + 'static,
        M::Result: Send,
        RegistryActor: Handler<M>,
        Context<RegistryActor>: actix::dev::ToEnvelope<RegistryActor, M>,
    {
        match timeout(ANSWER, self.inner.registry.send(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(StartError::Internal(format!(
                "the registry does not answer: {error}"
            ))),
            Err(_) => Err(StartError::Capacity(
                "the server is overloaded: try again later".into(),
            )),
        }
    }
}

/// Whether an earlier server left something to do.
fn needs_session(manifest: &Manifest, folder: &DataFolder) -> bool {
    if !manifest.state.is_final() {
        return true;
    }
    let keeps_media = manifest.state == RecordingState::Failed && manifest.started_at.is_some();
    folder.has_sockets(&manifest.id) || (!keeps_media && folder.has_leftovers(&manifest.id))
}

/// Waits until a recording has ended; the manifest as it stands then or at the deadline.
async fn ended(status: &mut watch::Receiver<SessionStatus>, deadline: Instant) -> Manifest {
    let waited = timeout_at(
        deadline,
        status.wait_for(|status| status.manifest.state.is_final()),
    )
    .await;
    drop(waited);
    status.borrow().manifest.clone()
}
