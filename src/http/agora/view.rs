//! Recordings of channels as Memharbor's clients know them. Durations are ms, times texts in UTC.

use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_actors::{FinishedRecording, LiveSession, Manifest, RecordingState};
use tapedeck_storage::{RecordingMetadata, channel_name, channel_parts, utc_text};

use super::sid;

/// A channel by its parts, `{groupId}_{user1}_{user2}`; null for one that is not named so.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Channel {
    channel: String,
    group_id: Option<String>,
    user1: Option<String>,
    user2: Option<String>,
}

impl From<&str> for Channel {
    fn from(name: &str) -> Self {
        let [group_id, user1, user2] = match channel_parts(name) {
            Some(parts) => parts.map(|part| Some(part.to_owned())),
            None => [None, None, None],
        };
        Self {
            channel: name.to_owned(),
            group_id,
            user1,
            user2,
        }
    }
}

/// A recording that was told to stop.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelStopped")]
pub struct StoppedView {
    /// The session's id.
    pub sid: Option<String>,
    #[serde(flatten)]
    channel: Channel,
    filename: String,
    format: &'static str,
    /// Milliseconds.
    pub duration: u64,
    /// Where Firebase has it; null if another store has it, or none yet.
    pub firebase: Option<FirebaseView>,
    /// `stopped` or `aborted`.
    status: &'static str,
    /// `pending` until it is in its store.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<&'static str>,
    /// What delays that.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// Where it can be fetched, if Firebase does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Where Firebase has a recording.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InFirebase")]
pub struct FirebaseView {
    url: Option<String>,
    /// Of the document that describes it.
    firestore_id: String,
    storage_path: String,
}

/// A recording that takes in sound.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ChannelSession")]
pub struct SessionView {
    /// The session's id.
    sid: Option<String>,
    #[serde(flatten)]
    channel: Channel,
    /// The recorder's user id.
    uid: u32,
    filename: String,
    /// In UTC.
    started_at: Option<String>,
    /// Milliseconds.
    duration: u64,
    /// `starting`, `recording`, `paused`, `reconnecting` or `stopping`.
    status: &'static str,
    /// User ids, and user accounts.
    speakers: Vec<Speaker>,
}

/// Numbers as numbers, accounts as texts.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Speaker {
    Number(u32),
    Account(String),
}

/// A recording that can be fetched.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ChannelRecording")]
pub struct ListedView {
    filename: String,
    #[serde(flatten)]
    channel: Channel,
    /// Bytes.
    size: u64,
    /// Milliseconds.
    duration: i64,
    /// What its name ends in.
    format: Option<String>,
    /// In UTC.
    recorded_at: String,
    /// In UTC.
    created_at: String,
    /// The session's id, if this server knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// `pending` until it is in its store.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<&'static str>,
    /// What delays that.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// Where it can be fetched; null if its store does not tell now.
    pub url: Option<String>,
}

/// What is told of a recording that was told to stop.
pub fn stopped(manifest: &Manifest) -> StoppedView {
    let is_pending = !manifest.state.is_final();
    StoppedView {
        sid: sid::of(&manifest.id),
        channel: manifest.room_name.as_str().into(),
        filename: manifest.name.clone(),
        format: manifest.output.format.extension(),
        duration: manifest.duration_ms().unwrap_or_default(),
        firebase: firebase(manifest),
        status: match manifest.state {
            RecordingState::Aborted => "aborted",
            _ => "stopped",
        },
        upload: is_pending.then_some("pending"),
        trouble: manifest.error.clone().filter(|_| is_pending),
        url: None,
    }
}

fn firebase(manifest: &Manifest) -> Option<FirebaseView> {
    let stored = manifest
        .stored
        .first()
        .filter(|_| manifest.is_delivered())?;
    Some(FirebaseView {
        url: stored.url.clone(),
        firestore_id: stored.document.clone()?,
        storage_path: stored.path.clone(),
    })
}

/// What is told of a recording that takes in sound.
pub fn session(session: &LiveSession, uid: u32) -> SessionView {
    let manifest = &session.manifest;
    let capture = session.capture.as_ref();
    SessionView {
        sid: sid::of(&manifest.id),
        channel: manifest.room_name.as_str().into(),
        uid,
        filename: manifest.name.clone(),
        started_at: manifest.started_at.map(utc_text),
        duration: capture.map_or(0, |capture| capture.duration_ms),
        status: match manifest.state {
            RecordingState::Starting => "starting",
            RecordingState::Paused => "paused",
            RecordingState::Interrupted => "reconnecting",
            RecordingState::Active => "recording",
            _ => "stopping",
        },
        speakers: capture
            .into_iter()
            .flat_map(|capture| &capture.participants)
            .map(|participant| speaker(&participant.identity))
            .collect(),
    }
}

fn speaker(identity: &str) -> Speaker {
    let number = identity.parse().ok();
    number.map_or_else(|| Speaker::Account(identity.to_owned()), Speaker::Number)
}

/// What is told of a recording that can be fetched, without its address.
pub fn listed(recording: &FinishedRecording) -> ListedView {
    let metadata = &recording.metadata;
    let extension = metadata.name.rsplit_once('.').map(|(_, end)| end);
    let upload = recording.upload.as_ref();
    ListedView {
        filename: metadata.name.clone(),
        channel: metadata.room_name.as_str().into(),
        size: metadata.size,
        duration: length_ms(metadata),
        format: extension.map(str::to_owned),
        recorded_at: utc_text(metadata.started_at),
        created_at: utc_text(created_at(metadata)),
        sid: sid::of(&metadata.id),
        upload: upload.map(|_| "pending"),
        trouble: upload.and_then(|upload| upload.trouble.clone()),
        url: None,
    }
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
