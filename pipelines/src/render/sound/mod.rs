//! Sound: decoded packets in their place, mixed without clipping.

mod limiter;
mod stretch;
mod track;
mod track_sound;

pub use limiter::{LOOKAHEAD, Limiter};
pub use track::AudioTrack;

/// Samples per second of everything that is mixed.
pub const RATE: u64 = 48_000;

/// One moment of stereo sound, ±1.
pub type Stereo = [f32; 2];
