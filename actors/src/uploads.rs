//! Uploads as others see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tapedeck_storage::RecordingMetadata;

/// What delays a delivery. Kept in the manifest, so that it is told after a restart, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadTrouble {
    /// Tries that failed so far.
    pub attempts: u32,
    /// Whether it goes on only when somebody has changed something: credentials, the bucket.
    pub blocked: bool,
    /// Why the last one failed.
    pub error: String,
    /// When that was, Unix ms.
    pub failed_at_ms: i64,
    /// When it is tried again by itself, Unix ms: also by the next server.
    #[serde(default)]
    pub next_try_ms: Option<i64>,
}

/// A recording on its way into its store.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadStatus {
    /// The recording's.
    pub id: String,
    /// Name of the main file.
    pub recording: String,
    pub room_name: String,
    /// In words.
    pub store: String,
    pub state: UploadState,
    /// In the order of delivery: the main file last.
    pub files: Vec<UploadFile>,
    /// Bytes that the store has, all files together.
    pub sent_bytes: u64,
    pub total_bytes: u64,
    /// Tries that failed.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// When it is tried again by itself, Unix ms.
    pub next_try_ms: Option<i64>,
    /// Since when it is on its way, Unix ms: of this server.
    pub since_ms: i64,
}

/// A file of an upload.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadFile {
    pub name: String,
    pub sent_bytes: u64,
    pub total_bytes: u64,
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Others come first.
    Queued,
    Uploading,
    /// A try failed, the next one follows by itself.
    Waiting,
    /// Somebody has to change something. It is tried all the same, seldom.
    Blocked,
}

/// A page of uploads, the oldest first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadPage {
    pub uploads: Vec<UploadStatus>,
    /// Give it back to get the next page.
    pub next_cursor: Option<String>,
}

/// Why an upload is not tried at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryError {
    #[error("no such recording")]
    NotFound,
    #[error("{0}")]
    NotWaiting(&'static str),
    #[error("{0}")]
    Internal(String),
}

/// Finished recordings.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    pub recordings: Vec<FinishedRecording>,
    /// Stores that did not answer, so that what they have is missing, and why.
    pub unavailable: Vec<String>,
}

/// A recording that can be fetched.
#[derive(Clone, Debug)]
pub struct FinishedRecording {
    pub metadata: RecordingMetadata,
    /// Set until it is delivered: it is read from this machine meanwhile.
    pub upload: Option<PendingUpload>,
}

/// How the upload of a recording stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingUpload {
    /// Whether somebody has to change something.
    pub blocked: bool,
    /// Why the last try failed.
    pub trouble: Option<String>,
}
