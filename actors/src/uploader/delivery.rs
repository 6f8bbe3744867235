//! The delivery of one recording: tries until it is done or called off.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tapedeck_storage::{RecordingMetadata, RecordingStore, StoreError, Stored, file_digest};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use super::table::{Entry, Request};
use super::{FileToStore, UploadTable};
use crate::backoff::Backoff;
use crate::clock::now_ms;
use crate::{UploadSettings, UploadState, UploadTrouble};

/// Damaged arrivals in a row after which somebody should look at the way there.
const MOST_DAMAGED: u32 = 3;

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq, MessageResponse)]
pub enum Delivery {
    /// All files are in the store, verified: what it says of them, the main one first.
    Stored(Vec<Stored>),
    /// The store has another file of this name.
    NameTaken,
    /// A file is not there or not what its metadata says.
    SourceUnusable(String),
    /// It was called off, and nothing of it is in the store.
    Cancelled,
    /// The session that asked is gone.
    Abandoned,
}

/// A delivery and what it works with.
pub struct Round {
    pub store: Arc<dyn RecordingStore>,
    pub entry: Entry,
    pub requests: mpsc::UnboundedReceiver<Request>,
    pub trouble: Recipient<UploadTrouble>,
    pub slots: Arc<Semaphore>,
    pub settings: UploadSettings,
    pub table: Arc<UploadTable>,
}

/// How a try ended.
enum Outcome {
    Decided(Delivery),
    Failed { error: StoreError, blocked: bool },
}

impl Round {
    /// Tries until it is decided.
    pub async fn deliver(mut self) -> Delivery {
        let backoff = Backoff {
            first: self.settings.first_pause,
            longest: self.settings.longest_pause,
        };
        let mut stored = Vec::new();
        let (mut tries, mut damaged) = (self.entry.upload.standing().attempts, 0);
        if let Some(pause) = self.pause_of_earlier_try()
            && self.wait(pause, &stored).await
        {
            return Delivery::Cancelled;
        }
        while self.trouble.connected() {
            tries = tries.saturating_add(1);
            let Some(outcome) = self.try_once(&mut stored, &mut damaged).await else {
                return Delivery::Cancelled;
            };
            let (error, blocked) = match outcome {
                Outcome::Decided(delivery) => {
                    if matches!(delivery, Delivery::Stored(_)) {
                        self.table.wake(self.entry.upload.store());
                    }
                    return delivery;
                }
                Outcome::Failed { error, blocked } => (error, blocked),
            };
            let pause = match blocked {
                true => backoff.pause(u32::MAX, rand::random()),
                false => backoff.pause(tries, rand::random()),
            };
            self.tell(&error, blocked, pause).await;
            if self.wait(pause, &stored).await {
                return Delivery::Cancelled;
            }
        }
        Delivery::Abandoned
    }

    /// What is left of the pause that an earlier server began; it is told in the table. A blocked upload
    /// is tried at once: to start a server with other settings is how somebody mends it.
    fn pause_of_earlier_try(&self) -> Option<Duration> {
        let upload = &self.entry.upload;
        let earlier = upload.order().trouble.as_ref().filter(|it| !it.blocked)?;
        let left = earlier.next_try_ms?.saturating_sub(now_ms());
        let left = Duration::from_millis(u64::try_from(left).ok()?);
        // The clock may have been set back, and the ceiling lowered.
        let pause = left.min(self.settings.longest_pause);
        upload.stands(|now| {
            now.state = UploadState::Waiting;
            now.next_try_ms = Some(after(pause));
        });
        Some(pause)
    }

    /// One try, when it is its turn; none when it was called off meanwhile.
    async fn try_once(&mut self, stored: &mut Vec<Stored>, damaged: &mut u32) -> Option<Outcome> {
        loop {
            let request = {
                let (slots, store, upload) = (&self.slots, &self.store, &self.entry.upload);
                let mut attempt = std::pin::pin!(async {
                    upload.stands(|now| now.state = UploadState::Queued);
                    let _slot = slots.acquire().await;
                    upload.stands(|now| now.state = UploadState::Uploading);
                    store_all(store.as_ref(), upload, stored, damaged).await
                });
                loop {
                    tokio::select! {
                        biased;
                        Some(request) = self.requests.recv() => match request {
                            // It is being done.
                            Request::Retry => {}
                            Request::Cancel(answer) => break answer,
                        },
                        outcome = &mut attempt => return Some(outcome),
                    }
                }
            };
            // Whatever was under way is dropped by now.
            let given_up = self.give_up(stored).await;
            let is_done = given_up.is_ok();
            let _ = request.send(given_up);
            if is_done {
                return None;
            }
        }
    }

    /// Waits for the next try; tells whether it was called off.
    async fn wait(&mut self, pause: Duration, stored: &[Stored]) -> bool {
        let mut slept = std::pin::pin!(sleep(pause));
        loop {
            let request = tokio::select! {
                () = &mut slept => return false,
                request = self.requests.recv() => request,
            };
            match request {
                Some(Request::Cancel(answer)) => {
                    let given_up = self.give_up(stored).await;
                    let is_done = given_up.is_ok();
                    let _ = answer.send(given_up);
                    if is_done {
                        return true;
                    }
                }
                Some(Request::Retry) | None => return false,
            }
        }
    }

