//! What the host tells the page, and what the page tells: JSON in text messages of its WebSocket.
//! Sound comes in binary ones, see [`Samples`](super::super::pcm::Samples).

use serde::{Deserialize, Serialize};

use super::super::channel::SpeakerLevel;

/// What the page is to do.
#[derive(Serialize)]
#[serde(
    tag = "order",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum PageOrder<'a> {
    /// Join a channel, once.
    Join {
        app_id: &'a str,
        channel: &'a str,
        uid: u32,
        /// None for a project without certificate.
        token: Option<&'a str>,
        timeout_ms: u64,
    },
    RenewToken {
        token: &'a str,
    },
    /// Leave the channel; answered by `left`.
    Leave,
    /// Answered by `pong`.
    Ping,
}

/// What the page tells.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum PageEvent {
    /// It is there, and so is the SDK.
    Ready {
        version: String,
    },
    Joined,
    /// The SDK refused to join, or did not come to an end in time.
    JoinFailed {
        timed_out: bool,
        reason: String,
    },
    /// The SDK's state of connection, and why it was left.
    Connection {
        state: String,
        reason: String,
    },
    SpeakerJoined {
        uid: String,
    },
    SpeakerLeft {
        uid: String,
    },
    SpeakerSound {
        uid: String,
        on: bool,
    },
    Levels {
        levels: Vec<SpeakerLevel>,
    },
    /// The token ends soon, or has ended.
    TokenWanted,
    /// It was told to leave and has.
    Left,
    Pong,
    /// Something that the log should know.
    Problem {
        text: String,
    },
    #[serde(other)]
    Unknown,
}
