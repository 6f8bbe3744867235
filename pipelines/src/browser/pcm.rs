//! Sound as a page sends it. Pure.

use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::log::Codec;
use crate::rooms::media::MediaFrame;

use super::channel::{MIX_TRACK, SAMPLE_RATE};

/// Before the samples: sequence number (u32), count (u32), number of the first sample on the page's
/// audio clock (f64), the page's wall clock then (f64, Unix ms).
const HEADER_BYTES: usize = 24;

/// Of one message; the page sends 50 ms at a time.
const MOST_SAMPLES: usize = SAMPLE_RATE as usize;

/// A piece of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    sequence: u32,
    /// Of the first sample; may jump ahead of what was sent when the browser was late.
    first: u64,
    wall_ms: f64,
    /// 16 bits each, little endian, one channel.
    payload: Bytes,
}

impl Samples {
    /// Reads a message; none if it is malformed.
    pub fn decode(mut message: Bytes) -> Option<Self> {
        if message.len() < HEADER_BYTES {
            return None;
        }
        let sequence = message.get_u32_le();
        let count = message.get_u32_le() as usize;
        let first = message.get_f64_le();
        let wall_ms = message.get_f64_le();
        let in_bounds = (1..=MOST_SAMPLES).contains(&count) && message.len() == 2 * count;
        // Any number below 2^53 is exact.
        let is_clock = (0.0..9e15).contains(&first) && wall_ms.is_finite();
        (in_bounds && is_clock).then(|| Self {
            sequence,
            first: first as u64,
            wall_ms,
            payload: message,
        })
    }

    fn count(&self) -> u64 {
        self.payload.len() as u64 / 2
    }
}

/// Makes frames of a page's sound and watches its clocks.
#[derive(Debug, Default)]
pub struct Sound {
    last: Option<Last>,
    /// Of the audio clock against the wall clock at the beginning, ms; the least seen.
    offset_ms: Option<f64>,
    /// A drift that was told, ms.
    told_ms: f64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    sequence: u32,
    next: u64,
}

/// Beyond this the audio clock is told to drift, ms.
const DRIFT_MS: f64 = 250.0;

impl Sound {
    /// The frame of a piece.
    pub fn frame(&mut self, samples: Samples) -> MediaFrame {
        let expected = self.last.map(|last| last.sequence.wrapping_add(1));
        let lost = expected.map_or(0, |expected| samples.sequence.wrapping_sub(expected));
        let contiguous = self
            .last
            .is_none_or(|last| lost == 0 && last.next == samples.first);
        self.last = Some(Last {
            sequence: samples.sequence,
            next: samples.first + samples.count(),
        });
        MediaFrame {
            track: MIX_TRACK,
            codec: Codec::Pcm,
            clock_rate: SAMPLE_RATE,
            keyframe: true,
            contiguous,
            // It wraps, as RTP time does.
            rtp: samples.first as u32,
            packets_lost: lost,
            payload: samples.payload,
        }
    }

    /// How far the page's audio clock has drifted from its wall clock, if that is news.
    pub fn drift(&mut self, samples: &Samples) -> Option<Duration> {
        let audio_ms = samples.first as f64 * 1e3 / f64::from(SAMPLE_RATE);
        let offset_ms = samples.wall_ms - audio_ms;
        let first_ms = *self.offset_ms.get_or_insert(offset_ms);
        let drift_ms = (offset_ms - first_ms).abs();
        if drift_ms < self.told_ms + DRIFT_MS {
            return None;
        }
        self.told_ms = drift_ms;
        Some(Duration::from_secs_f64(drift_ms / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;

    fn piece(sequence: u32, first: f64, wall_ms: f64, count: u32) -> Bytes {
        let mut message = BytesMut::new();
        message.put_u32_le(sequence);
        message.put_u32_le(count);
        message.put_f64_le(first);
        message.put_f64_le(wall_ms);
        message.put_bytes(0, 2 * count as usize);
        message.freeze()
    }

    #[test]
    fn a_jump_of_the_clock_and_a_lost_piece_are_told() {
        let mut sound = Sound::default();
        let mut frame = |sequence, first| {
            let samples = Samples::decode(piece(sequence, first, 0.0, 800)).unwrap();
            let frame = sound.frame(samples);
            (frame.rtp, frame.contiguous, frame.packets_lost)
        };
        assert_eq!(frame(7, 1_600.0), (1_600, true, 0));
        assert_eq!(frame(8, 2_400.0), (2_400, true, 0));
        assert_eq!(frame(9, 16_000.0), (16_000, false, 0));
        assert_eq!(frame(11, 17_600.0), (17_600, false, 1));
        // RTP time wraps after three days.
        assert_eq!(frame(12, 4_294_967_296.0 + 5.0), (5, false, 0));
    }

    #[test]
    fn a_clock_that_drifts_is_told_now_and_then() {
        let mut sound = Sound::default();
        let mut drift = |first: f64, wall_ms: f64| {
            let samples = Samples::decode(piece(0, first, wall_ms, 800)).unwrap();
            sound.drift(&samples).map(|drift| drift.as_millis())
        };
        assert_eq!(drift(0.0, 1_000.0), None);
        assert_eq!(drift(16_000.0, 2_030.0), None);
        assert_eq!(drift(32_000.0, 3_300.0), Some(300));
        assert_eq!(drift(48_000.0, 4_400.0), None);
        assert_eq!(drift(64_000.0, 5_600.0), Some(600));
    }

    proptest! {
        #[test]
        fn any_message_is_read_without_harm(message in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(samples) = Samples::decode(message.into()) {
                let mut sound = Sound::default();
                sound.drift(&samples);
                sound.frame(samples);
            }
        }
    }
}
