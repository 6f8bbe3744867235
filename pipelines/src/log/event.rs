use serde::{Deserialize, Serialize};

use super::TrackNumber;
use crate::control::{EndReason, Gap, Pause};

/// Something that happened, other than media: JSON in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LogEvent {
    /// The first record: recording time 0.
    RecordingStarted {
        recording_id: String,
        room_name: String,
        room_id: String,
        /// [`Source::kind`](crate::job::Source::kind) of where the room lives; empty in logs of
        /// earlier versions.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        source: String,
    },
    /// Ties recording time to a clock that outlives the process: the next one tells by it how long
    /// nobody wrote.
    BootClock {
        /// Drawn by the kernel at each start of the machine; empty when unknown.
        boot_id: String,
        /// Time since the machine was started, also while it slept, ns.
        boot_ns: u64,
    },
    ParticipantJoined {
        participant: String,
        identity: String,
        name: String,
    },
    /// The displayed name changed.
    ParticipantRenamed {
        participant: String,
        name: String,
    },
    ParticipantLeft {
        participant: String,
    },
    TrackAdded(TrackInfo),
    TrackRemoved {
        track: TrackNumber,
    },
    /// The publisher turned the camera or microphone off.
    TrackMuted {
        track: TrackNumber,
    },
    TrackUnmuted {
        track: TrackNumber,
    },
    /// Recording time stands still from here on; no media follows before `Resumed`.
    Paused,
    /// Recording time goes on after it stood still for so long.
    Resumed {
        paused_ns: u64,
    },
    /// The connection to the room is lost: media may be missing from here on, until the next frame
    /// or until some time after `ConnectionRestored`.
    ConnectionLost,
    /// The connection to the room is back.
    ConnectionRestored,
    /// Nothing was captured between these two points of recording time.
    Gap {
        from_ns: u64,
        to_ns: u64,
        reason: String,
    },
    /// What the log has told so far, so that who goes on in it need not read it from its beginning.
    Checkpoint(Box<Checkpoint>),
    /// The last record.
    RecordingEnded {
        reason: EndReason,
    },
    /// An event of a later version.
    #[serde(other)]
    Unknown,
}

/// What a log has told up to a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checkpoint {
    /// As in `RecordingStarted`.
    pub room_id: String,
    /// Those who have not left.
    pub participants: Vec<PresentParticipant>,
    /// Tracks that were not removed.
    pub open_tracks: Vec<TrackNumber>,
    /// The number that was given last.
    pub last_track: TrackNumber,
    /// When recording time began to stand still, if it does.
    pub paused_since: Option<MachineTime>,
    pub gaps: Vec<Gap>,
    pub pauses: Vec<Pause>,
}

/// A participant, as in `ParticipantJoined` and `ParticipantRenamed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PresentParticipant {
    pub participant: String,
    pub identity: String,
    pub name: String,
}

/// A moment on the clocks that outlive a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineTime {
    /// Which start of the machine; empty when unknown.
    pub boot_id: String,
    /// Since then, nanoseconds.
    pub boot_ns: u64,
    /// Unix nanoseconds; may jump.
    pub wall_ns: i64,
}

/// A track as it is announced in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackInfo {
    pub track: TrackNumber,
    /// LiveKit's `TR_…`.
    pub id: String,
    /// The publisher, as in `ParticipantJoined`; empty for the mixed sound of the whole room.
    pub participant: String,
    pub kind: TrackKind,
    pub source: TrackSource,
    pub codec: Codec,
    /// Ticks of RTP time per second.
    pub clock_rate: u32,
    pub muted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    Audio,
    Video,
}

impl TrackKind {
    /// As snapshots and clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackSource {
    Camera,
    Microphone,
    ScreenShare,
    ScreenShareAudio,
    #[serde(other)]
    Unknown,
}

impl TrackSource {
    /// As snapshots and clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::ScreenShare => "screen_share",
            Self::ScreenShareAudio => "screen_share_audio",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    Vp8,
    H264,
    Vp9,
    Av1,
    Opus,
    /// Samples of 16 bits, little endian, one channel, as many in a second as the track has ticks.
    Pcm,
    #[serde(other)]
    Unknown,
}

impl Codec {
    /// As snapshots and clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "vp8",
            Self::H264 => "h264",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
            Self::Opus => "opus",
            Self::Pcm => "pcm",
            Self::Unknown => "unknown",
        }
    }
}
