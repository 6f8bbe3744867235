//! Where finished recordings are kept: one trait over all stores.

mod catalogue;
mod disk;
pub mod durable;
mod firebase;
mod hash;
mod layout;
mod names;
mod numbers;
mod remote;
mod set;
mod work;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use disk::DiskStore;
pub use disk::read::read_file;
pub use firebase::{
    AccountError, FirebaseEmulator, FirebaseSettings, FirebaseStore, FirebaseUrls, channel_name,
    channel_parts, open_firebase, utc_text,
};
pub use hash::of_file as file_digest;
pub use layout::content_type;
pub use names::{FileNameParts, parse_file_name};
pub use remote::{Azure, AzureSettings, RemoteStore, S3, S3Settings, open_azure, open_s3};
pub use set::{Listing, Store, Stores};

/// What is known of a stored recording besides its bytes: the JSON beside the file. The fields
/// are those that OpenVidu's recording applications write, which divide what they are told: their
/// numbers may have a fraction, or be none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingMetadata {
    /// `EG_` and 12 characters.
    #[serde(default)]
    pub id: String,
    /// File name, with its extension.
    pub name: String,
    pub room_name: String,
    pub room_id: String,
    /// Unix ms.
    #[serde(deserialize_with = "numbers::rounded")]
    pub started_at: i64,
    /// Seconds.
    #[serde(default, deserialize_with = "numbers::if_any")]
    pub duration: f64,
    /// Bytes.
    #[serde(default, deserialize_with = "numbers::bytes")]
    pub size: u64,
    /// SHA-256 of the file, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What the client gave at start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
    /// Why the recording ended, in words of the control protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// Where not everything was captured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Where it stood still on request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// Names of the recording's further files, such as one for each speaker. They are stored before
    /// this one, each with metadata of its own that names this one in `part_of`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Of a further file: the name of the recording's main file, with which it is listed and goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
}

/// A stretch of a recording in which not everything was captured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FileGap")]
pub struct Gap {
    /// Recording time, s.
    pub from: f64,
    /// Recording time, s.
    pub to: f64,
    /// In words of the control protocol.
    pub reason: String,
}

/// A stretch of time that was left out on request. Recording time stands still meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FilePause")]
pub struct Pause {
    /// Recording time, s.
    pub at: f64,
    /// Unix ms.
    pub from: i64,
    /// Unix ms; none when the recording ended in the pause.
    pub to: Option<i64>,
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Bytes.
    pub size: u64,
    /// A strong validator, without quotes.
    pub etag: String,
    /// Unix ms.
    pub modified_at: i64,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0} is not in the store")]
    NotFound(String),
    #[error("{0} is in the store with other content")]
    Conflict(String),
    #[error("{name} arrived damaged: {detail}")]
    Integrity { name: String, detail: String },
    /// It will not be taken before somebody has changed something: credentials, or the bucket.
    #[error("the store does not let us {action} {name}: {detail}")]
    Refused {
        action: &'static str,
        name: String,
        detail: String,
    },
    #[error("the store cannot {action} {name}: {detail}")]
    Failed {
        action: &'static str,
        name: String,
        detail: String,
    },
}

/// How much of a file a store has, for whoever wants to know it meanwhile.
#[derive(Debug, Default)]
pub struct UploadProgress {
    stored: AtomicU64,
}

impl UploadProgress {
    /// The store has so many bytes of the file.
    pub fn set(&self, bytes: u64) {
        self.stored.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of the file that the store has.
    pub fn bytes(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }
}

/// A file that a store has taken and that was verified there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Where it is in the store, such as `recordings/x.mp4`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Where whoever may read it finds it; none where the store has no addresses that last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The id of the document that describes it; none where descriptions are objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// What trying a store showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How long it took to write, read and delete a small object.
    pub took: Duration,
    /// How far the store's clock is ahead of ours, ms, where it tells its time.
    pub clock_ahead_ms: Option<i64>,
}

/// A place for finished recordings. Names are file names without a path.
#[async_trait]
pub trait RecordingStore: Send + Sync {
    /// Where that is, in words for operators, without a secret.
    fn place(&self) -> &str;

    /// Whether what it has lies on this machine.
    fn is_on_this_machine(&self) -> bool {
        false
    }

    /// Stores the file at `path` as `name` with its metadata, and verifies size and SHA-256 at the
    /// target before it returns. Repeating it with the same content succeeds; an object with other
    /// content is never overwritten. `path` is left in place. What an earlier try sent, also one of
    /// a process that died, is not sent again where the store allows it.
    async fn put(
        &self,
        path: &Path,
        metadata: &RecordingMetadata,
        progress: &UploadProgress,
    ) -> Result<Stored, StoreError>;

    /// Gives up what tries to store the file at `path` left here and at the store, so that neither
    /// keeps pieces. Nothing to give up is success.
    async fn give_up(&self, path: &Path, name: &str) -> Result<(), StoreError>;

    /// All recordings with metadata, in no order, and files without metadata as far as their name
    /// tells.
    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError>;

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError>;

    /// The bytes of `range`, which must lie within the object.
    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError>;

    /// An address at which anybody who has it can fetch the object for so long; none where the store
    /// cannot give one.
    async fn url(&self, name: &str, valid: Duration) -> Result<Option<String>, StoreError>;

    /// Removes file and metadata; gone already is success.
    async fn delete(&self, name: &str) -> Result<(), StoreError>;

    /// Writes, reads and deletes a small object where recordings go.
    async fn probe(&self) -> Result<Probe, StoreError>;
}
