//! Ogg tells no times but the number of samples: what is missing is filled with silence.

use bytes::Bytes;

use crate::render::timeline::opus_samples;

/// Opus counts in samples of 48 kHz.
const RATE: u64 = 48_000;
/// 20 ms of silence: a packet of which a decoder makes nothing but that.
const SILENCE: &[u8] = &[0xF8, 0xFF, 0xFE];
const SILENCE_SAMPLES: u64 = 960;

/// Packets with the times at which they follow one another without a gap, ns.
#[derive(Debug, Default)]
pub struct Filling {
    /// Samples so far.
    samples: u64,
}

impl Filling {
    /// The packets that bring `packet` to `place_ns`, as near as 20 ms, and itself: each with its
    /// time and length, ns.
    pub fn place(&mut self, packet: &Bytes, place_ns: u64) -> Vec<(Bytes, u64, u64)> {
        let target = u64::try_from(u128::from(place_ns) * u128::from(RATE) / 1_000_000_000)
            .unwrap_or(u64::MAX);
        let mut packets = Vec::new();
        while self.samples + SILENCE_SAMPLES <= target {
            packets.push(self.next(Bytes::from_static(SILENCE), SILENCE_SAMPLES));
        }
        let samples = opus_samples(packet).map_or(SILENCE_SAMPLES, |samples| samples as u64);
        packets.push(self.next(packet.clone(), samples));
        packets
    }

    fn next(&mut self, packet: Bytes, samples: u64) -> (Bytes, u64, u64) {
        let at = nanoseconds(self.samples);
        self.samples += samples;
        (packet, at, nanoseconds(self.samples) - at)
    }
}

fn nanoseconds(samples: u64) -> u64 {
    samples.saturating_mul(1_000_000_000) / RATE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_keeps_the_time() {
        let packet = Bytes::from_static(&[0xF8, 1, 2]);
        let mut filling = Filling::default();
        assert_eq!(filling.place(&packet, 100_000_000).len(), 6);
        let next = filling.place(&packet, 120_000_000);
        assert_eq!(next, [(packet.clone(), 120_000_000, 20_000_000)]);
        // A little late is jitter.
        let next = filling.place(&packet, 145_000_000);
        assert_eq!(next, [(packet.clone(), 140_000_000, 20_000_000)]);
        let after_pause = filling.place(&packet, 1_160_000_000);
        assert_eq!(after_pause.len(), 51);
        assert_eq!(after_pause[50].1, 1_160_000_000);
    }
}
