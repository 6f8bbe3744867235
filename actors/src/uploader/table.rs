//! The uploads that are under way. It outlives the actor when that is made anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tapedeck_storage::UploadProgress;
use tokio::sync::{mpsc, oneshot};

use super::Order;
use crate::clock::now_ms;
use crate::{UploadFile, UploadPage, UploadState, UploadStatus};

/// What can be asked of an upload under way.
pub enum Request {
    /// Try at once.
    Retry,
    /// Give up, and leave nothing of it in the store; the answer tells whether that was done.
    Cancel(oneshot::Sender<Result<(), String>>),
}

/// An upload under way.
pub struct Upload {
    order: Order,
    /// In words.
    store: String,
    progress: Vec<UploadProgress>,
    since_ms: i64,
    standing: Mutex<Standing>,
    requests: mpsc::UnboundedSender<Request>,
}

/// Where an upload stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub state: UploadState,
    pub attempts: u32,
    pub last_error: Option<String>,
    pub next_try_ms: Option<i64>,
}

/// Uploads by recording id.
#[derive(Default)]
pub struct UploadTable {
    entries: Mutex<HashMap<String, Arc<Upload>>>,
}

/// Keeps an upload in the table for as long as it lives.
pub struct Entry {
    table: Arc<UploadTable>,
    pub upload: Arc<Upload>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut entries = self.table.entries();
        let id = &self.upload.order.id;
        // Another delivery may have taken its place.
        if entries
            .get(id)
            .is_some_and(|known| Arc::ptr_eq(known, &self.upload))
        {
            entries.remove(id);
        }
    }
}

impl UploadTable {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Arc<Upload>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an upload to `store`, and what will be asked of it.
    pub fn add(
        self: &Arc<Self>,
        order: Order,
        store: &str,
    ) -> (Entry, mpsc::UnboundedReceiver<Request>) {
        let (requests, asked) = mpsc::unbounded_channel();
        let upload = Arc::new(Upload {
            progress: order.files.iter().map(|_| Default::default()).collect(),
            store: store.to_owned(),
            since_ms: now_ms(),
            standing: Mutex::new(Standing {
                state: UploadState::Queued,
                attempts: order.trouble.as_ref().map_or(0, |known| known.attempts),
                last_error: order.trouble.as_ref().map(|known| known.error.clone()),
                next_try_ms: None,
            }),
            order,
            requests,
        });
        self.entries()
            .insert(upload.order.id.clone(), upload.clone());
        let table = self.clone();
        (Entry { table, upload }, asked)
    }

    /// The upload of a recording.
    pub fn get(&self, id: &str) -> Option<Arc<Upload>> {
        self.entries().get(id).cloned()
    }

    /// What waits for this store is tried at once: it answers again.
    pub fn wake(&self, store: &str) {
        for upload in self.entries().values() {
            if upload.store == store && upload.waits() {
                upload.ask(Request::Retry);
            }
        }
    }

    /// Up to `limit` uploads behind `cursor`, the oldest first. A cursor that was not given out
    /// begins at the front.
    pub fn page(&self, cursor: Option<&str>, limit: usize) -> UploadPage {
        let mut all: Vec<Arc<Upload>> = self.entries().values().cloned().collect();
        all.sort_by_key(|upload| upload.place_in_list());
        let behind = cursor.and_then(|cursor| {
            let (since, id) = cursor.split_once('-')?;
            Some((since.parse::<i64>().ok()?, id.to_owned()))
        });
        let mut rest = all
            .iter()
            .filter(|upload| {
                behind
                    .as_ref()
                    .is_none_or(|at| upload.place_in_list() > *at)
            })
            .peekable();
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let next_cursor = rest
            .peek()
            .and(page.last())
            .map(|last| format!("{}-{}", last.since_ms, last.order.id));
        UploadPage {
            uploads: page.iter().map(|upload| upload.status()).collect(),
            next_cursor,
        }
    }
}

impl Upload {
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The progress of the file of that place in the order.
    pub fn progress(&self, file: usize) -> &UploadProgress {
        &self.progress[file]
    }

    pub fn store(&self) -> &str {
        &self.store
    }

    /// Asks something of it; `false` when it is over.
    pub fn ask(&self, request: Request) -> bool {
        self.requests.send(request).is_ok()
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// Changes where it stands.
    pub fn stands(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.lock());
    }

    /// Whether it does nothing until the next try.
    pub fn waits(&self) -> bool {
        matches!(
            self.lock().state,
            UploadState::Waiting | UploadState::Blocked
        )
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place_in_list(&self) -> (i64, String) {
        (self.since_ms, self.order.id.clone())
    }

    fn status(&self) -> UploadStatus {
        let files: Vec<UploadFile> = self
            .order
            .files
            .iter()
            .zip(&self.progress)
            .map(|(file, progress)| UploadFile {
                name: file.metadata.name.clone(),
                sent_bytes: progress.bytes(),
                total_bytes: file.metadata.size,
            })
            .collect();
        let standing = self.standing();
        UploadStatus {
            id: self.order.id.clone(),
            recording: self.order.name.clone(),
            room_name: self.order.room_name.clone(),
            store: self.store.clone(),
            state: standing.state,
            sent_bytes: files.iter().map(|file| file.sent_bytes).sum(),
            total_bytes: files.iter().map(|file| file.total_bytes).sum(),
            files,
            attempts: standing.attempts,
            last_error: standing.last_error,
            next_try_ms: standing.next_try_ms,
            since_ms: self.since_ms,
        }
    }
}
