//! How recordings end and go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tapedeck_storage::{Store, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{ANSWER, Recorder};
use crate::registry::SessionHandle;
use crate::session::{SessionStatus, Stop};
use crate::uploader::Cancel;
use crate::{DeleteError, Manifest, RecordingState, Selected, SourceKind, StopError, state};

/// How long the processes of a recording that is deleted may take to end.
const CALL_OFF: Duration = Duration::from_secs(15);

impl Recorder {
    /// Stops the live recording of a room; returns when it is delivered, or still `ending` or
    /// `uploading` after the stop time-out. A repeated stop waits for the same end. Where rooms of
    /// that name live in several places, it is the newest, unless `source` says which.
    ///
    /// # Errors
    /// There is nothing to stop.
    pub async fn stop(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
    ) -> Result<Manifest, StopError> {
        let which = Selected::Room {
            name: room_name,
            source,
        };
        let patience = self.inner.services.settings.stop_timeout;
        self.stop_within(which, patience).await
    }

    /// As [`Self::stop`], with another time-out. A recording that is selected by its id may have
    /// ended already: it is told as it is.
    ///
    /// # Errors
    /// There is nothing to stop.
    pub async fn stop_within(
        &self,
        which: Selected<'_>,
        patience: Duration,
    ) -> Result<Manifest, StopError> {
        let deadline = Instant::now() + patience;
        let session = match which {
            Selected::Room { name, source } => self.session_in(name, source).await,
            Selected::Id(id) => self.session_of(id).await,
        };
        let session = match (session.map_err(StopError::Internal)?, which) {
            (Some(session), _) => session,
            (None, Selected::Id(id)) => {
                let known = self.get(id).await.map_err(StopError::Internal)?;
                return known.ok_or(StopError::NotRecording);
            }
            (None, Selected::Room { .. }) => return Err(StopError::NotRecording),
        };
        let id = session.status.borrow().manifest.id.clone();
        let mut status = session.status.clone();
        let taken = self
            .ask_to_stop(&id, session, Stop::Requested, deadline)
            .await;
        let mut manifest = ended(&mut status, deadline).await;
        if manifest.is_live() {
            if !taken {
                let reason = "the recording did not take the stop and goes on: try again";
                return Err(StopError::Internal(reason.into()));
            }
            // It ends, though the disk does not take its manifest yet.
            manifest.state = RecordingState::Ending;
        }
        Ok(manifest)
    }

    /// Asks until the recording is not live any more: its session may vanish and be made anew.
    /// Tells whether it ends.
    async fn ask_to_stop(
        &self,
        id: &str,
        mut session: SessionHandle,
        stop: Stop,
        deadline: Instant,
    ) -> bool {
        while session.status.borrow().manifest.is_live() {
            if Instant::now() >= deadline {
                return false;
            }
            if session.session.send(stop).timeout(ANSWER).await.is_ok() {
                return true;
            }
            sleep(Duration::from_millis(100)).await;
            let again = self.session_of(id).await.ok().flatten();
            session = again.unwrap_or(session);
        }
        true
    }

    /// Stops all live recordings and waits until they are delivered or `deadline` passes; then sends
    /// the publishers of our own rooms away. No recording is started and nobody publishes any more.
    pub async fn finish_all(&self, deadline: Duration) {
        self.inner.closing.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + deadline;
        let sessions = self.sessions().await.unwrap_or_default();
        let endings = sessions.into_iter().map(|session| async move {
            let id = session.status.borrow().manifest.id.clone();
            let mut status = session.status.clone();
            self.ask_to_stop(&id, session, Stop::ServerFinishes, deadline)
                .await;
            let manifest = ended(&mut status, deadline).await;
            if manifest.state.is_final() {
                // Until its processes are gone, too.
                let _ = timeout_at(deadline, status.wait_for(|status| status.finished)).await;
            }
        });
        futures_util::future::join_all(endings).await;
        // The next server goes on with a recording that is still live, and its publishers stay.
        let sessions = self.sessions().await.unwrap_or_default();
        let is_live = |session: &SessionHandle| session.status.borrow().manifest.is_live();
        if !sessions.iter().any(is_live) {
            let _ = timeout_at(
                deadline.max(Instant::now() + 2 * ANSWER),
                self.inner.services.sources.rooms.leave(),
            )
            .await;
        }
    }

