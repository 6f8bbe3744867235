//! What the clients' paths answer.

use schemars::JsonSchema;
use serde::Serialize;

use super::view::{FinishedView, LiveRecording, StartedRecording, StoppedRecording};

/// Something was done.
#[derive(Serialize, JsonSchema)]
pub struct Done {
    pub message: &'static str,
}

/// A recording has begun.
#[derive(Serialize, JsonSchema)]
pub struct Started {
    pub message: &'static str,
    pub recording: StartedRecording,
}

/// A recording was paused, or goes on.
#[derive(Serialize, JsonSchema)]
pub struct Changed {
    pub message: &'static str,
    pub recording: LiveRecording,
}

/// A recording has ended.
#[derive(Serialize, JsonSchema)]
pub struct Stopped {
    pub message: &'static str,
    pub recording: StoppedRecording,
}

/// Finished recordings, the newest first.
#[derive(Serialize, JsonSchema)]
pub struct Listed {
    pub recordings: Vec<FinishedView>,
    /// Stores that did not answer, so that what they have is missing, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<String>,
}

/// A token for a room.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub struct TokenAnswer {
    /// A JWT, as LiveKit's clients and WHIP clients take it.
    pub token: String,
}

/// Where a recording can be fetched.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Address")]
pub struct AddressAnswer {
    /// An address at the store, or a path at this server.
    pub recording_url: String,
}