    /// Tells a failure in the log, in the table and to the session.
    async fn tell(&self, error: &StoreError, blocked: bool, pause: Duration) {
        let next_try_ms = Some(after(pause));
        let upload = &self.entry.upload;
        upload.stands(|standing| {
            standing.attempts += 1;
            standing.last_error = Some(error.to_string());
            standing.next_try_ms = next_try_ms;
            standing.state = match blocked {
                true => UploadState::Blocked,
                false => UploadState::Waiting,
            };
        });
        let (label, attempts) = (upload.order().label(), upload.standing().attempts);
        let word = match blocked {
            true => "the upload is blocked: ",
            false => "",
        };
        log::warn!(
            "{label}: {word}{error}; try {} follows in {:.1} s",
            attempts + 1,
            pause.as_secs_f32()
        );
        let trouble = UploadTrouble {
            attempts,
            blocked,
            error: error.to_string(),
            failed_at_ms: now_ms(),
            next_try_ms,
        };
        // A session that is gone is noticed before the next try.
        let _ = self.trouble.send(trouble).await;
    }

    /// Leaves nothing of the upload in the store.
    async fn give_up(&self, stored: &[Stored]) -> Result<(), String> {
        let files = &self.entry.upload.order().files;
        for file in files {
            self.store
                .give_up(&file.path, &file.metadata.name)
                .await
                .map_err(|error| error.to_string())?;
        }
        for file in files.iter().take(stored.len()) {
            self.store
                .delete(&file.metadata.name)
                .await
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// When a pause that begins now is over, Unix ms.
fn after(pause: Duration) -> i64 {
    now_ms().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))
}

/// Stores the files that are not in `stored` yet, in their order.
async fn store_all(
    store: &dyn RecordingStore,
    upload: &super::table::Upload,
    stored: &mut Vec<Stored>,
    damaged: &mut u32,
) -> Outcome {
    let files = &upload.order().files;
    for file in files {
        if let Some(delivery) = unusable(file).await {
            return Outcome::Decided(delivery);
        }
    }
    let failed = |error: StoreError| {
        let blocked = matches!(error, StoreError::Refused { .. });
        Outcome::Failed { error, blocked }
    };
    if stored.is_empty()
        && let [_, .., main] = &files[..]
    {
        // Further files must not lie beside a main file that is somebody else's.
        match is_taken(store, &main.metadata).await {
            Ok(false) => {}
            Ok(true) => return Outcome::Decided(Delivery::NameTaken),
            Err(error) => return failed(error),
        }
    }
    for (place, file) in files.iter().enumerate().skip(stored.len()) {
        let progress = upload.progress(place);
        match store.put(&file.path, &file.metadata, progress).await {
            Ok(done) => {
                progress.set(file.metadata.size);
                stored.push(done);
                *damaged = 0;
                tapedeck_failpoints::reached("upload.file");
            }
            Err(StoreError::Conflict(_)) => {
                // The files move to another name together.
                for moved in &files[..place] {
                    if let Err(error) = store.delete(&moved.metadata.name).await {
                        return failed(error);
                    }
                }
                stored.clear();
                return Outcome::Decided(Delivery::NameTaken);
            }
            Err(error @ StoreError::Integrity { .. }) => {
                *damaged += 1;
                if let Some(delivery) = changed(file).await {
                    return Outcome::Decided(delivery);
                }
                let blocked = *damaged >= MOST_DAMAGED;
                return Outcome::Failed { error, blocked };
            }
            Err(error) => return failed(error),
        }
    }
    let mut all = std::mem::take(stored);
    all.rotate_right(1);
    Outcome::Decided(Delivery::Stored(all))
}

/// Whether another file has the name. One of the same size may be ours, and is looked at closely when
/// its turn comes.
async fn is_taken(
    store: &dyn RecordingStore,
    metadata: &RecordingMetadata,
) -> Result<bool, StoreError> {
    match store.head(&metadata.name).await {
        Ok(object) => Ok(object.size != metadata.size),
        Err(StoreError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Why a file cannot be delivered as it is, if it cannot.
async fn unusable(file: &FileToStore) -> Option<Delivery> {
    let expected = file.metadata.size;
    let detail = match tokio::fs::metadata(&file.path).await {
        Ok(found) if found.len() == expected => return None,
        Ok(found) => format!(
            "the rendered file has {} bytes instead of {expected}",
            found.len()
        ),
        Err(error) => format!("the rendered file cannot be read: {error}"),
    };
    Some(Delivery::SourceUnusable(detail))
}

/// What arrived damaged may have been damaged here.
async fn changed(file: &FileToStore) -> Option<Delivery> {
    let digest = digest(&file.path).await;
    match (digest, &file.metadata.sha256) {
        (Ok((_, found)), Some(expected)) if found != *expected => {
            let detail = format!("the rendered file has SHA-256 {found} instead of {expected}");
            Some(Delivery::SourceUnusable(detail))
        }
        (Err(error), _) => {
            let detail = format!("the rendered file cannot be read: {error}");
            Some(Delivery::SourceUnusable(detail))
        }
        _ => None,
    }
}

async fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || file_digest(&path))
        .await
        .map_err(std::io::Error::other)?
}
