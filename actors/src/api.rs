//! What the HTTP surfaces ask of the actors. They hold a [`Recorder`](crate::Recorder) and translate, nothing else.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_pipelines::control::{CaptureSnapshot, RenderSnapshot};
use tapedeck_pipelines::job::{CaptureLimits, GapStyle, OutputSettings, RoomsSettings};

use crate::{
    DiskSpace, Manifest, RecordingState, RetentionSettings, RoomError, SourceKind, WebhookSettings,
};

/// What the actors need to know.
#[derive(Clone, Debug)]
pub struct RecorderSettings {
    /// The data folder, absolute: `work/`, `run/`, `index/` (sled) live in it.
    pub data_dir: PathBuf,
    /// The executable whose `capture`, `render` and `rooms` subcommands are the children.
    pub executable: PathBuf,
    /// What a recording looks like unless its request says otherwise.
    pub output: OutputSettings,
    pub limits: CaptureLimits,
    /// The rooms process, which is started when the first publisher comes.
    pub rooms: RoomsSettings,
    /// How far a render stays behind, ms.
    pub render_lag_ms: u64,
    /// What a file shows where nothing was captured.
    pub gaps: GapStyle,
    /// The store's folder, absolute, if one is or was on this machine: what lies there without a
    /// manifest is told.
    pub store_dir: Option<PathBuf>,
    pub uploads: UploadSettings,
    /// How long what is delivered stays in the data folder, too.
    pub retention: RetentionSettings,
    /// Who is told what becomes of recordings.
    pub webhooks: WebhookSettings,
    /// Where this server listens: told to others that want the same data folder.
    pub address: String,
    /// With less free space on the disk of the data folder no recording is begun, bytes.
    pub min_free_bytes: u64,
    /// Recordings that may be live or rendering at once; 0 for as many as the machine can take.
    pub max_recordings: usize,
    /// Percent of the machine's cores that running recordings may need for another one to begin; 0
    /// if that does not matter.
    pub max_cpu_percent: u32,
    /// How long a start may take.
    pub start_timeout: Duration,
    /// The pause before a capture that ended twice in a row is started again; it doubles from
    /// there.
    pub capture_restart_pause: Duration,
    /// How long a stop waits for the file.
    pub stop_timeout: Duration,
    /// Time between two fdatasync calls of the log.
    pub sync_interval: Duration,
}

/// How finished recordings are brought into their stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadSettings {
    /// Uploads at the same time.
    pub at_once: usize,
    /// The pause after the first try that failed; it doubles from there.
    pub first_pause: Duration,
    /// The longest pause between two tries, also of a blocked upload.
    pub longest_pause: Duration,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self {
            at_once: 2,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// A request for a recording.
#[derive(Clone, Debug)]
pub struct StartRequest {
    pub room_name: String,
    /// Where the room lives.
    pub source: SourceKind,
    /// Complete settings, already checked against their bounds.
    pub output: OutputSettings,
    /// Overrides the configured limit; already checked.
    pub max_duration_ms: Option<u64>,
    pub metadata: Option<serde_json::Value>,
    /// A repeated key answers with the recording that it made.
    pub idempotency_key: Option<String>,
}

/// Why a recording was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    #[error("room {room_name} is being recorded already as {id}")]
    AlreadyRecording { room_name: String, id: String },
    #[error("the idempotency key was used for another request")]
    IdempotencyConflict,
    #[error(transparent)]
    Room(#[from] RoomError),
    #[error("{0}")]
    Capacity(String),
    #[error("{0}")]
    DiskFull(DiskSpace),
    #[error("the recording was stopped before it began")]
    Stopped,
    #[error("capture was not in the room within {0} s")]
    Timeout(u64),
    #[error("{0}")]
    Internal(String),
}

/// Which recording is meant.
#[derive(Clone, Copy, Debug)]
pub enum Selected<'a> {
    /// That of a room which has not ended. Where rooms of that name live in several places, the
    /// newest, unless `source` says which.
    Room {
        name: &'a str,
        source: Option<SourceKind>,
    },
    /// The recording with this id.
    Id(&'a str),
}

/// Why a recording was not stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    #[error("no recording of this room is live")]
    NotRecording,
    #[error("{0}")]
    Internal(String),
}

/// Why a recording was not paused, or does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PauseError {
    #[error("no recording of this room is live")]
    NotRecording,
    /// It is done as soon as capture can.
    #[error("capture has not done it yet and does so as soon as it can: ask again")]
    Pending,
    /// Another request came in between.
    #[error("another request to pause or to go on came in between")]
    Overtaken,
    /// The capture process is of a version that does not know pauses, or cannot pause now.
    #[error("capture refused: {0}")]
    Refused(String),
    #[error("{0}")]
    Internal(String),
}

/// Why a recording was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    #[error("no such recording")]
    NotFound,
    /// It is a further file of a recording, whose main file is this.
    #[error("it belongs to the recording {0}: delete that one")]
    PartOf(String),
    /// Nothing was removed.
    #[error("the store cannot be asked: {0}")]
    StoreAway(String),
    #[error("the recording is live: stop it first")]
    Live,
    #[error("{0}")]
    Internal(String),
}

/// Which recordings to list; conditions are exact and all must hold.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    pub room_name: Option<String>,
    pub room_id: Option<String>,
    pub state: Option<RecordingState>,
}

/// A page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    pub recordings: Vec<Manifest>,
    /// Give it back to get the next page.
    pub next_cursor: Option<String>,
}

/// A recording that is live or being rendered, with what its processes last said.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSession {
    #[serde(flatten)]
    pub manifest: Manifest,
    pub capture: Option<CaptureSnapshot>,
    pub render: Option<RenderSnapshot>,
    pub processes: Vec<ProcessUsage>,
}

impl LiveSession {
    /// How far the render is behind what was captured, ms; none without a render that has told, and
    /// once its output is there. A render that gets no CPU says nothing new, so capture counts.
    pub fn lag_ms(&self) -> Option<u64> {
        let render = self.render.as_ref()?;
        if self.manifest.file.is_some() {
            return None;
        }
        let captured_ms = self.capture.as_ref().map_or(0, |it| it.duration_ms);
        let behind_ms = captured_ms.saturating_sub(render.recording_time_ms());
        Some(behind_ms.max(render.lag_ms))
    }
}

/// What a child process uses.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessUsage {
    /// `capture`, `render` or `rooms`.
    pub role: &'static str,
    pub pid: u32,
    /// User and system time since its start, s.
    pub cpu_seconds: f64,
    /// Cores used since the last look.
    pub cpu_cores: f64,
    /// Resident set, bytes.
    pub memory_bytes: u64,
    pub threads: u32,
}
