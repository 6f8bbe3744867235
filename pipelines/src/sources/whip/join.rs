//! Getting into a room.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::control::{Failure, FailureKind};
use crate::rooms::media::RoomState;

use super::connection::{ConnectError, Connection};

/// How long the first join goes on trying while the rooms process is not there.
const JOIN_FOR: Duration = Duration::from_secs(8);

/// The pause between two attempts of the first join.
const JOIN_PAUSE: Duration = Duration::from_millis(200);

/// Connects; tries for about eight seconds while the rooms process does not answer.
///
/// # Errors
/// It is not there, hangs, or refuses.
pub async fn join_patiently(
    socket: &Path,
    room: &str,
) -> Result<(Connection, RoomState), ConnectError> {
    let deadline = Instant::now() + JOIN_FOR;
    loop {
        let attempt = Connection::open(socket, room);
        let outcome = tokio::time::timeout_at(deadline.into(), attempt)
            .await
            .unwrap_or(Err(ConnectError::Silent));
        match outcome {
            Err(error) if error.is_transient() && Instant::now() + JOIN_PAUSE < deadline => {
                log::info!("joining failed, trying again: {error}");
                tokio::time::sleep(JOIN_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let kind = match error {
            ConnectError::NotRunning(_) | ConnectError::Broken(_) => FailureKind::SourceUnreachable,
            ConnectError::Silent => FailureKind::SourceTimeout,
            ConnectError::Refused(_) => FailureKind::Internal,
        };
        Self {
            kind,
            message: error.to_string(),
        }
    }
}
