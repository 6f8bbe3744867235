use async_trait::async_trait;
use tapedeck_pipelines::job::Source;

/// A room that exists on a media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub name: String,
    /// LiveKit's `RM_…`.
    pub id: String,
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
    #[error("the media server did not answer in time: check LIVEKIT_URL and that it runs")]
    Timeout,
}

/// The rooms of a media server, and the way into them.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// Looks a room up by its exact name; it is never created.
    async fn find(&self, name: &str) -> Result<Room, RoomError>;

    /// Address and recorder's token for a capture process. `identity` is the recording's id;
    /// the token is valid for `valid_for`.
    fn source(
        &self,
        room: &Room,
        identity: &str,
        valid_for: std::time::Duration,
    ) -> Result<Source, RoomError>;
}
