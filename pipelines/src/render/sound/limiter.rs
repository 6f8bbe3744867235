use std::collections::VecDeque;

use super::{Quality, Stereo};

/// Part of the missing gain that comes back in a second.
const RELEASE: f32 = 9.6;

/// Keeps a mix below full scale by turning it down smoothly before a peak comes, and up slowly
/// after it: half of the gain is back in 70 ms. Quiet sound passes unchanged,
/// [`Limiter::lookahead`] samples later.
#[derive(Clone, Debug)]
pub struct Limiter {
    lookahead: usize,
    /// No sample is louder than this.
    ceiling: f32,
    /// Part of the missing gain that comes back with each sample.
    release: f32,
    delayed: VecDeque<Stereo>,
    /// Least gain of the last samples: sample number and gain, both ascending.
    least: VecDeque<(u64, f32)>,
    /// Gains of the last samples, whose mean is applied.
    gains: VecDeque<f32>,
    sum: f64,
    gain: f32,
    sample: u64,
}

impl Limiter {
    /// A limiter for a mix of this quality.
    pub fn new(quality: Quality) -> Self {
        let lookahead = Self::lookahead(quality) as usize;
        Self {
            lookahead,
            ceiling: match quality {
                // The rest is left for what lossy coding adds.
                Quality::Full => 0.84,
                Quality::Speech => 0.98,
            },
            release: RELEASE / quality.rate() as f32,
            delayed: std::iter::repeat_n([0.0; 2], lookahead).collect(),
            least: VecDeque::new(),
            gains: std::iter::repeat_n(1.0, lookahead + 1).collect(),
            sum: (lookahead + 1) as f64,
            gain: 1.0,
            sample: 0,
        }
    }

    /// Samples by which the output is behind the input (5 ms).
    pub const fn lookahead(quality: Quality) -> u64 {
        quality.rate() / 200
    }

    /// Replaces each sample by the one that came [`Limiter::lookahead`] samples before, limited.
    pub fn process(&mut self, samples: &mut [Stereo]) {
        let peak = samples
            .iter()
            .flatten()
            .fold(0.0f32, |peak, value| peak.max(value.abs()));
        let idle =
            self.least.is_empty() && self.gain >= 1.0 && self.sum >= (self.lookahead + 1) as f64;
        if idle && peak <= self.ceiling {
            self.sample += samples.len() as u64;
            self.delayed.extend(samples.iter().copied());
            for sample in samples.iter_mut() {
                *sample = self.delayed.pop_front().unwrap_or_default();
            }
            return;
        }
        for sample in samples.iter_mut() {
            *sample = self.step(*sample);
        }
    }

    fn step(&mut self, input: Stereo) -> Stereo {
        let peak = input[0].abs().max(input[1].abs());
        let peak = if peak.is_finite() { peak } else { 0.0 };
        let needed = if peak > self.ceiling {
            self.ceiling / peak
        } else {
            1.0
        };
        if needed < 1.0 {
            while self.least.back().is_some_and(|&(_, gain)| gain >= needed) {
                self.least.pop_back();
            }
            self.least.push_back((self.sample, needed));
        }
        while self
            .least
            .front()
            .is_some_and(|&(sample, _)| sample + (self.lookahead as u64) < self.sample)
        {
            self.least.pop_front();
        }
        let allowed = self.least.front().map_or(1.0, |&(_, gain)| gain);
        let released = self.gain + (1.0 - self.gain) * self.release;
        // The last of the way up is not worth calculating on.
        let released = if released > 0.999_9 { 1.0 } else { released };
        self.gain = allowed.min(released);
        self.gains.push_back(self.gain);
        self.sum += f64::from(self.gain) - f64::from(self.gains.pop_front().unwrap_or(1.0));
        if self.gain >= 1.0 && self.gains.iter().all(|&gain| gain >= 1.0) {
            // Sums of rounded numbers must not keep the limiter from resting.
            self.sum = (self.lookahead + 1) as f64;
        }
        let mean = (self.sum / (self.lookahead + 1) as f64) as f32;
        self.sample += 1;
        self.delayed.push_back(input);
        let output = self.delayed.pop_front().unwrap_or_default();
        output.map(|value| {
            let value = if value.is_finite() { value * mean } else { 0.0 };
            value.clamp(-self.ceiling, self.ceiling)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOKAHEAD: usize = 240;

    fn tone(count: usize, amplitude: f32) -> Vec<Stereo> {
        (0..count)
            .map(|index| [amplitude * (index as f32 * 0.06).sin(); 2])
            .collect()
    }

    fn limited(mut samples: Vec<Stereo>) -> Vec<Stereo> {
        let mut limiter = Limiter::new(Quality::Full);
        for chunk in samples.chunks_mut(1_600) {
            limiter.process(chunk);
        }
        samples
    }

    #[test]
    fn quiet_sound_passes_unchanged() {
        let input = tone(9_600, 0.7);
        let output = limited(input.clone());
        assert_eq!(output[LOOKAHEAD..], input[..input.len() - LOOKAHEAD]);
    }

    #[test]
    fn the_sum_of_many_voices_is_turned_down_not_cut() {
        let input = tone(48_000, 3.0);
        let output = limited(input);
        let peak = output
            .iter()
            .flatten()
            .fold(0.0f32, |peak, value| peak.max(value.abs()));
        assert!((0.7..=0.84).contains(&peak), "{peak}");
        // Cutting would leave flat tops: neighbours of the same value.
        let flat = output
            .windows(2)
            .filter(|pair| pair[0][0] == pair[1][0] && pair[0][0].abs() > 0.8)
            .count();
        assert!(flat < 20, "{flat} flat samples");
    }

    #[test]
    fn after_a_loud_moment_the_level_comes_back() {
        let mut input = tone(4_800, 2.0);
        input.extend(tone(96_000, 0.5));
        let output = limited(input.clone());
        let tail = 90_000;
        for index in tail..tail + 100 {
            assert!((output[index + LOOKAHEAD][0] - input[index][0]).abs() < 0.005);
        }
    }
}
