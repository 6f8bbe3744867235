//! Rooms that live in our own rooms process.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use tapedeck_pipelines::control::{RoomStatus, WhipAnswer, WhipRequest};

use super::Recorder;
use crate::{ProcessUsage, RoomsError};

impl Recorder {
    /// Puts a WHIP client's request to the rooms process, which is started if it does not run and
    /// somebody wants to publish. Without it a session is unknown.
    ///
    /// # Errors
    /// It does not run and cannot be started, or does not answer.
    pub async fn whip(&self, request: WhipRequest) -> Result<WhipAnswer, RoomsError> {
        let publishes = matches!(request, WhipRequest::Publish { .. });
        if publishes && self.inner.closing.load(Ordering::Relaxed) {
            let reason = "the server is about to end: try again later";
            return Err(RoomsError::NotRunning(reason.into()));
        }
        self.inner.services.sources.rooms.whip(request).await
    }

    /// The rooms of the rooms process; none when it does not run.
    pub async fn rooms(&self) -> Vec<RoomStatus> {
        self.inner.services.sources.rooms.rooms().await
    }

    /// What the rooms process uses; none when it does not run.
    pub async fn rooms_process(&self) -> Option<ProcessUsage> {
        let pid = self.inner.services.sources.rooms.pid()?;
        self.usage_of("rooms", pid).await
    }

    /// What the server itself uses.
    pub async fn server_process(&self) -> Option<ProcessUsage> {
        self.usage_of("server", std::process::id()).await
    }

    /// What a process that belongs to no recording uses.
    async fn usage_of(&self, role: &'static str, pid: u32) -> Option<ProcessUsage> {
        let inner = self.inner.clone();
        let sampled = tokio::task::spawn_blocking(move || {
            let usage = &inner.shared_usage;
            let mut usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
            if role == "rooms" {
                usage.keep(&[pid, std::process::id()]);
            }
            usage.sample(role, pid)
        });
        sampled.await.ok().flatten()
    }
}
