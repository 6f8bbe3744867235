//! What is delivered goes from this machine when its time is over, or when there is no room for it.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::sleep;

use super::{Inner, Recorder};
use crate::clock::now_ms;
use crate::registry;
use crate::retention::{Kept, Remains, Removals, removals};
use crate::{Manifest, state};

impl Recorder {
    /// Removes what has been kept for long enough, for as long as the recorder lives.
    pub(super) fn watch_retention(&self) {
        let Some(every) = self.inner.services.settings.retention.look_every() else {
            return;
        };
        let watched = Arc::downgrade(&self.inner);
        actix::spawn(async move {
            while let Some(inner) = watched.upgrade() {
                if let Some(removals) = inner.removals().await {
                    inner.remove_overdue(removals.by_rule).await;
                }
                drop(inner);
                sleep(every).await;
            }
        });
    }
}

impl Inner {
    /// Removes what need not stay here, then what stays by rule, the oldest deliveries first, until there
    /// is room.
    pub(super) async fn make_room(&self) {
        let Some(Removals { by_rule, for_room }) = self.removals().await else {
            return;
        };
        for remains in by_rule {
            if self.is_elsewhere(&remains.manifest).await {
                let kept = self.services.retention.kept(&remains.manifest, now_ms());
                self.remove(&remains, kept, "to make room").await;
            }
        }
        for remains in for_room {
            match self.space().await {
                Ok(space) if space.is_low() => {}
                _ => return,
            }
            // It goes before its time, so what was verified at its delivery is looked at again.
            if self.is_elsewhere(&remains.manifest).await {
                let why = "to make room, before its time";
                self.remove(&remains, Kept::default(), why).await;
            }
        }
    }

    async fn remove_overdue(&self, overdue: Vec<Remains>) {
        for remains in overdue {
            let kept = self.services.retention.kept(&remains.manifest, now_ms());
            self.remove(&remains, kept, "in time").await;
        }
    }

    /// What may go; none when it is not known.
    async fn removals(&self) -> Option<Removals> {
        let asked = state::Remaining(self.services.retention.clone());
        let mut remains = match self.services.states.address().send(asked).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                log::warn!("what is kept is not known: {error}");
                return None;
            }
            Err(error) => {
                log::warn!("what is kept is not known: {error}");
                return None;
            }
        };
        let registry::Known(sessions) = self.registry.send(registry::Sessions).await.ok()?;
        // A session looks after its folder itself.
        let in_session: HashSet<String> = sessions
            .iter()
            .map(|session| session.status.borrow().manifest.id.clone())
            .collect();
        remains.retain(|one| !in_session.contains(&one.manifest.id));
        Some(removals(remains))
    }

    async fn remove(&self, remains: &Remains, kept: Kept, why: &str) {
        let manifest = &remains.manifest;
        let label = format!("{} ({})", manifest.id, manifest.room_name);
        let clear = state::Clear(manifest.clone(), kept);
        match self.services.states.address().send(clear).await {
            Ok(Ok(())) => {
                let stays = match (kept.files, kept.log) {
                    (true, _) => ", but for its files",
                    (_, true) => ", but for its capture log",
                    _ => "",
                };
                let (megabytes, state) = (remains.bytes / 1_000_000, manifest.state);
                log::info!(
                    "{label}: emptied its work folder {why}{stays}: it is {state} ({megabytes} MB)"
                );
            }
            Ok(Err(error)) => log::warn!("{label}: cannot empty its work folder: {error}"),
            Err(error) => log::warn!("{label}: cannot empty its work folder: {error}"),
        }
    }

    /// Whether nothing of a final recording is only in its folder.
    async fn is_elsewhere(&self, manifest: &Manifest) -> bool {
        if !manifest.is_delivered() {
            return true;
        }
        if manifest.file.is_none() {
            return false;
        }
        let source = Some(manifest.source.as_str());
        for (name, file) in manifest.files() {
            match self.services.stores.head(&name, source).await {
                Ok(stored) if stored.size == file.size_bytes => {}
                _ => return false,
            }
        }
        true
    }
}
