//! What the clients' paths take, as it is documented and as our own client sends it. What comes in is
//! read more leniently, see [`super::fields`]: null and empty texts count as left out.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tapedeck_actors::SourceKind;
use tapedeck_pipelines::job::OutputFormat;

/// What is to be recorded, and as what. Bounds are those of `[limits]` in the configuration.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartBody {
    #[schemars(length(min = 1, max = 256))]
    pub room_name: String,
    /// Where the room lives, if not where the server looks first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceKind>,
    /// `mp4` unless the source has no picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<OutputFormat>,
    /// A further WAV for each participant; with `wav` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_speaker: Option<bool>,
    /// An MP4 without a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_only: Option<bool>,
    /// Pixels, even.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels, even.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The most frames in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framerate: Option<u32>,
    /// Bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_bitrate: Option<u32>,
    /// Seconds after which it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<u64>,
    /// Seconds from one thumbnail to the next, 3600 at most; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_interval: Option<u32>,
    /// Anything, at most 2048 bytes of JSON; it is given back with the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// Which recording is meant: the live one of a room.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomBody {
    #[schemars(length(min = 1, max = 256))]
    pub room_name: String,
    /// Where the room lives, if rooms of this name live in several places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceKind>,
}

/// Who wants to join which room.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenBody {
    #[schemars(length(min = 1, max = 256))]
    pub room_name: String,
    #[schemars(length(min = 1, max = 256))]
    pub participant_name: String,
    /// Where the room lives, if not where the server looks first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceKind>,
}
