//! Test cards: light media with flashes and beeps, publishers that send them over real WebRTC,
//! and what is found of them in a finished recording.

pub mod content;
pub mod media;
mod options;
pub mod pacing;
pub mod playback;
pub mod track;
pub mod whip;

pub use options::{CameraOptions, PublisherOptions};
pub use track::{PublisherStats, Track};
