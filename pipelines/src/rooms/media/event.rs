use serde::{Deserialize, Serialize};

use crate::log::{Codec, TrackKind, TrackSource};
use crate::sources::{Participant, Publication, TrackId};

/// A track's number on media sockets: drawn by the rooms process, never given twice in its life.
pub type TrackNumber = u32;

/// What the rooms process tells a capture, other than media: JSON on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum MediaEvent {
    /// The first message on every connection.
    Hello {
        protocol: u32,
    },
    /// The capture cannot be served.
    Refused {
        /// Lower-case, names the cause and the way out.
        message: String,
    },
    /// The whole present state: who and what is not in it is there no more. Media follows.
    Room(RoomState),
    ParticipantJoined(RoomParticipant),
    ParticipantRenamed {
        id: String,
        name: String,
    },
    /// Takes the participant's tracks along.
    ParticipantLeft {
        id: String,
    },
    TrackPublished(RoomTrack),
    /// What is known of a published track changed.
    TrackUpdated(RoomTrack),
    TrackUnpublished {
        track: TrackNumber,
    },
    TrackMuted {
        track: TrackNumber,
        muted: bool,
    },
    SenderReport {
        track: TrackNumber,
        /// RTP time of the report, as on the wire.
        rtp: u32,
        /// Unix nanoseconds on the publisher's clock.
        ntp_ns: i64,
    },
    /// Nothing else was to be said for a second.
    Alive,
    /// An event of a later version.
    #[serde(other)]
    Unknown,
}

/// A room as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomState {
    /// `RM_…`; another one when the room is not the same any more.
    pub id: String,
    /// In the order of joining.
    pub participants: Vec<RoomParticipant>,
    /// In the order of publication.
    pub tracks: Vec<RoomTrack>,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomParticipant {
    /// Unique in time: somebody who leaves and returns has another one.
    pub id: String,
    pub identity: String,
    /// The name to display; may be empty.
    #[serde(default)]
    pub name: String,
}

/// A published track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomTrack {
    /// What frames and requests call it.
    pub track: TrackNumber,
    pub id: String,
    /// [`RoomParticipant::id`] of the publisher.
    pub participant: String,
    pub kind: TrackKind,
    pub source: TrackSource,
    /// What was negotiated, if it is one codec; what arrives may differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    #[serde(default)]
    pub muted: bool,
    /// Published size, pixels; 0 when unknown.
    #[serde(default)]
    pub width: u32,
    /// Published size, pixels; 0 when unknown.
    #[serde(default)]
    pub height: u32,
    /// Heights of the simulcast layers in pixels, ascending; fewer than two when there is no
    /// choice.
    #[serde(default)]
    pub layer_heights: Vec<u32>,
}

impl From<RoomParticipant> for Participant {
    fn from(participant: RoomParticipant) -> Self {
        Self {
            id: participant.id,
            identity: participant.identity,
            name: participant.name,
        }
    }
}

impl From<RoomTrack> for Publication {
    fn from(track: RoomTrack) -> Self {
        Self {
            id: TrackId::from(track.id),
            participant: track.participant,
            kind: track.kind,
            source: track.source,
            codec: track.codec,
            muted: track.muted,
            width: track.width,
            height: track.height,
            layer_heights: track.layer_heights,
        }
    }
}
