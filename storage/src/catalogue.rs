//! The metadata of all recordings, read once and again only when its file has changed: a list of
//! thousands of recordings is two looks into folders.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::RecordingMetadata;

/// Metadata by path, with the validator of the file that it was read from; none where that holds
/// none.
#[derive(Debug, Default)]
pub struct Catalogue(Mutex<HashMap<String, (String, Option<RecordingMetadata>)>>);

impl Catalogue {
    /// What was found in the file at `path` as long as it had this validator.
    pub fn known(&self, path: &str, etag: &str) -> Option<Option<RecordingMetadata>> {
        self.entries()
            .get(path)
            .filter(|(known, _)| known == etag)
            .map(|(_, metadata)| metadata.clone())
    }

    /// Remembers what a file holds, which is told of once if it is no metadata.
    pub fn read(&self, path: &str, etag: &str, content: &[u8]) -> Option<RecordingMetadata> {
        let metadata = serde_json::from_slice::<RecordingMetadata>(content)
            .inspect_err(|error| log::warn!("{path} holds no metadata: {error}"))
            .ok();
        self.learn(path, etag, metadata.clone());
        metadata
    }

    /// Remembers what is known of a file.
    pub fn learn(&self, path: &str, etag: &str, metadata: Option<RecordingMetadata>) {
        self.entries()
            .insert(path.to_owned(), (etag.to_owned(), metadata));
    }

    /// Forgets what is not at one of the paths that `is_there` knows.
    pub fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.entries().retain(|path, _| is_there(path));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, (String, Option<RecordingMetadata>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_metadata_is_read_once() {
        let catalogue = Catalogue::default();
        assert_eq!(catalogue.known("a", "1"), None);
        assert_eq!(catalogue.read("a", "1", b"{\"id\": 7"), None);
        assert_eq!(catalogue.known("a", "1"), Some(None));
        assert_eq!(catalogue.known("a", "2"), None, "it changed");
    }
}
