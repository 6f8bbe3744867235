//! Pauses on request.

use std::time::Duration;

use super::Recorder;
use crate::session::SetPaused;
use crate::{Manifest, PauseError, SourceKind};

/// How long a request waits for the manifest to say so. The session itself gives up before.
const LONGEST: Duration = Duration::from_secs(15);

impl Recorder {
    /// Lets the live recording of a room pause, or go on; returns when it does and the manifest
    /// says so. One that does already is answered likewise. Where rooms of that name live in
    /// several places, it is the newest, unless `source` says which.
    ///
    /// # Errors
    /// There is nothing to pause, or capture did not do it in time.
    pub async fn set_paused(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
        paused: bool,
    ) -> Result<Manifest, PauseError> {
        let session = self.session_in(room_name, source).await;
        let session = session.map_err(PauseError::Internal)?;
        let session = session
            .filter(|session| session.status.borrow().manifest.is_live())
            .ok_or(PauseError::NotRecording)?;
        match session
            .session
            .send(SetPaused(paused))
            .timeout(LONGEST)
            .await
        {
            Ok(answer) => answer,
            Err(actix::MailboxError::Timeout) => Err(PauseError::Pending),
            Err(actix::MailboxError::Closed) => {
                let reason = "the recording's session is being made anew: try again";
                Err(PauseError::Internal(reason.into()))
            }
        }
    }
}
