use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Secret;

use super::whip::{RoomsSnapshot, WhipAnswer, WhipRequest};

/// A command with the id that its reply repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandEnvelope {
    /// Chosen by the sender; a repeated id is answered but not carried out again.
    pub id: String,
    #[serde(flatten)]
    pub command: Command,
}

/// What a child is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Capture: write the end record, seal the log, stay in the room.
    Stop { reason: EndReason },
    /// Capture: write no media from now on and let recording time stand still; stay in the room.
    Pause,
    /// Capture: go on after a pause.
    Resume,
    /// Capture of a channel of Agora or a room on LiveKit: go on with this token instead of the
    /// job's.
    RenewToken { token: Secret },
    /// Capture: leave the room and exit. Seals first when that was not done. Rooms: close all
    /// connections and exit.
    Leave,
    /// Render: the log grows no more; finish with what there is.
    Finish,
    /// Rooms: what a WHIP client asks; the reply carries the [`WhipAnswer`].
    Whip { request: WhipRequest },
    /// Any: send a snapshot now.
    Snapshot,
    /// A command of a later version; answered with an error.
    #[serde(other)]
    Unknown,
}

/// What a child says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line on every connection.
    Hello {
        protocol: u32,
        role: ProcessRole,
        pid: u32,
        /// Empty for the rooms process.
        recording_id: String,
    },
    /// The whole state of a capture process.
    Capture { snapshot: CaptureSnapshot },
    /// The whole state of a render process.
    Render { snapshot: RenderSnapshot },
    /// The whole state of the rooms process.
    Rooms { snapshot: RoomsSnapshot },
    /// The answer to a command; `error` is empty on success.
    Reply {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The answer to [`Command::Whip`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whip: Option<WhipAnswer>,
    },
    /// An event of a later version.
    #[serde(other)]
    Unknown,
}

/// Which of a recording's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Capture,
    Render,
}

/// What a process that says hello is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessRole {
    Capture,
    Render,
    /// Shared by all recordings of WHIP rooms.
    Rooms,
    /// One of a later version.
    #[serde(other)]
    Unknown,
}

impl From<Role> for ProcessRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Capture => Self::Capture,
            Role::Render => Self::Render,
        }
    }
}

/// Where a capture process stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureState {
    /// Not in the room yet.
    #[default]
    Joining,
    /// In the room, the log is open.
    Recording,
    /// The connection is lost; the log is open, recording time goes on.
    Reconnecting,
    /// In the room, the log is open, no media is written and recording time stands still.
    Paused,
    /// The log is complete.
    Sealed,
    /// It never got into the room, or could not write the log; see `failure`.
    Failed,
    /// A state of a later version.
    #[serde(other)]
    Unknown,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// A client asked for it.
    Stopped,
    /// The room ended: its last participant left or it was deleted.
    RoomEnded,
    /// `maxDuration` was reached.
    MaxDuration,
    /// Nobody was in the room for the configured time.
    RoomEmpty,
    /// The media server could not be reached again in the configured time.
    SourceLost,
    /// The recorder was removed from the room by its server.
    Removed,
    /// Somebody else joined under the recorder's user id, which the source allows once.
    IdentityTaken,
    /// No server of ours came back in the configured time.
    ServerLost,
    /// The log could not be written, most often for want of space.
    LogFailed,
    /// The capture process died and was not resumed.
    CaptureLost,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// Why capture could not begin or go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub kind: FailureKind,
    /// Lower-case, names the cause and the way out, holds no secret.
    pub message: String,
}

/// The kinds of failure that a client can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The media server does not answer.
    SourceUnreachable,
    /// The media server refused the keys or the token.
    SourceRefused,
    /// The media server takes connections but does not answer in time.
    SourceTimeout,
    /// The log could not be written.
    Log,
    /// Anything else.
    #[serde(other)]
    Internal,
}

/// The whole state of a capture process. Times are Unix milliseconds unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct CaptureSnapshot {
    pub state: CaptureState,
    /// LiveKit's `RM_…`.
    pub room_id: Option<String>,
    /// When recording time began: the moment the recorder was in the room.
    pub started_at_ms: Option<i64>,
    /// When the log was sealed.
    pub ended_at_ms: Option<i64>,
    /// Length of the recording so far in recording time, ms.
    pub duration_ms: u64,
    pub end_reason: Option<EndReason>,
    pub failure: Option<Failure>,
    pub participants: Vec<ParticipantStatus>,
    /// When the first frame of any track was appended.
    pub first_frame_at_ms: Option<i64>,
    /// Frames appended, all tracks.
    pub frames: u64,
    /// Media bytes appended, all tracks.
    pub bytes: u64,
    /// Size of the log, bytes.
    pub log_bytes: u64,
    /// Times the connection was resumed or made anew.
    pub reconnects: u32,
    /// What is missing, as the log tells it, also of earlier processes of this recording; in the
    /// order of time.
    #[schemars(skip)]
    pub gaps: Vec<Gap>,
    /// All pauses, also of earlier processes of this recording; in the order of time.
    #[schemars(skip)]
    pub pauses: Vec<Pause>,
    /// Whether the token ends soon, or has ended or was refused, so that
    /// [`RenewToken`](Command::RenewToken) is waited for. It stays until that comes.
    pub token_wanted: bool,
    /// Whether the log takes no more and its end is on the way to the disk, for which `state` waits
    /// as it was.
    pub sealing: bool,
}

