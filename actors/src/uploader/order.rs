use std::path::PathBuf;

use tapedeck_storage::RecordingMetadata;

use crate::UploadTrouble;

/// A file and what its store is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct FileToStore {
    pub path: PathBuf,
    pub metadata: RecordingMetadata,
}

/// What is to be delivered: all files of one recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The recording's.
    pub id: String,
    /// Name of the main file.
    pub name: String,
    pub room_name: String,
    /// As [`Manifest::source`](crate::Manifest::source): it decides on the store.
    pub source: String,
    /// What tries before this order came to, of this server or an earlier one.
    pub trouble: Option<UploadTrouble>,
    /// In the order of delivery: the main file last.
    pub files: Vec<FileToStore>,
}

impl Order {
    /// Names the recording in log lines.
    pub fn label(&self) -> String {
        format!("{} ({})", self.id, self.room_name)
    }
}
