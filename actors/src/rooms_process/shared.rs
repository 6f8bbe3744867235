use std::sync::Arc;

use tapedeck_pipelines::control::{ControlClient, RoomsSnapshot};
use tokio::sync::{Semaphore, watch};

use super::job::RoomsPlace;

/// Requests that are with the process at once: the other end remembers the answers to 64, and those
/// who wait here can be told so.
pub const MOST_REQUESTS: usize = 32;

/// What outlives the actor, so that those who wait do not notice when it is made anew.
pub struct Shared {
    pub place: RoomsPlace,
    /// Whether a recording needs the process.
    pub is_needed: Box<dyn Fn() -> bool + Send + Sync>,
    pub status: watch::Sender<Status>,
    /// Those who may speak to the process; all are free when nobody does.
    pub requests: Semaphore,
}

impl Shared {
    pub fn new(
        place: RoomsPlace,
        is_needed: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            place,
            is_needed: Box::new(is_needed),
            status: watch::Sender::new(Status::default()),
            requests: Semaphore::new(MOST_REQUESTS),
        })
    }
}

/// What is known of the process.
#[derive(Clone, Default)]
pub struct Status {
    pub link: Link,
    /// Its number, while it runs.
    pub pid: Option<u32>,
    /// What it last said, while it runs.
    pub snapshot: Option<Arc<RoomsSnapshot>>,
}

/// The way to the process.
#[derive(Clone, Default)]
pub enum Link {
    /// It is being looked for, started, connected to, or about to end.
    #[default]
    Pending,
    Connected(Connected),
    /// There is none.
    Absent {
        /// Why it could not be started, if that was tried.
        start_failure: Option<String>,
    },
}

/// A connection to the process.
#[derive(Clone)]
pub struct Connected {
    pub client: Arc<ControlClient>,
}

impl Connected {
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.client, &other.client)
    }
}
