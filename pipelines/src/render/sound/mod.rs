//! Sound: decoded packets in their place, mixed without clipping.

mod limiter;
mod pcm;
mod stretch;
mod track;
mod track_sound;

pub use limiter::Limiter;
pub use track::AudioTrack;

/// Samples per second in which sound is placed, and mixed for listeners.
pub const RATE: u64 = 48_000;

/// One moment of stereo sound, ±1.
pub type Stereo = [f32; 2];

/// In what quality sound is decoded and mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    /// 48 kHz, two channels.
    #[default]
    Full,
    /// 16 kHz, one channel: both of a [`Stereo`] are the same. The decoder gives no more than that,
    /// which costs a fraction of decoding all and making less of it.
    Speech,
}

impl Quality {
    /// Samples per second of the mix.
    pub const fn rate(self) -> u64 {
        RATE / self.divisor() as u64
    }

    /// Samples of [`RATE`] that are one sample of the mix.
    const fn divisor(self) -> i64 {
        match self {
            Self::Full => 1,
            Self::Speech => 3,
        }
    }

    /// Samples over which sound that begins or ends abruptly is faded (2.5 ms).
    fn fade(self) -> usize {
        self.rate() as usize / 400
    }

    /// The sample of the mix in which a sample of [`RATE`] lies.
    fn scaled(self, position: i64) -> i64 {
        position.div_euclid(self.divisor())
    }
}
