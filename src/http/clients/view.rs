//! Recordings as the clients' paths show them. Times are Unix ms, durations s, sizes bytes.

use serde_json::{Value, json};
use tapedeck_actors::{FinishedRecording, Manifest, RecordingState};
use tapedeck_pipelines::control::Pause;
use tapedeck_storage::RecordingMetadata;

/// A recording that has begun.
pub fn started(manifest: &Manifest) -> Value {
    json!({
        "id": manifest.id,
        "name": manifest.name,
        "roomName": manifest.room_name,
        "roomId": manifest.room_id,
        "startedAt": manifest.started_at,
    })
}

/// A recording that runs or is paused.
pub fn live(manifest: &Manifest) -> Value {
    let mut view = started(manifest);
    view["status"] = json!(status(manifest.state));
    let pauses: Vec<_> = manifest.pauses.iter().map(pause).collect();
    view["pauses"] = json!(pauses);
    view
}

fn pause(pause: &Pause) -> Value {
    json!({ "at": seconds(pause.at_ms), "from": pause.from, "to": pause.to })
}

/// What a recording that was stopped waits for: how far its render is behind, and whether its file
/// is on its way into the store, with the trouble that this makes.
pub fn pending(manifest: &Manifest, lag_ms: Option<u64>) -> Value {
    let is_rendered = manifest.file.is_some();
    let lag = lag_ms.filter(|_| !is_rendered).map(seconds);
    json!({ "renderLag": lag, "upload": is_rendered, "trouble": manifest.error })
}

/// A recording that was told to stop. While its file is in the making, `status` is `ending` and
/// `size` is null.
pub fn stopped(manifest: &Manifest) -> Value {
    let mut view = started(manifest);
    view["duration"] = json!(duration_seconds(manifest));
    view["size"] = json!(manifest.file.as_ref().map(|file| file.size_bytes));
    view["status"] = json!(status(manifest.state));
    if let Some(error) = &manifest.error {
        view["error"] = json!(error);
    }
    if let Some(metadata) = &manifest.metadata {
        view["metadata"] = metadata.clone();
    }
    view
}

/// A recording that can be fetched. One that is not delivered yet says how its upload stands.
pub fn finished(recording: &FinishedRecording) -> Value {
    let mut view = delivered(&recording.metadata);
    if let Some(upload) = &recording.upload {
        view["status"] = json!("uploading");
        view["upload"] = json!({
            "state": if upload.blocked { "blocked" } else { "uploading" },
            "trouble": upload.trouble,
        });
    }
    view
}

fn delivered(recording: &RecordingMetadata) -> Value {
    let state = match recording.end_reason.as_deref() {
        Some("max_duration") => RecordingState::LimitReached,
        Some("capture_lost") => RecordingState::Failed,
        _ => RecordingState::Complete,
    };
    let mut view = json!({
        "id": recording.id,
        "name": recording.name,
        "roomName": recording.room_name,
        "roomId": recording.room_id,
        "startedAt": recording.started_at,
        "duration": recording.duration,
        "size": recording.size,
        "status": status(state),
        "gaps": recording.gaps,
        "pauses": recording.pauses,
    });
    if !recording.files.is_empty() {
        view["files"] = json!(recording.files);
    }
    if let Some(metadata) = &recording.metadata {
        view["metadata"] = metadata.clone();
    }
    view
}

/// Length of the file if there is one, else of the recording so far as it is known.
pub fn duration_seconds(manifest: &Manifest) -> Option<f64> {
    let milliseconds = match (&manifest.file, manifest.started_at, manifest.ended_at) {
        (Some(file), _, _) => file.duration_ms,
        (None, Some(started), Some(ended)) => u64::try_from(ended - started).ok()?,
        _ => return None,
    };
    Some(seconds(milliseconds))
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
