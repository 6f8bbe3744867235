use std::collections::VecDeque;
use std::ops::Range;

use super::{Quality, Stereo};

/// The decoded sound of a track that has not been mixed yet, in its place.
#[derive(Clone, Debug)]
pub struct TrackSound {
    /// Number of the first sample kept.
    start: i64,
    samples: VecDeque<Stereo>,
    /// Samples over which an abrupt end is faded.
    fade: usize,
    /// The greatest sample mixed since somebody asked.
    peak: f32,
}

impl TrackSound {
    /// Nothing yet; its first sample is that of the mix at `position`.
    pub fn new(quality: Quality, position: i64) -> Self {
        Self {
            start: position,
            samples: VecDeque::new(),
            fade: quality.fade(),
            peak: 0.0,
        }
    }

    /// Puts sound at a position. What comes before the part already mixed is lost; what overlaps
    /// sound written before is left out.
    pub fn write(&mut self, position: i64, sound: &[Stereo]) {
        let end = self.end();
        let skipped = end.saturating_sub(position).max(0) as usize;
        let Some(sound) = sound.get(skipped..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let gap = position.saturating_sub(end).max(0) as usize;
        if gap > 0 {
            fade_tail(&mut self.samples, self.fade);
        }
        self.samples.extend(std::iter::repeat_n([0.0; 2], gap));
        self.samples.extend(sound);
    }

    /// Adds the sound from where the last mix ended to the samples of `mix` and forgets it. Sound
    /// that ends within is faded out.
    pub fn mix_into(&mut self, mix: &mut [Stereo]) {
        let count = self.samples.len();
        if count < mix.len() {
            fade_tail(&mut self.samples, self.fade);
        }
        let take = count.min(mix.len());
        for (sum, sample) in mix.iter_mut().zip(self.samples.drain(..take)) {
            sum[0] += sample[0];
            sum[1] += sample[1];
            self.peak = self.peak.max(sample[0].abs()).max(sample[1].abs());
        }
        self.start += mix.len() as i64;
    }

    /// The greatest sample mixed since this was asked, 1 at full scale.
    pub fn take_peak(&mut self) -> f32 {
        std::mem::take(&mut self.peak)
    }

    /// Number of the first sample that is not written yet.
    fn end(&self) -> i64 {
        self.start + self.samples.len() as i64
    }

    /// Whether nothing is left to mix.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// Fades the beginning of sound that nothing leads up to.
pub fn fade_in(sound: &mut [Stereo], fade: usize) {
    let fade = fade.min(sound.len());
    for (step, sample) in sound.iter_mut().take(fade).enumerate() {
        let gain = step as f32 / fade as f32;
        *sample = sample.map(|value| value * gain);
    }
}

/// Fades the end of sound that nothing follows.
pub fn fade_out(sound: &mut [Stereo], fade: usize) {
    let fade = fade.min(sound.len());
    fade_down(sound.iter_mut().rev().take(fade), fade);
}

fn fade_tail(sound: &mut VecDeque<Stereo>, fade: usize) {
    let fade = fade.min(sound.len());
    fade_down(sound.iter_mut().rev().take(fade), fade);
}

/// Fades samples that come last first.
fn fade_down<'a>(samples: impl Iterator<Item = &'a mut Stereo>, fade: usize) {
    for (step, sample) in samples.enumerate() {
        let gain = step as f32 / fade as f32;
        *sample = sample.map(|value| value * gain);
    }
}

/// Cuts off what of sound at a position lies beyond some bounds, and fades where it was cut.
/// Returns the position of the rest.
pub fn clip(sound: &mut Vec<Stereo>, position: i64, bounds: Range<i64>, fade: usize) -> i64 {
    let length = sound.len() as i64;
    let kept = bounds.end.saturating_sub(position).clamp(0, length);
    if kept < length {
        sound.truncate(kept as usize);
        fade_out(sound, fade);
    }
    let early = bounds.start.saturating_sub(position).clamp(0, kept);
    if early > 0 {
        sound.drain(..early as usize);
        fade_in(sound, fade);
    }
    position + early
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_mixed_where_it_was_put() {
        let mut sound = TrackSound::new(Quality::Full, 0);
        sound.write(3, &[[0.5, 0.25]; 400]);
        let mut mix = vec![[0.0; 2]; 10];
        sound.mix_into(&mut mix);
        assert_eq!(mix[2], [0.0; 2]);
        assert_eq!(mix[3], [0.5, 0.25]);
        let mut rest = vec![[0.0; 2]; 100];
        sound.mix_into(&mut rest);
        assert_eq!(rest[99], [0.5, 0.25]);
    }

    #[test]
    fn sound_stays_within_its_bounds() {
        let mut sound = vec![[1.0; 2]; 960];
        assert_eq!(clip(&mut sound, 100, i64::MIN..i64::MAX, 120), 100);
        assert_eq!(sound.len(), 960);
        assert_eq!(clip(&mut sound, 100, 400..1_000, 120), 400);
        assert_eq!(sound.len(), 600);
        assert_eq!((sound[0], sound[599]), ([0.0; 2], [0.0; 2]));
        assert_eq!(sound[300], [1.0; 2]);
        clip(&mut sound, 2_000, 400..1_000, 120);
        assert!(sound.is_empty());
    }

    #[test]
    fn sound_that_comes_too_late_is_lost() {
        let mut sound = TrackSound::new(Quality::Full, 0);
        sound.mix_into(&mut [[0.0; 2]; 100]);
        sound.write(90, &[[1.0; 2]; 400]);
        let mut mix = vec![[0.0; 2]; 100];
        sound.mix_into(&mut mix);
        assert_eq!(mix[0], [1.0; 2]);
        sound.write(0, &[[1.0; 2]; 50]);
        assert_eq!(sound.end(), 490);
    }
}
