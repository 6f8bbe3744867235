//! Publishers of our own rooms that publish again when the rooms process was killed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use testcard::PublisherOptions;
use testcard::whip::WhipPublisher;
use tokio::task::JoinHandle;

use crate::oracle::Shown;
use crate::tapedeck::now_ms;

/// How soon a publisher notices, and how often it tries.
const LOOK: Duration = Duration::from_millis(100);

/// When the rooms process was killed; all that hold it see the same.
#[derive(Clone, Debug, Default)]
pub struct RoomsKills(Arc<Mutex<Vec<f64>>>);

impl RoomsKills {
    pub(super) fn add(&self) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.push(now_ms());
    }

    /// All kills, Unix ms.
    pub(super) fn times(&self) -> Vec<f64> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.clone()
    }

    fn count(&self) -> usize {
        self.times().len()
    }
}

/// When a publisher was there.
#[derive(Clone, Debug)]
pub struct Presence(Arc<Mutex<Shown>>);

impl Presence {
    /// Of a publisher that is there all the time.
    pub fn always(options: &PublisherOptions) -> Self {
        Self(Arc::new(Mutex::new(Shown::always(options))))
    }

    /// What it has shown so far.
    pub fn shown(&self) -> Shown {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn left(&self, at: f64) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = shown.present.last_mut() {
            last.end = last.end.min(at);
        }
    }

    fn came(&self, at: f64) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.present.push(at..f64::MAX);
    }
}

/// A publisher that comes back. It leaves when this is dropped.
pub struct Returning {
    pub presence: Presence,
    ended: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl Returning {
    /// Looks after a publisher from now on.
    pub fn new(mut publisher: WhipPublisher, kills: RoomsKills) -> Self {
        let presence = Presence::always(&publisher.options);
        let ended = Arc::new(AtomicBool::new(false));
        let (of_task, end) = (presence.clone(), ended.clone());
        let task = tokio::spawn(async move {
            let mut known = kills.count();
            while !end.load(Ordering::Relaxed) {
                if kills.count() != known {
                    of_task.left(now_ms() - 2.0 * LOOK.as_secs_f64() * 1e3);
                    while !end.load(Ordering::Relaxed) {
                        // A kill before this attempt does not end what comes of it.
                        known = kills.count();
                        if publisher.post_again().await.is_ok() {
                            break;
                        }
                        tokio::time::sleep(LOOK).await;
                    }
                    of_task.came(now_ms());
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Self {
            presence,
            ended,
            task: Some(task),
        }
    }

    /// Ends it.
    pub async fn end(mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}