    /// Removes a finished recording by file name: objects, metadata and work folder. One that is on
    /// its way is called off first.
    ///
    /// # Errors
    /// It is live or unknown, or the disk or the store refuses.
    pub async fn delete(&self, name: &str) -> Result<(), DeleteError> {
        let internal = DeleteError::Internal;
        let stores = &self.inner.services.stores;
        let unfinished = self.unfinished(name).await.map_err(internal)?;
        let is_on_its_way = |manifest: &Manifest| {
            manifest.state == RecordingState::Uploading && manifest.name == name
        };
        if let Some(manifest) = &unfinished
            && !is_on_its_way(manifest)
        {
            return Err(match manifest.state {
                RecordingState::Uploading => DeleteError::PartOf(manifest.name.clone()),
                _ => DeleteError::Live,
            });
        }
        let states = &self.inner.services.states;
        let known = states.address().send(state::FindByName(name.into())).await;
        let known = known
            .map_err(|error| internal(error.to_string()))?
            .map_err(|error| internal(error.to_string()))?;
        if let Some(main) = known.as_ref().filter(|known| known.name != name) {
            return Err(DeleteError::PartOf(main.name.clone()));
        }
        let source = known.as_ref().map(|known| known.source.as_str());
        let home = match (stores.find(name, source).await, source) {
            (Ok((store, _)), _) => store,
            // What there is of it is where it should be.
            (Err(StoreError::NotFound(_)), Some(source)) => stores.of(source),
            (Err(StoreError::NotFound(_)), None) => return Err(DeleteError::NotFound),
            // Nothing is removed here before it can be removed there.
            (Err(error), _) => return Err(DeleteError::StoreAway(error.to_string())),
        };
        if let Some(manifest) = &unfinished {
            self.call_off(manifest).await?;
        }
        let names = match &known {
            Some(manifest) => manifest.names(),
            None => names_of_unknown(name, home).await?,
        };
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
        let deleted = stores.delete(&names, home).await;
        deleted.map_err(|error| internal(error.to_string()))
    }

    /// The recording with a file of this name that has not ended.
    async fn unfinished(&self, name: &str) -> Result<Option<Manifest>, String> {
        let sessions = self.sessions().await?.into_iter();
        let mut manifests = sessions.map(|session| session.status.borrow().manifest.clone());
        Ok(manifests.find(|manifest| manifest.has_name(name) && !manifest.state.is_final()))
    }

    /// Ends the upload of a recording, and waits until its processes are gone.
    async fn call_off(&self, manifest: &Manifest) -> Result<(), DeleteError> {
        let internal = DeleteError::Internal;
        let session = self.session_of(&manifest.id).await.map_err(internal)?;
        let Some(session) = session else {
            return Ok(());
        };
        let uploader = &self.inner.services.uploader;
        let cancelled = uploader.send(Cancel(manifest.id.clone())).await;
        cancelled
            .map_err(|error| internal(format!("the uploader does not answer: {error}")))?
            .map_err(DeleteError::StoreAway)?;
        let mut status = session.status.clone();
        let ended = status.wait_for(|status| status.finished);
        match timeout(CALL_OFF, ended).await {
            Ok(_) => Ok(()),
            Err(_) => Err(internal(
                "its processes did not end in time: try again".into(),
            )),
        }
    }
}

/// The files of a recording of which only its store knows.
async fn names_of_unknown(name: &str, home: &Store) -> Result<Vec<String>, DeleteError> {
    // Without its description its further files would stay for ever.
    let listed = home.list().await;
    let listed = listed.map_err(|error| DeleteError::StoreAway(error.to_string()))?;
    let found = listed.into_iter().find(|recording| recording.name == name);
    let mut names = found.map(|found| found.files).unwrap_or_default();
    names.push(name.to_owned());
    Ok(names)
}

/// Waits until a recording has ended; the manifest as it stands then or at the deadline.
async fn ended(status: &mut watch::Receiver<SessionStatus>, deadline: Instant) -> Manifest {
    // One that waits for somebody to change something is not waited for.
    let is_blocked = |manifest: &Manifest| manifest.upload.as_ref().is_some_and(|it| it.blocked);
    let settled =
        |status: &SessionStatus| status.manifest.state.is_final() || is_blocked(&status.manifest);
    let waited = timeout_at(deadline, status.wait_for(settled)).await;
    drop(waited);
    status.borrow().manifest.clone()
}
