//! Room on the disk: recordings are refused before it runs out, and what is delivered goes first.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Inner, Recorder};
use crate::{DiskSpace, Manifest, state};

/// Between two looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two looks for what can go, while there is too little room.
const RECLAIM_EVERY: Duration = Duration::from_secs(60);

impl Recorder {
    /// The room on the disk of the data folder.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn space(&self) -> io::Result<DiskSpace> {
        self.inner.space().await
    }

    /// Tells in the log when there is too little room and when there is enough again, and makes
    /// room meanwhile, for as long as the recorder lives.
    pub(super) fn watch_space(&self) {
        let watched = Arc::downgrade(&self.inner);
        actix::spawn(async move {
            let mut reclaim_at = None;
            while let Some(inner) = watched.upgrade() {
                match inner.space().await {
                    Ok(space) if space.is_low() => {
                        if reclaim_at.is_none() {
                            log::warn!("no recording is begun: {space}");
                        }
                        if reclaim_at.is_none_or(|at| at <= Instant::now()) {
                            inner.reclaim().await;
                            reclaim_at = Some(Instant::now() + RECLAIM_EVERY);
                        }
                    }
                    Ok(space) => {
                        if reclaim_at.take().is_some() {
                            let free = space.free_bytes / 1_000_000;
                            log::info!("{free} MB are free again: recordings may begin");
                        }
                    }
                    Err(error) => log::warn!("the room on the disk is not known: {error}"),
                }
                drop(inner);
                sleep(LOOK_EVERY).await;
            }
        });
    }
}

impl Inner {
    async fn space(&self) -> io::Result<DiskSpace> {
        let (folder, needed) = (
            self.services.folder.clone(),
            self.services.settings.min_free_bytes,
        );
        tokio::task::spawn_blocking(move || folder.space(needed))
            .await
            .map_err(io::Error::other)?
    }

    /// Empties the work folders of recordings that are delivered, or of which nothing was captured.
    async fn reclaim(&self) {
        let states = self.services.states.address();
        let found = match states.send(state::Dispensable).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return log::warn!("what can go is not known: {error}"),
            Err(error) => return log::warn!("what can go is not known: {error}"),
        };
        let Ok(sessions) = self.registry.send(crate::registry::Sessions).await else {
            return;
        };
        // A session looks after its folder itself.
        let in_session: HashSet<String> = sessions
            .0
            .iter()
            .map(|session| session.status.borrow().manifest.id.clone())
            .collect();
        for manifest in found {
            if in_session.contains(&manifest.id) || !self.is_elsewhere(&manifest).await {
                continue;
            }
            let label = format!("{} ({})", manifest.id, manifest.room_name);
            match states.send(state::Clear(manifest.id)).await {
                Ok(Ok(())) => log::info!(
                    "{label}: emptied its work folder to make room: it is {}",
                    manifest.state
                ),
                Ok(Err(error)) => log::warn!("{label}: cannot empty its work folder: {error}"),
                Err(error) => log::warn!("{label}: cannot empty its work folder: {error}"),
            }
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
        for (name, file) in manifest.files() {
            match self.services.stores.head(&name).await {
                Ok(stored) if stored.size == file.size_bytes => {}
                _ => return false,
            }
        }
        true
    }
}
