//! Recordings as the clients' paths show them. Times are Unix ms, durations s, sizes bytes.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tapedeck_actors::{FinishedRecording, Manifest, RecordingState};
use tapedeck_pipelines::control;
use tapedeck_storage::{Gap, Pause, RecordingMetadata};

/// A recording that has begun.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedRecording {
    /// `EG_` and 12 characters.
    pub id: String,
    /// The name under which its file will be fetched.
    pub name: String,
    pub room_name: String,
    pub room_id: String,
    /// When recording time began, Unix ms.
    pub started_at: Option<i64>,
}

/// A recording that runs or is paused.
#[derive(Serialize, JsonSchema)]
pub struct LiveRecording {
    #[serde(flatten)]
    started: StartedRecording,
    status: &'static str,
    pauses: Vec<Pause>,
}

/// A recording that was told to stop. While its file is in the making, `status` is `ending` and
/// `size` is null.
#[derive(Serialize, JsonSchema)]
pub struct StoppedRecording {
    #[serde(flatten)]
    started: StartedRecording,
    /// Seconds.
    duration: Option<f64>,
    /// Bytes.
    size: Option<u64>,
    /// `complete`, `limit_reached`, `ending`, `aborted` or `failed`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What the client gave at start.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    /// What it waits for, if it is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// What a recording that was stopped waits for.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// How far its render is behind, s.
    render_lag: Option<f64>,
    /// Whether its file is on its way into the store.
    upload: bool,
    /// What delays it.
    trouble: Option<String>,
}

/// A recording that can be fetched.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FinishedRecording")]
pub struct FinishedView {
    id: String,
    name: String,
    room_name: String,
    room_id: String,
    /// Unix ms.
    started_at: i64,
    /// Seconds.
    duration: f64,
    /// Bytes.
    size: u64,
    /// `complete`, `limit_reached`, `failed`, or `uploading` until it is in its store.
    status: &'static str,
    gaps: Vec<Gap>,
    pauses: Vec<Pause>,
    /// Names of further files, such as one for each speaker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
    /// What the client gave at start.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<UploadView>,
}

/// How a delivery stands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PendingUpload")]
struct UploadView {
    /// `uploading` or `blocked`.
    state: &'static str,
    /// Why the last try failed.
    trouble: Option<String>,
}

impl From<&Manifest> for StartedRecording {
    fn from(manifest: &Manifest) -> Self {
        Self {
            id: manifest.id.clone(),
            name: manifest.name.clone(),
            room_name: manifest.room_name.clone(),
            room_id: manifest.room_id.clone(),
            started_at: manifest.started_at,
        }
    }
}

impl From<&Manifest> for LiveRecording {
    fn from(manifest: &Manifest) -> Self {
        Self {
            started: manifest.into(),
            status: status(manifest.state),
            pauses: manifest.pauses.iter().map(pause).collect(),
        }
    }
}

fn pause(pause: &control::Pause) -> Pause {
    Pause {
        at: seconds(pause.at_ms),
        from: pause.from,
        to: pause.to,
    }
}

impl Pending {
    /// `lag_ms` is how far the render is behind.
    pub fn of(manifest: &Manifest, lag_ms: Option<u64>) -> Self {
        let is_rendered = manifest.file.is_some();
        Self {
            render_lag: lag_ms.filter(|_| !is_rendered).map(seconds),
            upload: is_rendered,
            trouble: manifest.error.clone(),
        }
    }
}

impl From<&Manifest> for StoppedRecording {
    fn from(manifest: &Manifest) -> Self {
        Self {
            started: manifest.into(),
            duration: manifest.duration_ms().map(seconds),
            size: manifest.file.as_ref().map(|file| file.size_bytes),
            status: status(manifest.state),
            error: manifest.error.clone(),
            metadata: manifest.metadata.clone(),
            pending: None,
        }
    }
}

impl From<&FinishedRecording> for FinishedView {
    /// One that is not delivered yet says how its upload stands.
    fn from(recording: &FinishedRecording) -> Self {
        let mut view = delivered(&recording.metadata);
        if let Some(upload) = &recording.upload {
            view.status = "uploading";
            view.upload = Some(UploadView {
                state: if upload.blocked {
                    "blocked"
                } else {
                    "uploading"
                },
                trouble: upload.trouble.clone(),
            });
        }
        view
    }
}

fn delivered(recording: &RecordingMetadata) -> FinishedView {
    let state = match recording.end_reason.as_deref() {
        Some("max_duration") => RecordingState::LimitReached,
        Some("capture_lost") => RecordingState::Failed,
        _ => RecordingState::Complete,
    };
    FinishedView {
        id: recording.id.clone(),
        name: recording.name.clone(),
        room_name: recording.room_name.clone(),
        room_id: recording.room_id.clone(),
        started_at: recording.started_at,
        duration: recording.duration,
        size: recording.size,
        status: status(state),
        gaps: recording.gaps.clone(),
        pauses: recording.pauses.clone(),
        files: recording.files.clone(),
        metadata: recording.metadata.clone(),
        upload: None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "no recording is 2^53 ms long")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}

/// The state in a client's words: what follows the end of capture is `ending` to it.
fn status(state: RecordingState) -> &'static str {
    match state {
        RecordingState::Starting => "starting",
        RecordingState::Active | RecordingState::Interrupted => "active",
        RecordingState::Paused => "paused",
        RecordingState::Ending | RecordingState::Uploading => "ending",
        RecordingState::Complete => "complete",
        RecordingState::LimitReached => "limit_reached",
        RecordingState::Aborted => "aborted",
        RecordingState::Failed => "failed",
    }
}
