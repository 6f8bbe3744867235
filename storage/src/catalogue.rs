//! The metadata of all recordings, read once and again only when its file has changed: a list of
//! thousands of recordings is two looks into folders.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::RecordingMetadata;

/// Metadata by path, with the validator of the file that it was read from.
#[derive(Debug, Default)]
pub struct Catalogue(Mutex<HashMap<String, (String, RecordingMetadata)>>);

impl Catalogue {
    /// What was read from the file at `path` as long as it had this validator.
    pub fn known(&self, path: &str, etag: &str) -> Option<RecordingMetadata> {
        self.entries()
            .get(path)
            .filter(|(known, _)| known == etag)
            .map(|(_, metadata)| metadata.clone())
    }

    /// Remembers what was read.
    pub fn learn(&self, path: String, etag: String, metadata: RecordingMetadata) {
        self.entries().insert(path, (etag, metadata));
    }

    /// Forgets what is not at one of the paths that `is_there` knows.
    pub fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.entries().retain(|path, _| is_there(path));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, (String, RecordingMetadata)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
