//! Sound that was captured as samples.

use std::f64::consts::PI;

use super::{Quality, RATE, Stereo};

/// Longer packets are refused, samples of [`RATE`].
const LONGEST: i64 = RATE as i64;

/// The rate of what is made less coarse for listeners, samples per second.
const SPEECH_RATE: u32 = 16_000;

/// Samples of the input on each side that a sample of the output is made of.
const REACH: usize = 16;

/// Samples of the output for each of the input.
const PHASES: usize = (RATE / SPEECH_RATE as u64) as usize;

/// Samples at 48 kHz of a packet; nothing for one that is no whole number of samples, or too long.
pub fn pcm_samples(packet: &[u8], clock_rate: u32) -> Option<i64> {
    let count = i64::try_from(packet.len() / 2).ok()?;
    let samples = count * RATE as i64 / i64::from(clock_rate.max(1));
    (packet.len().is_multiple_of(2) && samples > 0 && samples <= LONGEST).then_some(samples)
}

/// Makes sound of a track's packets. What it gives depends on the last millisecond only.
pub struct PcmSound {
    upsampler: Option<Upsampler>,
}

impl PcmSound {
    pub fn new(clock_rate: u32, quality: Quality) -> Self {
        let upsample = quality == Quality::Full && clock_rate == SPEECH_RATE;
        Self {
            upsampler: upsample.then(Upsampler::new),
        }
    }

    /// What the sound is delayed by, samples of [`RATE`].
    pub fn delay(&self) -> i64 {
        self.upsampler
            .as_ref()
            .map_or(0, |_| (REACH * PHASES) as i64)
    }

    /// What comes next has nothing to do with what came before.
    pub fn begin_anew(&mut self) {
        if let Some(upsampler) = &mut self.upsampler {
            *upsampler = Upsampler::new();
        }
    }

    /// The sound of a packet: at the rate of the mix if that is known how to, else at its own.
    pub fn sound(&mut self, packet: &[u8]) -> Vec<Stereo> {
        let samples = packet
            .chunks_exact(2)
            .map(|bytes| f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0);
        match &mut self.upsampler {
            Some(upsampler) => upsampler.push(samples),
            None => samples.map(|sample| [sample; 2]).collect(),
        }
    }
}

/// From 16 to 48 kHz: a windowed sinc, in its phases.
struct Upsampler {
    /// For each phase, the weights of the input from the oldest to the newest.
    weights: [[f32; 2 * REACH]; PHASES],
    recent: [f32; 2 * REACH],
}

impl Upsampler {
    fn new() -> Self {
        let mut weights = [[0.0; 2 * REACH]; PHASES];
        for (phase, weights) in weights.iter_mut().enumerate() {
            for (index, weight) in weights.iter_mut().enumerate() {
                let distance = index as f64 - (REACH as f64 - 1.0) - phase as f64 / PHASES as f64;
                *weight = windowed_sinc(distance) as f32;
            }
            // Constant sound keeps its level in all phases.
            let sum: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        Self {
            weights,
            recent: [0.0; 2 * REACH],
        }
    }

    fn push(&mut self, samples: impl Iterator<Item = f32>) -> Vec<Stereo> {
        let mut sound = Vec::with_capacity(samples.size_hint().0 * PHASES);
        for sample in samples {
            self.recent.rotate_left(1);
            self.recent[2 * REACH - 1] = sample;
            for weights in &self.weights {
                let products = weights.iter().zip(&self.recent);
                let value = products.map(|(weight, sample)| weight * sample).sum();
                sound.push([value; 2]);
            }
        }
        sound
    }
}

/// Passes what is below nine tenths of the input's band; Blackman's window.
fn windowed_sinc(distance: f64) -> f64 {
    const CUT: f64 = 0.94;
    let place = distance / REACH as f64;
    if place.abs() >= 1.0 {
        return 0.0;
    }
    let window = 0.42 + 0.5 * (PI * place).cos() + 0.08 * (2.0 * PI * place).cos();
    let angle = PI * distance * CUT;
    let sinc = if angle == 0.0 {
        1.0
    } else {
        angle.sin() / angle
    };
    sinc * window
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, seconds: f64) -> Vec<u8> {
        let count = (seconds * f64::from(SPEECH_RATE)) as u32;
        (0..count)
            .map(|index| (2.0 * PI * hertz * f64::from(index) / f64::from(SPEECH_RATE)).sin())
            .flat_map(|value| ((value * 16_384.0) as i16).to_le_bytes())
            .collect()
    }

    #[test]
    fn a_tone_at_48_khz_is_the_same_tone_however_it_is_cut() {
        for hertz in [200.0, 1_000.0, 5_000.0] {
            let packets = tone(hertz, 0.5);
            let mut pcm = PcmSound::new(SPEECH_RATE, Quality::Full);
            let whole = pcm.sound(&packets);
            assert_eq!(whole.len(), 24_000);
            pcm.begin_anew();
            let cut: Vec<Stereo> = packets
                .chunks(1_600)
                .flat_map(|packet| pcm.sound(packet))
                .collect();
            assert!(whole == cut);
            let delay = pcm.delay() as f64;
            for (index, sample) in whole.iter().enumerate().skip(400) {
                let time = (index as f64 - delay) / RATE as f64;
                let wanted = 0.5 * (2.0 * PI * hertz * time).sin();
                let off = (f64::from(sample[0]) - wanted).abs();
                assert!(off < 0.005, "{hertz} Hz, sample {index}: {off}");
            }
        }
    }

    #[test]
    fn speech_passes_as_it_is() {
        let packet = tone(440.0, 0.05);
        let mut pcm = PcmSound::new(SPEECH_RATE, Quality::Speech);
        let sound = pcm.sound(&packet);
        let back: Vec<u8> = sound
            .iter()
            .flat_map(|sample| ((sample[0] * 32_768.0) as i16).to_le_bytes())
            .collect();
        assert!(back == packet);
        assert_eq!(pcm.delay(), 0);
    }

    #[test]
    fn lengths_are_told_and_bounded() {
        assert_eq!(pcm_samples(&[0; 1_600], 16_000), Some(2_400));
        assert_eq!(pcm_samples(&[0; 1_601], 16_000), None);
        assert_eq!(pcm_samples(&[], 16_000), None);
        assert_eq!(pcm_samples(&[0; 4], 0), None);
        assert_eq!(pcm_samples(&vec![0; 64_000], 16_000), None);
    }
}
