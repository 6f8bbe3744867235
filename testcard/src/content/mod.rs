//! What is seen and heard when: flashes in a part of the picture, beeps of a pitch, and how they
//! lie to each other. Works on decoded media; times are in seconds of the file.

mod audio;
mod offsets;
mod tile;
mod tone;

pub use audio::{SAMPLE_RATE, Sound};
pub use offsets::{Offsets, after, offsets};
pub use tile::{Tile, TileFrame, TileObserver};

/// A part of a recording, s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub start: f64,
    pub end: f64,
}

impl Stretch {
    /// Length, s.
    pub fn seconds(&self) -> f64 {
        self.end - self.start
    }
}
