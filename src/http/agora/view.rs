//! Recordings of channels as Memharbor's clients know them. Durations are ms, times texts in UTC.

use serde_json::{Value, json};
use tapedeck_actors::{FinishedRecording, LiveSession, Manifest, RecordingState};
use tapedeck_storage::{RecordingMetadata, channel_name, channel_parts, utc_text};

use super::sid;

/// What is told of a recording that was told to stop.
pub fn stopped(manifest: &Manifest) -> Value {
    let [group, user1, user2] = parts(&manifest.room_name);
    let mut view = json!({
        "sid": sid::of(&manifest.id),
        "channel": manifest.room_name,
        "groupId": group,
        "user1": user1,
        "user2": user2,
        "filename": manifest.name,
        "format": manifest.output.format.extension(),
        "duration": duration_ms(manifest),
        "firebase": firebase(manifest),
        "status": match manifest.state {
            RecordingState::Aborted => "aborted",
            _ => "stopped",
        },
    });
    if !manifest.state.is_final() {
        view["upload"] = json!("pending");
        if let Some(trouble) = &manifest.error {
            view["trouble"] = json!(trouble);
        }
    }
    view
}

/// Where Firebase has it; none if another store has it, or none yet.
fn firebase(manifest: &Manifest) -> Option<Value> {
    let stored = manifest
        .stored
        .first()
        .filter(|_| manifest.is_delivered())?;
    let document = stored.document.as_ref()?;
    Some(json!({
        "url": stored.url,
        "firestoreId": document,
        "storagePath": stored.path,
    }))
}

/// A recording that takes in sound.
pub fn session(session: &LiveSession, uid: u32) -> Value {
    let manifest = &session.manifest;
    let [group, user1, user2] = parts(&manifest.room_name);
    let capture = session.capture.as_ref();
    let speakers: Vec<Value> = capture
        .into_iter()
        .flat_map(|capture| &capture.participants)
        .map(|participant| speaker(&participant.identity))
        .collect();
    json!({
        "sid": sid::of(&manifest.id),
        "channel": manifest.room_name,
        "groupId": group,
        "user1": user1,
        "user2": user2,
        "uid": uid,
        "filename": manifest.name,
        "startedAt": manifest.started_at.map(utc_text),
        "duration": capture.map_or(0, |capture| capture.duration_ms),
        "status": match manifest.state {
            RecordingState::Starting => "starting",
            RecordingState::Paused => "paused",
            RecordingState::Interrupted => "reconnecting",
            RecordingState::Active => "recording",
            _ => "stopping",
        },
        "speakers": speakers,
    })
}

/// Numbers as numbers, accounts as texts.
fn speaker(identity: &str) -> Value {
    let number: Option<u32> = identity.parse().ok();
    number.map_or_else(|| json!(identity), |number| json!(number))
}

/// A recording that can be fetched, without its address.
pub fn listed(recording: &FinishedRecording) -> Value {
    let metadata = &recording.metadata;
    let [group, user1, user2] = parts(&metadata.room_name);
    let extension = metadata.name.rsplit_once('.').map(|(_, end)| end);
    let mut view = json!({
        "filename": metadata.name,
        "channel": metadata.room_name,
        "groupId": group,
        "user1": user1,
        "user2": user2,
        "size": metadata.size,
        "duration": length_ms(metadata),
        "format": extension,
        "recordedAt": utc_text(metadata.started_at),
        "createdAt": utc_text(created_at(metadata)),
    });
    if let Some(sid) = sid::of(&metadata.id) {
        view["sid"] = json!(sid);
    }
    if let Some(upload) = &recording.upload {
        view["upload"] = json!("pending");
        if let Some(trouble) = &upload.trouble {
            view["trouble"] = json!(trouble);
        }
    }
    view
}

/// When its file was there, Unix ms: what was left out of it was recorded in no time.
pub fn created_at(metadata: &RecordingMetadata) -> i64 {
    let paused = metadata.pauses.iter();
    let paused: i64 = paused
        .filter_map(|pause| pause.to.map(|to| to - pause.from))
        .sum();
    metadata.started_at + length_ms(metadata) + paused
}

/// Whether a store's recording is one of a channel: by its name, or, of those that an earlier server
/// left, by what it is.
pub fn is_of_channel(metadata: &RecordingMetadata) -> bool {
    let is_sound = [".wav", ".webm"];
    let is_sound = is_sound.iter().any(|end| metadata.name.ends_with(end));
    let is_others = metadata.id.is_empty() && !metadata.room_name.is_empty();
    is_sound && (is_others || channel_name(&metadata.name).is_some())
}

#[allow(clippy::cast_possible_truncation, reason = "no recording is so long")]
fn length_ms(metadata: &RecordingMetadata) -> i64 {
    (metadata.duration * 1_000.0).round() as i64
}

/// Length of the file if there is one, else of the recording so far as it is known, ms.
fn duration_ms(manifest: &Manifest) -> u64 {
    match (&manifest.file, manifest.started_at, manifest.ended_at) {
        (Some(file), _, _) => file.duration_ms,
        (None, Some(started), Some(ended)) => u64::try_from(ended - started).unwrap_or_default(),
        _ => 0,
    }
}

/// Group and users of a channel; none for one that is not named so.
fn parts(channel: &str) -> [Option<&str>; 3] {
    match channel_parts(channel) {
        Some(parts) => parts.map(Some),
        None => [None; 3],
    }
}
