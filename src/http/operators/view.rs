//! Recordings as operators see them. What concerns only the server (sockets, paths, keys) is left
//! out.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tapedeck_actors::{
    LiveSession, Manifest, ProcessUsage, RecordingState, Restarts, UploadTrouble,
};
use tapedeck_pipelines::control::{CaptureSnapshot, EndReason, Gap, RenderSnapshot, Warning};
use tapedeck_pipelines::job::OutputSettings;

use super::case::Camel;

/// A recording in any state. Times are Unix ms, lengths ms.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Recording")]
pub struct RecordingView {
    /// `EG_` and 12 characters.
    pub id: String,
    /// File name of the output, with its extension.
    pub name: String,
    /// Where the room lives: `livekit`, `whip` or `agora`.
    pub source: String,
    pub room_name: String,
    pub room_id: String,
    pub state: RecordingState,
    /// The state in LiveKit's words.
    pub status: &'static str,
    pub end_reason: Option<EndReason>,
    /// Why it failed, or what an operator should know.
    pub error: Option<String>,
    pub warnings: Vec<Warning>,
    /// Where not everything was captured, in recording time.
    pub gaps: Camel<Vec<Gap>>,
    pub pauses: Vec<PauseView>,
    /// Processes that were started again.
    pub restarts: Restarts,
    /// When it was asked for.
    pub created_at_ms: i64,
    /// When recording time began.
    pub started_at_ms: Option<i64>,
    /// When the log was sealed.
    pub ended_at_ms: Option<i64>,
    /// When the file was delivered.
    pub completed_at_ms: Option<i64>,
    /// Of the file if there is one, else of the recording as far as it is known.
    pub duration_ms: Option<i64>,
    pub max_duration_ms: u64,
    pub size_bytes: Option<u64>,
    /// Of the main file, lower-case hexadecimal.
    pub sha256: Option<String>,
    /// All files under the names of the store, the main one last.
    pub files: Vec<FileView>,
    /// What delays its delivery; null unless a try failed.
    pub upload: Option<UploadTrouble>,
    /// What the client gave at start.
    pub metadata: Option<Value>,
    pub output: Camel<OutputSettings>,
}

/// A file of a recording, and where it is in the store.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RecordingFile")]
pub struct FileView {
    pub name: String,
    pub size_bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// In the store, once it is there.
    pub path: Option<String>,
    /// At the store, if it gives addresses.
    pub url: Option<String>,
}

/// A stretch of time that was left out on request.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RecordingPause")]
pub struct PauseView {
    /// Recording time, which stands still meanwhile, ms.
    pub at_ms: u64,
    /// Unix ms.
    pub from_ms: i64,
    /// Unix ms; null while it is paused, or when it ended so.
    pub to_ms: Option<i64>,
}

/// A recording with what is known while it is not finished.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OneRecording")]
pub struct OneRecording {
    #[serde(flatten)]
    pub recording: RecordingView,
    /// How far its render is behind, ms; only of a recording that has not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render_lag_ms: Option<Option<u64>>,
}

/// A live session, or one that is being rendered or delivered.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Session")]
pub struct SessionView {
    #[serde(flatten)]
    pub recording: RecordingView,
    /// What the capture process last said; its gaps are those of the session.
    pub capture: Option<Camel<CaptureSnapshot>>,
    /// What the render process last said.
    pub render: Option<Camel<RenderSnapshot>>,
    pub processes: Vec<ProcessUsage>,
}

impl From<&Manifest> for RecordingView {
    fn from(manifest: &Manifest) -> Self {
        let file = manifest.file.as_ref();
        Self {
            id: manifest.id.clone(),
            name: manifest.name.clone(),
            source: manifest.source.clone(),
            room_name: manifest.room_name.clone(),
            room_id: manifest.room_id.clone(),
            state: manifest.state,
            status: livekit_status(manifest.state),
            end_reason: manifest.end_reason,
            error: manifest.error.clone(),
            warnings: manifest.warnings.clone(),
            gaps: Camel::of(&manifest.gaps),
            pauses: pauses(manifest),
            restarts: manifest.restarts.clone(),
            created_at_ms: manifest.created_at,
            started_at_ms: manifest.started_at,
            ended_at_ms: manifest.ended_at,
            completed_at_ms: manifest.completed_at,
            duration_ms: manifest
                .duration_ms()
                .and_then(|duration_ms| i64::try_from(duration_ms).ok()),
            max_duration_ms: manifest.max_duration_ms,
            size_bytes: file.map(|file| file.size_bytes),
            sha256: file.map(|file| file.sha256.clone()),
            files: files(manifest),
            upload: manifest.upload.clone(),
            metadata: manifest.metadata.clone(),
            output: Camel::of(&manifest.output),
        }
    }
}

impl From<&LiveSession> for SessionView {
    fn from(session: &LiveSession) -> Self {
        let mut recording = RecordingView::from(&session.manifest);
        let capture = session.capture.as_ref();
        if let Some(capture) = capture {
            let duration = i64::try_from(capture.duration_ms).ok();
            recording.duration_ms = recording.duration_ms.or(duration);
            if !capture.gaps.is_empty() {
                // Newer than those of the manifest.
                recording.gaps = Camel::of(&capture.gaps);
            }
        }
        Self {
            recording,
            capture: capture.map(|capture| Camel::of(capture).without("gaps").without("pauses")),
            render: session.render.as_ref().map(|render| {
                let mut render = render.clone();
                render.lag_ms = session.lag_ms().unwrap_or(render.lag_ms);
                // Where files lie on this machine is nobody's business.
                Camel::of(&render).without("path")
            }),
            processes: session.processes.clone(),
        }
    }
}

fn files(manifest: &Manifest) -> Vec<FileView> {
    // What the store said begins with the main file.
    let mut stored: Vec<_> = manifest.stored.iter().collect();
    if !stored.is_empty() {
        stored.rotate_left(1);
    }
    let mut stored = stored.into_iter();
    let files = manifest.files().map(|(name, file)| {
        let stored = stored.next();
        FileView {
            name,
            size_bytes: file.size_bytes,
            sha256: file.sha256.clone(),
            path: stored.map(|stored| stored.path.clone()),
            url: stored.and_then(|stored| stored.url.clone()),
        }
    });
    files.collect()
}

fn pauses(manifest: &Manifest) -> Vec<PauseView> {
    let shown = manifest.pauses.iter().map(|pause| PauseView {
        at_ms: pause.at_ms,
        from_ms: pause.from,
        to_ms: pause.to,
    });
    shown.collect()
}

fn livekit_status(state: RecordingState) -> &'static str {
    match state {
        RecordingState::Starting => "EGRESS_STARTING",
        RecordingState::Active | RecordingState::Paused | RecordingState::Interrupted => {
            "EGRESS_ACTIVE"
        }
        RecordingState::Ending | RecordingState::Uploading => "EGRESS_ENDING",
        RecordingState::Complete => "EGRESS_COMPLETE",
        RecordingState::LimitReached => "EGRESS_LIMIT_REACHED",
        RecordingState::Aborted => "EGRESS_ABORTED",
        RecordingState::Failed => "EGRESS_FAILED",
    }
}
