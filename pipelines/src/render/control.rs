use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::control::{RenderSnapshot, Warning};

/// What a render is told and what it tells, shared with whoever watches it.
#[derive(Default)]
pub struct RenderControl {
    finish: AtomicBool,
    told: Mutex<Told>,
    changed: Notify,
    /// Where the render dies, ns of file time.
    #[cfg(test)]
    pub(super) dies_at_ns: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct Told {
    snapshot: RenderSnapshot,
    /// What was warned of: code and subject.
    warned: HashSet<(String, String)>,
}

impl RenderControl {
    /// The log grows no more: the render ends where it ends.
    pub fn finish(&self) {
        self.finish.store(true, Ordering::SeqCst);
    }

    /// Whether [`RenderControl::finish`] was called.
    pub fn finish_requested(&self) -> bool {
        self.finish.load(Ordering::SeqCst)
    }

    /// Where the render stands.
    pub fn snapshot(&self) -> RenderSnapshot {
        self.lock().snapshot.clone()
    }

    /// Returns when something changed that is worth telling at once.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Changes the snapshot; `at_once` when it is worth telling at once.
    pub(super) fn update(&self, at_once: bool, change: impl FnOnce(&mut RenderSnapshot)) {
        change(&mut self.lock().snapshot);
        if at_once {
            self.changed.notify_one();
        }
    }

    /// Tells of something left out or replaced, once per subject. Returns whether it was new.
    pub(super) fn warn(&self, code: &str, subject: &str, message: String) -> bool {
        let mut told = self.lock();
        if !told.warned.insert((code.into(), subject.into())) {
            return false;
        }
        log::warn!("{code}: {message}");
        told.snapshot.warnings.push(Warning {
            code: code.into(),
            message,
        });
        drop(told);
        self.changed.notify_one();
        true
    }

    #[cfg(test)]
    pub(super) fn die_if_wanted(&self, position_ns: u64) {
        let dies_at_ns = self.dies_at_ns.load(Ordering::SeqCst);
        assert!(
            dies_at_ns == 0 || position_ns < dies_at_ns,
            "the render dies at {position_ns} ns"
        );
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
