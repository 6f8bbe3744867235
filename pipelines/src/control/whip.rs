//! What a server asks the rooms process on behalf of WHIP clients (RFC 9725), and how that process
//! describes its rooms.

use serde::{Deserialize, Serialize};

use super::ParticipantStatus;

/// What a WHIP client asks. Who it is was checked before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WhipRequest {
    /// `POST`: publish.
    Publish {
        /// The room's name. It comes into being with its first publisher.
        room: String,
        /// A participant is who has the same identity in a room. A second session of an identity
        /// with the same `media` takes the place of the first.
        identity: String,
        /// The label in the picture.
        name: String,
        /// What is published.
        media: WhipMedia,
        /// SDP.
        offer: String,
    },
    /// `PATCH`: trickled candidates or an ICE restart.
    Patch {
        room: String,
        /// As [`WhipAnswer::Published`] named it.
        session: String,
        /// The `If-Match` header, as it was sent.
        if_match: Option<String>,
        /// `application/trickle-ice-sdpfrag` (RFC 8840).
        fragment: String,
    },
    /// `DELETE`: stop publishing.
    Delete { room: String, session: String },
}

/// What a session publishes: where it is shown, and as what it is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhipMedia {
    /// Camera and microphone.
    #[default]
    Camera,
    /// A screen, perhaps with its sound.
    Screen,
}

/// What the rooms process answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WhipAnswer {
    Published {
        /// Names the session in later requests. 128 random bits, hexadecimal.
        session: String,
        /// Names the ICE session, in quotes as the `ETag` header has it.
        entity_tag: String,
        /// SDP.
        answer: String,
    },
    /// Candidates were taken.
    Trickled,
    /// ICE was restarted.
    Restarted {
        /// Names the new ICE session.
        entity_tag: String,
        /// `application/trickle-ice-sdpfrag` with our new credentials and candidates.
        fragment: String,
    },
    Deleted,
    Refused {
        reason: WhipRefusal,
        /// Lower-case, names the cause and the way out.
        message: String,
    },
}

/// Why a WHIP client is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhipRefusal {
    /// The offer or the fragment cannot be read.
    Malformed,
    /// The offer was read, but there is nothing in it that can be taken: no common codec, no media
    /// that is sent.
    NotAcceptable,
    /// There is no such session, or there is no more.
    UnknownSession,
    /// `If-Match` names another ICE session.
    EntityTagMismatch,
    /// `If-Match` is missing where it is needed.
    EntityTagMissing,
    /// There are as many publishers as are allowed.
    Full,
    /// No port could be opened.
    NoPort,
    /// Anything else.
    #[serde(other)]
    Internal,
}

/// The whole state of the rooms process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomsSnapshot {
    pub rooms: Vec<RoomStatus>,
    /// `address:port` of the sockets on which media arrives, UDP.
    pub udp: Vec<String>,
    /// Likewise TCP.
    pub tcp: Vec<String>,
}

/// A room with publishers, or one that is recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomStatus {
    pub name: String,
    /// `RM_` and 12 characters, drawn when the room came into being.
    pub id: String,
    /// When it came into being, Unix ms.
    pub since_ms: i64,
    pub participants: Vec<ParticipantStatus>,
    /// Captures that take its media.
    pub captures: usize,
}
