//! What signals mean to the server.
//!
//! | signal | what |
//! | --- | --- |
//! | SIGTERM | `server.on_sigterm`: hands over, or finishes |
//! | SIGINT (Ctrl-C) | finishes |
//! | SIGHUP | hands over: a terminal that closes stops no recording, and what starts the server again makes it read its configuration |
//! | SIGQUIT | not handled: ends at once, with a core dump where those are kept |
//!
//! A second signal ends at once. Nothing is lost by any of them.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::OnTerminate;

/// The signals that end the server.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    on_terminate: OnTerminate,
}

impl Signals {
    /// From now on these signals do not end the process.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn catch(on_terminate: OnTerminate) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            on_terminate,
        })
    }

    /// Waits for a signal; tells what is to be done about running recordings.
    pub async fn next(&mut self) -> OnTerminate {
        tokio::select! {
            _ = self.interrupt.recv() => OnTerminate::Finish,
            _ = self.terminate.recv() => self.on_terminate,
            _ = self.hang_up.recv() => OnTerminate::HandOver,
        }
    }
}
