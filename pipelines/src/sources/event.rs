use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::control::EndReason;
use crate::log::{Codec, TrackKind, TrackSource};

/// A track's id as its source calls it. Shared, because every frame carries one.
pub type TrackId = Arc<str>;

/// What a source tells, in the order it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceEvent {
    ParticipantJoined(Participant),
    ParticipantRenamed {
        id: String,
        name: String,
    },
    /// The participant's tracks are unpublished before this is told.
    ParticipantLeft {
        id: String,
    },
    TrackPublished(Publication),
    /// What is known of a published track changed, other than its mute state.
    TrackUpdated(Publication),
    TrackUnpublished {
        id: TrackId,
    },
    TrackMuted {
        id: TrackId,
        muted: bool,
    },
    /// The source is ready to send a track's media.
    TrackSubscribed {
        id: TrackId,
    },
    Frame(SourceFrame),
    SenderReport {
        id: TrackId,
        /// RTP time of the report, as on the wire.
        rtp: u32,
        /// Unix nanoseconds on the publisher's clock.
        ntp_ns: i64,
    },
    /// The connection is lost and being restored. Media may still flow.
    Interrupted,
    /// The connection is there again.
    Restored {
        /// When the last media could have arrived; none when media was not interrupted.
        media_lost_since: Option<Instant>,
        /// What was asked for per track is forgotten and must be asked for again.
        settings_lost: bool,
    },
    /// Nothing more will come.
    Ended(EndReason),
}

/// The room that was joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// `RM_…`.
    pub room_id: String,
    /// When the recorder was in the room.
    pub at: Instant,
}

/// What an earlier process saw of the room, whose recording goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// `RM_…`, when the recording began.
    pub room_id: String,
    /// Those who have not left.
    pub participants: Vec<Participant>,
    /// Whether the connection to the room was lost.
    pub was_disconnected: bool,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Unique in time: somebody who leaves and returns has another one.
    pub id: String,
    pub identity: String,
    /// The name to display; may be empty.
    pub name: String,
}

/// A track as its publisher announced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub id: TrackId,
    /// [`Participant::id`] of the publisher.
    pub participant: String,
    pub kind: TrackKind,
    pub source: TrackSource,
    /// What was announced, if anything yet; what arrives may differ.
    pub codec: Option<Codec>,
    pub muted: bool,
    /// Published size, pixels; 0 when unknown.
    pub width: u32,
    /// Published size, pixels; 0 when unknown.
    pub height: u32,
    /// Heights of the simulcast layers in pixels, ascending; fewer than two when there is no choice.
    pub layer_heights: Vec<u32>,
}

/// A frame as it came out of the jitter buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFrame {
    pub id: TrackId,
    pub codec: Codec,
    /// Ticks of RTP time per second.
    pub clock_rate: u32,
    pub keyframe: bool,
    /// Whether no frame is missing between this one and the one before.
    pub contiguous: bool,
    /// RTP time as on the wire; it wraps.
    pub rtp: u32,
    /// Packets that never arrived between the frame before and this one.
    pub packets_lost: u64,
    pub payload: Bytes,
}