/// A stretch of recording time in which not everything was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct Gap {
    /// Recording time, ms.
    pub from_ms: u64,
    /// Recording time, ms.
    pub to_ms: u64,
    /// `capture_restarted`, `connection_lost`, `packets_lost`, `key_frame_awaited`, `disk_slow`,
    /// `stalled`, `capture_lost`.
    pub reason: String,
}

/// A stretch of time that was left out on request. Recording time stands still meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct Pause {
    /// Recording time at which it stood still, ms.
    pub at_ms: u64,
    /// When it was paused, Unix ms.
    pub from: i64,
    /// When it went on, Unix ms; none while it is paused, or when it ended so.
    pub to: Option<i64>,
}

/// A participant of a live session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct ParticipantStatus {
    /// LiveKit's `PA_…`.
    pub id: String,
    pub identity: String,
    pub name: String,
    pub tracks: Vec<TrackStatus>,
    /// How loud the participant is just now, from 0 to 100. Only of channels of Agora, whose
    /// speakers have no tracks of their own; none while the participant sends no sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
}

/// A track of a live session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct TrackStatus {
    /// LiveKit's `TR_…`.
    pub id: String,
    /// `audio` or `video`.
    pub kind: String,
    /// `camera`, `microphone`, `screen_share`, `screen_share_audio` or `unknown`.
    pub source: String,
    /// `vp8`, `h264`, `opus`, …
    pub codec: String,
    /// Pixels; 0 for audio, before the first key frame, and for VP9 and AV1.
    pub width: u32,
    /// Pixels; 0 for audio, before the first key frame, and for VP9 and AV1.
    pub height: u32,
    /// The simulcast layer asked for: `low`, `medium`, `high`, or empty.
    pub layer: String,
    pub muted: bool,
    pub frames: u64,
    pub bytes: u64,
    pub packets_lost: u64,
}

/// Where a render process stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenderState {
    #[default]
    Starting,
    /// Following a log that grows.
    Following,
    /// The log is complete, the rest is being rendered.
    Finishing,
    /// The output is complete; see `output`.
    Finished,
    Failed,
    #[serde(other)]
    Unknown,
}

/// The whole state of a render process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct RenderSnapshot {
    pub state: RenderState,
    /// How long the file is so far, ms.
    pub position_ms: u64,
    /// How far the render is behind the newest record of the log, ms.
    pub lag_ms: u64,
    /// How far the log was read, ms of the file's time: one that goes on behind an earlier render
    /// reads up to there before its position moves.
    pub read_ms: u64,
    /// Recording time that the file jumps over so far, as gaps are cut, ms: a position of the file
    /// is so much later in recording time.
    pub left_out_ms: u64,
    /// Frames encoded.
    pub frames: u64,
    /// Bytes written so far.
    pub bytes: u64,
    /// What was seen and heard of each track lately.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<ObservedTrack>,
    /// Things left out or replaced, each told once.
    pub warnings: Vec<Warning>,
    pub output: Option<OutputFile>,
    /// Files besides it, once all are whole: the next of a long WAV, one for each speaker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_outputs: Vec<OutputFile>,
    /// Why it failed: lower-case, names the way out.
    pub failure: Option<String>,
    /// Whether it failed for want of space on the disk: the same log can be rendered once there is
    /// room.
    pub disk_full: bool,
}

impl RenderSnapshot {
    /// Recording time rendered so far, ms: what captures tell is compared with it.
    pub fn recording_time_ms(&self) -> u64 {
        self.position_ms.saturating_add(self.left_out_ms)
    }
}

/// What a render saw and heard of a track lately. Lengths are file time, ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct ObservedTrack {
    /// As [`TrackStatus::id`].
    pub id: String,
    /// The loudest of the last second, from 0 (60 dB below full scale, or less) to 100; none of
    /// pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// For how long nothing has been heard of it, muted or not.
    pub silent_ms: u64,
    /// For how long its picture has been dark all over.
    pub black_ms: u64,
}

/// Something that the viewer of a file should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// `unsupported_codec`, `decode_error`, `frame_too_large`, `log_damaged`, …
    pub code: String,
    pub message: String,
}

/// A finished output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename_all = "camelCase")]
pub struct OutputFile {
    /// Absolute path.
    #[schemars(skip)]
    pub path: std::path::PathBuf,
    pub size_bytes: u64,
    pub duration_ms: u64,
    /// Of the whole file, lower-case hexadecimal.
    pub sha256: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Of a further file: what stands between the recording's name and its extension, such as `-2`
    /// or `-alice`. Empty for the main one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suffix: String,
}
