use std::io;
use std::path::Path;

use tokio::sync::mpsc;

use super::{CommandEnvelope, Event, Role};

/// The child's end: listens on a socket of mode 0600 and serves any number of connections.
/// Must be made inside a tokio runtime; its tasks end when it is dropped, and the socket file
/// goes with it.
pub struct ControlServer {}

impl ControlServer {
    /// Binds `path`, replacing a stale socket file. Commands of all connections arrive on the
    /// receiver; each must be answered by [`ControlServer::reply`].
    pub fn bind(
        _path: &Path,
        _role: Role,
        _recording_id: &str,
    ) -> io::Result<(Self, mpsc::Receiver<CommandEnvelope>)> {
        todo!()
    }

    /// Sends a snapshot to every connection, and to later ones when they connect. Never waits:
    /// a connection that does not read gets only the newest snapshot.
    pub fn publish(&self, _snapshot: Event) {
        todo!()
    }

    /// Answers a command on all connections; the answer is remembered, and a command with the
    /// same id is answered with it without arriving again.
    pub fn reply(&self, _id: &str, _result: Result<(), String>) {
        todo!()
    }

    /// Since when no connection has been open; `None` while one is.
    pub fn alone_since(&self) -> Option<std::time::Instant> {
        todo!()
    }
}
