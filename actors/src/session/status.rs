use std::sync::Arc;

use tokio::sync::watch;

use crate::{Manifest, StartError};

/// What others see of a session. It survives the session's actor, so that those who wait do not
/// notice when the actor is made anew.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    /// As it is on the disk.
    pub manifest: Manifest,
    /// How the start ended, once it has.
    pub start: Option<Result<(), StartError>>,
    /// Whether the session has nothing more to do.
    pub finished: bool,
}

/// The session's end of its status.
pub type StatusSender = Arc<watch::Sender<SessionStatus>>;

impl SessionStatus {
    /// The status of a recording of which nothing is on the disk yet.
    pub fn sender(manifest: Manifest) -> StatusSender {
        Arc::new(watch::Sender::new(Self {
            manifest,
            start: None,
            finished: false,
        }))
    }
}
