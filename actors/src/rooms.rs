use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tapedeck_pipelines::job::{Secret, Source};

/// A room that exists on a media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub name: String,
    /// LiveKit's `RM_…`; empty where rooms have none.
    pub id: String,
}

/// Where a room lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// On a LiveKit or OpenVidu server.
    Livekit,
    /// In our own rooms process, with WHIP publishers.
    Whip,
    /// In Agora's cloud: a channel, of which only sound is captured.
    Agora,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Livekit, Self::Whip, Self::Agora];

    /// The one that manifests and clients call so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As manifests and clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Livekit => "livekit",
            Self::Whip => "whip",
            Self::Agora => "agora",
        }
    }

    /// Whether its recordings can have a picture.
    pub fn has_picture(self) -> bool {
        match self {
            Self::Livekit | Self::Whip => true,
            Self::Agora => false,
        }
    }
}

/// A request of a WHIP client could not be put to the rooms process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomsError {
    /// It cannot be started, or ended again at once.
    #[error("the rooms process does not run: {0}")]
    NotRunning(String),
    #[error("the rooms process did not answer in time: try again")]
    Timeout,
}

/// Why a room cannot be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    #[error("no room named {0} exists: let a participant join first")]
    Unknown(String),
    #[error("the media server cannot be reached: {0}")]
    Unreachable(String),
    #[error("the media server refused the keys: {0}")]
    Refused(String),
    /// There is no media server.
    #[error(
        "no LiveKit server is configured: set LIVEKIT_URL, or leave source out for rooms of this server"
    )]
    NoLivekit,
    #[error("the media server did not answer in time: check LIVEKIT_URL and that it runs")]
    Timeout,
    /// There is no app of Agora.
    #[error("no app of Agora is configured: set AGORA_APP_ID and AGORA_APP_CERT")]
    NoAgora,
    /// Agora does not let capture into the channel; its reason.
    #[error("{0}")]
    JoinRefused(String),
    /// Nothing was heard of the join to a channel.
    #[error("{0}")]
    JoinTimeout(String),
}

/// The rooms of a LiveKit server, and the way into them.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// Looks a room up by its exact name; it is never created.
    async fn find(&self, name: &str) -> Result<Room, RoomError>;

    /// Address and recorder's token for a capture process. `identity` is the recording's id;
    /// the token is valid for `valid_for`.
    fn source(&self, room: &Room, identity: &str, valid_for: Duration)
    -> Result<Source, RoomError>;
}

/// The way into the channels of an app of Agora. Whether anybody is in a channel cannot be asked.
pub trait Channels: Send + Sync {
    /// What a capture process joins a channel with. Where the browser works is filled in by the
    /// recorder.
    ///
    /// # Errors
    /// The app's credentials cannot be used.
    fn source(&self, channel: &str) -> Result<Source, RoomError>;

    /// A new token for a capture that is in the channel and whose own is about to expire.
    ///
    /// # Errors
    /// The app's credentials cannot be used.
    fn token(&self, channel: &str) -> Result<Secret, RoomError>;

    /// How long a start may take.
    fn start_timeout(&self) -> Duration;
}

/// Where rooms live besides our own rooms process.
#[derive(Clone, Default)]
pub struct MediaServers {
    pub livekit: Option<Arc<dyn Rooms>>,
    pub agora: Option<Arc<dyn Channels>>,
}

impl MediaServers {
    /// Rooms of a LiveKit server.
    pub fn livekit(rooms: Arc<dyn Rooms>) -> Self {
        Self {
            livekit: Some(rooms),
            agora: None,
        }
    }
}
