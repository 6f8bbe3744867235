use std::io;
use std::path::Path;

use tokio::sync::mpsc;

use super::{Command, Event};

/// The server's end of a connection to one child. Dropping it closes the connection, which the
/// child survives.
pub struct ControlClient {}

impl ControlClient {
    /// Connects once. Events arrive on the receiver (bounded; a slow reader misses older
    /// snapshots, never the newest), which ends when the connection does.
    pub async fn connect(_path: &Path) -> io::Result<(Self, mpsc::Receiver<Event>)> {
        todo!()
    }

    /// Sends a command under a new id and waits for its reply.
    ///
    /// # Errors
    /// The connection ended, the child refused, or `timeout` passed.
    pub async fn command(&self, _command: Command, _timeout: std::time::Duration) -> Result<(), CommandError> {
        todo!()
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the connection to the process ended")]
    Disconnected,
    #[error("the process did not answer in time")]
    Timeout,
    #[error("the process refused: {0}")]
    Refused(String),
}
