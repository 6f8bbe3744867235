use serde_json::{Value, json};
use tapedeck_actors::{Manifest, RecordingState};
use tapedeck_pipelines::control::{Gap, Pause};

use super::case::camel_case;

/// A recording in any state. What concerns only the server (sockets, paths, keys) is left out.
pub fn recording(manifest: &Manifest) -> Value {
    let file = manifest.file.as_ref();
    let output = &manifest.output;
    let length = match (file, manifest.started_at, manifest.ended_at) {
        (Some(file), _, _) => i64::try_from(file.duration_ms).ok(),
        (None, Some(started), Some(ended)) => Some(ended - started),
        _ => None,
    };
    json!({
        "id": manifest.id,
        "name": manifest.name,
        "source": manifest.source,
        "roomName": manifest.room_name,
        "roomId": manifest.room_id,
        "state": manifest.state,
        "status": livekit_status(manifest.state),
        "endReason": manifest.end_reason,
        "error": manifest.error,
        "warnings": manifest.warnings,
        "gaps": gaps(&manifest.gaps),
        "pauses": pauses(&manifest.pauses),
        "restarts": camel_case(&manifest.restarts),
        "createdAtMs": manifest.created_at,
        "startedAtMs": manifest.started_at,
        "endedAtMs": manifest.ended_at,
        "completedAtMs": manifest.completed_at,
        "durationMs": length,
        "maxDurationMs": manifest.max_duration_ms,
        "sizeBytes": file.map(|file| file.size_bytes),
        "sha256": file.map(|file| &file.sha256),
        "files": files(manifest),
        "upload": manifest.upload,
        "metadata": manifest.metadata,
        "output": camel_case(output),
    })
}

/// All files of a recording under the names of the store, the main one last, and where they are there.
fn files(manifest: &Manifest) -> Vec<Value> {
    // What the store said begins with the main file.
    let mut stored: Vec<_> = manifest.stored.iter().collect();
    if !stored.is_empty() {
        stored.rotate_left(1);
    }
    let mut stored = stored.into_iter();
    let files = manifest.files().map(|(name, file)| {
        let stored = stored.next();
        json!({
            "name": name,
            "sizeBytes": file.size_bytes,
            "sha256": file.sha256,
            "path": stored.map(|stored| &stored.path),
            "url": stored.and_then(|stored| stored.url.as_ref()),
        })
    });
    files.collect()
}

/// In recording time.
pub fn gaps(gaps: &[Gap]) -> Value {
    camel_case(&gaps)
}

/// `atMs` is recording time, the others are Unix ms.
pub fn pauses(pauses: &[Pause]) -> Value {
    let shown = pauses
        .iter()
        .map(|pause| json!({ "atMs": pause.at_ms, "fromMs": pause.from, "toMs": pause.to }));
    shown.collect()
}

/// The state in LiveKit's words.
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
