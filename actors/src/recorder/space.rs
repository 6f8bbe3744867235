//! Room on the disk: recordings are refused before it runs out, and what is delivered goes first.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Inner, Recorder};
use crate::DiskSpace;

/// Between two looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two looks for what may go, while there is too little room.
const MAKE_ROOM_EVERY: Duration = Duration::from_secs(60);

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
            let mut next_at = None;
            while let Some(inner) = watched.upgrade() {
                match inner.space().await {
                    Ok(space) if space.is_low() => {
                        if next_at.is_none() {
                            log::warn!("no recording is begun: {space}");
                        }
                        if next_at.is_none_or(|at| at <= Instant::now()) {
                            inner.make_room().await;
                            next_at = Some(Instant::now() + MAKE_ROOM_EVERY);
                        }
                    }
                    Ok(space) => {
                        if next_at.take().is_some() {
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
    pub(super) async fn space(&self) -> io::Result<DiskSpace> {
        let (folder, needed) = (
            self.services.folder.clone(),
            self.services.settings.min_free_bytes,
        );
        tokio::task::spawn_blocking(move || folder.space(needed))
            .await
            .map_err(io::Error::other)?
    }
}
