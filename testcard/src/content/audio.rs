//! What is heard.

use super::Stretch;
use super::tone::onsets;

/// Samples per second to which the sound is decoded.
pub const SAMPLE_RATE: u32 = 48_000;
/// Amplitude below which a sample is silent, -60 dB.
const SILENCE: f32 = 0.001;

/// The decoded sound of a file.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Time of the first sample, s.
    pub start: f64,
    /// Mean of the channels, 48000 samples per second.
    pub mono: Vec<f32>,
    /// Samples of any channel at or beyond full scale.
    pub clipped: usize,
    /// The greatest magnitude of any sample; 1 is full scale.
    pub peak: f32,
}

impl Sound {
    /// Takes interleaved samples of two channels, the first at `start`.
    pub fn new(start: f64, stereo: impl Iterator<Item = [f32; 2]>) -> Self {
        let mut sound = Self {
            start,
            mono: Vec::new(),
            clipped: 0,
            peak: 0.0,
        };
        for [left, right] in stereo {
            for sample in [left, right] {
                sound.peak = sound.peak.max(sample.abs());
                sound.clipped += usize::from(sample.abs() >= 1.0);
            }
            sound.mono.push((left + right) / 2.0);
        }
        sound
    }

    /// Length, s.
    pub fn seconds(&self) -> f64 {
        self.mono.len() as f64 / f64::from(SAMPLE_RATE)
    }

    /// The times at which beeps of `pitch` Hz begin, s. Other publishers' pitches should be at
    /// least 150 Hz away.
    pub fn beeps(&self, pitch: f64) -> Vec<f64> {
        let onsets = onsets(&self.mono, f64::from(SAMPLE_RATE), pitch);
        onsets.into_iter().map(|onset| self.start + onset).collect()
    }

    /// The stretches of at least `least` seconds in which nothing is heard.
    pub fn silences(&self, least: f64) -> Vec<Stretch> {
        let time = |index: usize| self.start + index as f64 / f64::from(SAMPLE_RATE);
        let mut found = Vec::new();
        let mut start = 0;
        let loud = self
            .mono
            .iter()
            .enumerate()
            .filter(|(_, sample)| sample.abs() >= SILENCE);
        for end in loud.map(|(index, _)| index).chain([self.mono.len()]) {
            let stretch = Stretch {
                start: time(start),
                end: time(end),
            };
            if stretch.seconds() >= least && end > start {
                found.push(stretch);
            }
            start = end + 1;
        }
        found
    }
}
