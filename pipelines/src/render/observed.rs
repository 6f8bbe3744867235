//! What is seen and heard of each track, for those who watch a recording: that a microphone is dead
//! or a lens covered is noticed while it can be helped.

use std::collections::BTreeMap;

use gstreamer_video as gst_video;

use super::picture::{Picture, some_luma};
use super::room::Room;
use crate::control::ObservedTrack;
use crate::log::TrackNumber;

/// Time between two looks, ns of file time.
const EVERY_NS: u64 = 1_000_000_000;

/// The faintest level told, dB below full scale. What is fainter is silence.
const FLOOR: f32 = 60.0;

/// What is not brighter is dark, of 255: black is 16.
const DARK: u8 = 40;

/// Looks at the tracks of a room once a second.
#[derive(Default)]
pub struct Observed {
    next_ns: u64,
    /// When each track was last heard, or not dark.
    lively_ns: BTreeMap<TrackNumber, u64>,
}

impl Observed {
    /// What was seen and heard in the second before a moment of file time, ns; none until a second
    /// has passed since the last look.
    pub fn look(&mut self, room: &mut Room, now_ns: u64) -> Option<Vec<ObservedTrack>> {
        if now_ns < self.next_ns {
            return None;
        }
        self.next_ns = now_ns + EVERY_NS;
        let lively_ns = &mut self.lively_ns;
        lively_ns
            .retain(|track, _| room.audio.contains_key(track) || room.video.contains_key(track));
        let mut still_ms = |track, is_lively| {
            let since = lively_ns.entry(track).or_insert(now_ns);
            if is_lively {
                *since = now_ns;
            }
            now_ns.saturating_sub(*since) / 1_000_000
        };
        let mut observed = Vec::new();
        for (&number, track) in &mut room.audio {
            let level = level(track.take_peak());
            observed.push(ObservedTrack {
                id: track.info().id.clone(),
                level: Some(level),
                silent_ms: still_ms(number, level > 0),
                black_ms: 0,
            });
        }
        for (&number, track) in &room.video {
            let is_dark = track.picture().is_some_and(is_dark);
            observed.push(ObservedTrack {
                id: track.info().id.clone(),
                level: None,
                silent_ms: 0,
                black_ms: still_ms(number, !is_dark),
            });
        }
        Some(observed)
    }
}

/// Where a peak lies between [`FLOOR`] and full scale, of 100.
fn level(peak: f32) -> u8 {
    let decibels = 20.0 * peak.max(f32::MIN_POSITIVE).log10();
    (100.0 * (1.0 + decibels / FLOOR)).clamp(0.0, 100.0).round() as u8
}

fn is_dark(picture: &Picture) -> bool {
    let Some(buffer) = picture.sample.buffer() else {
        return false;
    };
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &picture.info);
    let brightest = frame
        .ok()
        .and_then(|frame| some_luma(&frame).into_iter().max());
    brightest.is_some_and(|brightest| brightest < DARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_decibels() {
        for (peak, expected) in [
            (0.0, 0),
            (0.001, 0),
            (0.0316, 50),
            (0.5, 90),
            (1.0, 100),
            (1.5, 100),
        ] {
            assert_eq!(level(peak), expected, "{peak}");
        }
    }
}
