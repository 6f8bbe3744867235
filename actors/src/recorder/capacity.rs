//! What the machine has for recordings.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Recorder;
use crate::capacity::Machine;
use crate::{Capacity, LiveSession, Manifest};

/// Between two looks at what recordings take.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Recorder {
    /// How much there is for recordings, and how much of it is taken.
    ///
    /// # Errors
    /// The registry does not answer.
    pub async fn capacity(&self) -> Result<Capacity, String> {
        let sessions = self.sessions().await?.into_iter();
        let mut running: Vec<Manifest> = sessions
            .map(|session| session.status.borrow().manifest.clone())
            .collect();
        running.retain(|manifest| manifest.state.is_running());
        let services = &self.inner.services;
        let settings = &services.settings;
        let (max, usual) = (settings.max_recordings, &settings.output);
        Ok(services.meter.capacity(running.iter(), max, usual))
    }

    /// Measures what recordings take, for as long as the recorder lives.
    pub(super) async fn watch_capacity(&self) {
        // The first start is to know the machine; sessions are asked later, they have just begun.
        self.take_in(&[]).await;
        let watched = Arc::downgrade(&self.inner);
        actix::spawn(async move {
            loop {
                sleep(LOOK_EVERY).await;
                let Some(inner) = watched.upgrade() else {
                    return;
                };
                let recorder = Self { inner };
                match recorder.live().await {
                    Ok(sessions) => recorder.take_in(&sessions).await,
                    Err(error) => log::warn!("recordings cannot be measured: {error}"),
                }
            }
        });
    }

    async fn take_in(&self, sessions: &[LiveSession]) {
        // A room on the disk that is not known is told by whoever watches it.
        let disk = self.space().await.ok();
        match tokio::task::spawn_blocking(Machine::look).await {
            Ok(machine) => self.inner.services.meter.look(machine, disk, sessions),
            Err(error) => log::warn!("the machine cannot be looked at: {error}"),
        }
    }
}
