//! What captures and the browser host say to one another. A connection is for one channel; it ends
//! when the capture leaves. Requests are JSON lines, events and frames are messages of
//! [`wire`](crate::rooms::media::wire).

use serde::{Deserialize, Serialize};

use crate::control::{EndReason, Failure};
use crate::job::Secret;

/// The version of the messages. Raised when a change is more than an added optional field, event
/// or request.
pub const CHANNEL_PROTOCOL_VERSION: u32 = 1;

/// Of the one track that a channel has: all that is heard in it.
pub const MIX_TRACK: u32 = 1;

/// Samples per second of a channel's sound.
pub const SAMPLE_RATE: u32 = 16_000;

/// What a capture says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum ChannelRequest {
    /// The first line: which channel to listen to.
    Join {
        protocol: u32,
        app_id: String,
        channel: String,
        uid: u32,
        token: Secret,
    },
    /// Go on with this token.
    RenewToken { token: Secret },
    /// A request of a later version.
    #[serde(other)]
    Unknown,
}

/// What the browser host says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ChannelEvent {
    /// The first message.
    Hello {
        protocol: u32,
    },
    /// The channel cannot be joined; the connection ends. Only before the first `joined`.
    Failed {
        failure: Failure,
    },
    /// The tab is in the channel: for the first time, or again. Frames and speakers follow.
    Joined,
    /// The tab is out of the channel, with all that it heard; another join is under way.
    Lost {
        reason: String,
    },
    /// The SDK's connection is bad; sound may still come.
    Reconnecting,
    /// It is good again.
    Reconnected,
    /// Somebody who may speak.
    SpeakerJoined {
        uid: String,
    },
    SpeakerLeft {
        uid: String,
    },
    /// The speaker's sound can be heard from now on, or no more.
    SpeakerSound {
        uid: String,
        on: bool,
    },
    /// How loud those who can be heard are, 0 to 100.
    Levels {
        levels: Vec<SpeakerLevel>,
    },
    /// The token ends within half a minute, or has ended.
    TokenWanted,
    /// Nothing more will come.
    Ended {
        reason: EndReason,
    },
    /// Nothing else was to be said for a second.
    Alive,
    /// An event of a later version.
    #[serde(other)]
    Unknown,
}

/// How loud somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeakerLevel {
    pub uid: String,
    /// 0 to 100.
    pub level: u8,
}
