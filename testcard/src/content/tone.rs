//! Finding beeps of one pitch in a sound.

use std::f64::consts::TAU;

/// Length of the window in which the pitch is looked for, s: long enough to tell pitches 150 Hz
/// apart, far shorter than a beep.
const WINDOW_SECONDS: f64 = 0.02;
/// Time from one look to the next, s.
const HOP_SECONDS: f64 = 0.002;
/// The faintest beep, amplitude.
const FAINTEST: f64 = 0.01;
/// The faintest beep, of the loudest one of that pitch.
const FAINTEST_OF_LOUDEST: f64 = 0.35;
/// Nothing within this time of a beep's beginning is another one, s.
const APART_SECONDS: f64 = 0.15;

/// The times at which beeps of `pitch` Hz begin, s from the first sample. A beep begins where half
/// of its loudness is reached, found between two looks by interpolation (within about 1 ms).
pub(super) fn onsets(samples: &[f32], sample_rate: f64, pitch: f64) -> Vec<f64> {
    let hop = HOP_SECONDS * sample_rate;
    let levels = levels(samples, sample_rate, pitch, hop);
    let loudest = levels.iter().copied().fold(0.0, f64::max);
    let threshold = FAINTEST.max(FAINTEST_OF_LOUDEST * loudest);
    let apart = (APART_SECONDS / HOP_SECONDS) as usize;
    let window = (WINDOW_SECONDS / HOP_SECONDS) as usize;
    let mut onsets = Vec::new();
    let mut index = 0;
    while index < levels.len() {
        if levels[index] < threshold {
            index += 1;
            continue;
        }
        // Loudness is full one window after the beginning.
        let ahead = &levels[index..levels.len().min(index + 2 * window)];
        let half = ahead.iter().copied().fold(0.0, f64::max) / 2.0;
        let back = levels[..=index].iter().rposition(|&level| level < half);
        let forth = || (index..levels.len()).find(|&later| levels[later] >= half);
        let crossing = match back {
            Some(below) if levels[index] >= half => below as f64 + fraction(&levels, below, half),
            Some(_) => forth().map_or(index as f64, |above| {
                let below = above - 1;
                below as f64 + fraction(&levels, below, half)
            }),
            // It sounds from the first sample on.
            None => 0.0,
        };
        onsets.push(crossing * hop / sample_rate);
        index += apart;
        // A tone that goes on is one beep.
        while index < levels.len() && levels[index] >= threshold {
            index += 1;
        }
    }
    onsets
}

/// How far between `below` and the next level `half` is reached.
fn fraction(levels: &[f64], below: usize, half: f64) -> f64 {
    match levels.get(below + 1) {
        Some(above) if *above > levels[below] => (half - levels[below]) / (above - levels[below]),
        _ => 0.0,
    }
}

/// Amplitude of the pitch at each hop, in a Hann window centred there (Goertzel).
fn levels(samples: &[f32], sample_rate: f64, pitch: f64, hop: f64) -> Vec<f64> {
    let length = (WINDOW_SECONDS * sample_rate) as usize;
    let window: Vec<f64> = (0..length)
        .map(|index| 0.5 - 0.5 * (TAU * (index as f64 + 0.5) / length as f64).cos())
        .collect();
    let coefficient = 2.0 * (TAU * pitch / sample_rate).cos();
    // The mean of the window is one half, and so is the amplitude's part at the pitch.
    let scale = 4.0 / length as f64;
    let hops = (samples.len() as f64 / hop) as usize;
    (0..hops)
        .map(|index| {
            let centre = (index as f64 * hop) as isize;
            let start = centre - length as isize / 2;
            let (mut one, mut two) = (0.0, 0.0);
            for (offset, weight) in window.iter().enumerate() {
                let place = start + offset as isize;
                let sample = usize::try_from(place)
                    .ok()
                    .and_then(|place| samples.get(place));
                let next = f64::from(*sample.unwrap_or(&0.0)) * weight + coefficient * one - two;
                (one, two) = (next, one);
            }
            (one * one + two * two - coefficient * one * two)
                .max(0.0)
                .sqrt()
                * scale
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    /// Beeps of 60 ms at the given times, with faded ends.
    fn beeps(pitch: f64, amplitude: f64, times: &[f64], seconds: f64) -> Vec<f32> {
        let sample = |index: usize| {
            let now = index as f64 / RATE;
            let sounding = times
                .iter()
                .map(|time| now - time)
                .find(|t| (0.0..0.06).contains(t));
            sounding.map_or(0.0, |t| {
                let fade = (t.min(0.06 - t) / 0.002).min(1.0);
                amplitude * fade * (TAU * pitch * t).sin()
            })
        };
        (0..(seconds * RATE) as usize)
            .map(|index| sample(index) as f32)
            .collect()
    }

    #[test]
    fn beeps_are_found_within_two_milliseconds_at_any_pitch_and_loudness() {
        let times = [0.5, 1.503, 2.5077, 3.9];
        for pitch in [400.0, 703.0, 1_250.0, 2_000.0] {
            for amplitude in [0.03, 0.35, 0.9] {
                let found = onsets(&beeps(pitch, amplitude, &times, 5.0), RATE, pitch);
                assert_eq!(found.len(), times.len(), "{pitch} Hz");
                for (found, time) in found.iter().zip(times) {
                    assert!(
                        (found - time).abs() < 0.002,
                        "{pitch} Hz: {found} for {time}"
                    );
                }
            }
        }
    }

    #[test]
    fn other_pitches_and_silence_are_not_heard() {
        let sound = beeps(600.0, 0.35, &[1.0, 2.0], 3.0);
        assert_eq!(onsets(&sound, RATE, 1_000.0), Vec::<f64>::new());
        assert_eq!(onsets(&[0.0; 48_000], RATE, 600.0), Vec::<f64>::new());
        assert_eq!(onsets(&[], RATE, 600.0), Vec::<f64>::new());
    }

    #[test]
    fn beeps_under_louder_ones_of_another_pitch_keep_their_times() {
        let faint = beeps(500.0, 0.1, &[1.02, 2.02], 3.0);
        let loud = beeps(900.0, 0.5, &[1.0, 2.0], 3.0);
        let both: Vec<f32> = faint.iter().zip(&loud).map(|(a, b)| a + b).collect();
        let found = onsets(&both, RATE, 500.0);
        assert_eq!(found.len(), 2);
        assert!(
            (found[0] - 1.02).abs() < 0.004 && (found[1] - 2.02).abs() < 0.004,
            "{found:?}"
        );
    }

    #[test]
    fn a_tone_that_goes_on_is_one_beep() {
        let tone: Vec<f32> = (0..96_000)
            .map(|index| (TAU * 800.0 * f64::from(index) / RATE).sin() as f32)
            .collect();
        let found = onsets(&tone, RATE, 800.0);
        assert!(found.len() == 1 && found[0] < 0.001, "{found:?}");
    }
}
