use serde::{Deserialize, Serialize};

use super::TrackNumber;

/// What a capture asks of the rooms process: one JSON object per line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum MediaRequest {
    /// The first line: everything of this room, from now on.
    Subscribe {
        /// [`super::MEDIA_PROTOCOL_VERSION`] of the capture.
        protocol: u32,
        /// The room's name.
        room: String,
    },
    /// Ask the publisher of a video track for a key frame.
    KeyFrame { track: TrackNumber },
    /// Send the simulcast layer of a video track that fits a picture of this size.
    VideoSize {
        track: TrackNumber,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Frames per second; 0 for all there are.
        #[serde(default)]
        frame_rate: u32,
    },
    /// A request of a later version; ignored.
    #[serde(other)]
    Unknown,
}
