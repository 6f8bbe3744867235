use std::time::Duration;

use crate::control::Failure;
use crate::job::Source;

use super::livekit::LivekitSource;
use super::whip::WhipSource;
use super::{Joined, Participant, SourceEvent, TrackId};

/// A room of any kind, with a recorder in it.
pub enum RoomSource {
    /// On a LiveKit or OpenVidu server.
    Livekit(Box<LivekitSource>),
    /// In our own rooms process.
    Whip(Box<WhipSource>),
}

impl RoomSource {
    /// Joins the room; tries for about eight seconds while its server does not answer. `known` are
    /// participants that an earlier process saw in the room. An interruption may last as long as
    /// `give_up_after`.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn join(
        source: &Source,
        known: Vec<Participant>,
        give_up_after: Duration,
    ) -> Result<(Self, Joined), Failure> {
        match source {
            Source::Livekit { url, token } => {
                let (source, joined) =
                    LivekitSource::join(url, token, known, give_up_after).await?;
                Ok((Self::Livekit(Box::new(source)), joined))
            }
            Source::Whip { socket, room } => {
                let (source, joined) = WhipSource::join(socket, room, known, give_up_after).await?;
                Ok((Self::Whip(Box::new(source)), joined))
            }
        }
    }

    /// The next event; never returns after [`SourceEvent::Ended`]. Nothing is lost when the future
    /// is dropped.
    pub async fn next(&mut self) -> SourceEvent {
        match self {
            Self::Livekit(source) => source.next().await,
            Self::Whip(source) => source.next().await,
        }
    }

    /// Asks the publisher of a track for a key frame.
    pub fn request_keyframe(&mut self, id: &TrackId) {
        match self {
            Self::Livekit(source) => source.request_keyframe(id),
            Self::Whip(source) => source.request_keyframe(id),
        }
    }

    /// Asks for the simulcast layer of a video track that fits a picture of this size, pixels.
    /// `frame_rate` 0 leaves the rate to the other side.
    pub fn set_video_size(&mut self, id: &TrackId, width: u32, height: u32, frame_rate: u32) {
        match self {
            Self::Livekit(source) => source.set_video_size(id, width, height, frame_rate),
            Self::Whip(source) => source.set_video_size(id, width, height, frame_rate),
        }
    }

    /// Gives all media back, for good. A recorder that others can see stays in the room.
    pub fn release(&mut self) {
        match self {
            Self::Livekit(source) => source.release(),
            Self::Whip(source) => source.release(),
        }
    }

    /// Says good-bye.
    pub async fn leave(self) {
        match self {
            Self::Livekit(source) => source.leave().await,
            Self::Whip(source) => source.leave(),
        }
    }
}
