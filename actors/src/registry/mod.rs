//! Knows all sessions: who may start, who is to be stopped, who has vanished.

mod actor;
mod table;

pub use actor::{Known, RegistryActor, Resume, Sessions, Start, StartCheck};
pub use table::{Table, answers_again, is_same_request};

/// A session and its status.
#[derive(Clone)]
pub struct SessionHandle {
    pub session: actix::Addr<crate::session::RecordingSession>,
    pub status: tokio::sync::watch::Receiver<crate::session::SessionStatus>,
}
