//! How recordings end and go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tapedeck_storage::StoreError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::{ANSWER, Recorder};
use crate::registry::SessionHandle;
use crate::session::{SessionStatus, Stop};
use crate::{DeleteError, Manifest, RecordingState, SourceKind, StopError, state};

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
        let deadline = Instant::now() + self.inner.services.settings.stop_timeout;
        let session = self.session_in(room_name, source).await;
        let session = session.map_err(StopError::Internal)?;
        let session = session.ok_or(StopError::NotRecording)?;
        let id = session.status.borrow().manifest.id.clone();
        let mut status = session.status.clone();
        let taken = self.ask_to_stop(&id, session, deadline).await;
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
    async fn ask_to_stop(&self, id: &str, mut session: SessionHandle, deadline: Instant) -> bool {
        while session.status.borrow().manifest.is_live() {
            if Instant::now() >= deadline {
                return false;
            }
            if session.session.send(Stop).timeout(ANSWER).await.is_ok() {
                return true;
            }
            sleep(Duration::from_millis(100)).await;
            let found = self.sessions().await.unwrap_or_default();
            let again = found
                .into_iter()
                .find(|session| session.status.borrow().manifest.id == id);
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
            self.ask_to_stop(&id, session, deadline).await;
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
