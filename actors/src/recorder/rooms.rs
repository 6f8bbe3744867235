//! Rooms that live in our own rooms process.

use tapedeck_pipelines::control::{RoomStatus, WhipAnswer, WhipRequest};

use super::Recorder;
use crate::RoomsError;

impl Recorder {
    /// Puts a WHIP client's request to the rooms process, which is started if it does not run.
    ///
    /// # Errors
    /// It does not run and cannot be started, or does not answer.
    pub async fn whip(&self, _request: WhipRequest) -> Result<WhipAnswer, RoomsError> {
        Err(RoomsError::Timeout)
    }

    /// The rooms of the rooms process; none when it does not run.
    pub async fn rooms(&self) -> Vec<RoomStatus> {
        Vec::new()
    }
}
