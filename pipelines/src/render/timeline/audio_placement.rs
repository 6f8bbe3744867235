/// Samples per second of all sound in a render.
const RATE: i64 = 48_000;
/// A packet may be stretched or shortened by one part in this many.
const STRETCH: i64 = 50;
/// A deviation smaller than this is left alone, samples (2 ms).
const DEAD_BAND: i64 = 96;
/// A deviation that is being corrected is corrected down to this, samples.
const SETTLED: i64 = 12;
/// Beyond this, sound is moved at once in a moment of silence, samples (40 ms).
const JUMP: i64 = 1_920;
/// If no silence comes, sound is moved all the same, samples (1.5 s).
const JUMP_PATIENCE: i64 = 72_000;
/// Beyond this there is no waiting for silence, samples (250 ms).
const JUMP_AT_ONCE: i64 = 12_000;
/// RTP time that goes back further than this is another timeline, samples.
const RESTART: i64 = 96_000;
/// The longest gap that is concealed, samples (100 ms); the rest is silence. For longer ones Opus
/// makes noise of what it heard within minutes, which a render that goes on has not decoded.
pub const CONCEALED: i64 = 4_800;
/// Sound that comes this long after the sound before has nothing to do with it, samples (1 s).
const APART: i64 = RATE;

/// Where the sound of a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// First sample on the recording's time line.
    pub position: i64,
    /// Samples that the packet's sound is to take; a few more or less than it holds.
    pub length: i64,
    /// Samples to be concealed from the end of the sound before on: packets are missing there.
    pub conceal: i64,
    /// The first of them.
    pub conceal_from: i64,
    /// The sound before does not lead up to this one: fade in.
    pub fresh: bool,
    /// The sound before is so long ago that the decoder begins anew. It must not depend on what a
    /// render that goes on from here has not decoded.
    pub anew: bool,
}

/// Lines up the packets of one audio track without gaps and clicks while it follows the clock.
#[derive(Clone, Debug, Default)]
pub struct AudioPlacement {
    next: Option<Next>,
    /// Where the last packet's sound ends, also if the next one does not go on from it.
    ended: Option<i64>,
    correcting: bool,
    waiting: i64,
}

/// Where the next packet is expected.
#[derive(Clone, Copy, Debug)]
struct Next {
    rtp: i64,
    position: i64,
}

impl AudioPlacement {
    /// Places a packet of `length` samples that should be heard at `target` (samples since the
    /// recording's start). `quiet` tells whether the sound before it was silence. `rtp` counts
    /// samples. Nothing for a packet that comes again or too late.
    pub fn place(&mut self, rtp: i64, length: i64, target: i64, quiet: bool) -> Option<Placed> {
        let Some(next) = self.next else {
            return Some(self.anchor(rtp, length, target, 0));
        };
        let missing = rtp.saturating_sub(next.rtp);
        if missing < 0 {
            if missing < -RESTART {
                return Some(self.anchor(rtp, length, target, 0));
            }
            return None;
        }
        if missing > 0 {
            let continued = next.position.saturating_add(missing);
            if missing <= CONCEALED && target.saturating_sub(continued).abs() <= JUMP {
                return Some(self.anchor(rtp, length, continued, missing));
            }
            // A gap takes any correction unheard, as long as sound does not overlap.
            let position = target.max(next.position);
            let room = position - next.position;
            return Some(self.anchor(rtp, length, position, room.min(missing).min(CONCEALED)));
        }
        let deviation = target.saturating_sub(next.position);
        if deviation.abs() > JUMP {
            self.waiting += length;
            let now = quiet || deviation.abs() > JUMP_AT_ONCE || self.waiting > JUMP_PATIENCE;
            if now {
                return Some(self.anchor(rtp, length, target, 0));
            }
        } else {
            self.waiting = 0;
        }
        self.correcting = deviation.abs() > if self.correcting { SETTLED } else { DEAD_BAND };
        let most = length / STRETCH;
        let change = if self.correcting {
            deviation.clamp(-most, most)
        } else {
            0
        };
        let placed = Placed {
            position: next.position,
            length: length + change,
            conceal: 0,
            conceal_from: next.position,
            fresh: false,
            anew: false,
        };
        self.ended = Some(placed.position + placed.length);
        self.next = Some(Next {
            rtp: rtp + length,
            position: next.position + placed.length,
        });
        Some(placed)
    }

    /// The next packet does not go on from the one before: time was left out between them.
    pub fn cut(&mut self) {
        *self = Self {
            ended: self.ended,
            ..Self::default()
        };
    }

    /// From which sample on a packet that should be heard at `target` is needed: where the sound
    /// before it ends, as a short gap is concealed from there.
    pub fn needed_from(&self, target: i64) -> i64 {
        self.next
            .map(|next| next.position)
            .filter(|position| target.saturating_sub(*position) < APART)
            .map_or(target, |position| position.min(target))
    }

    fn anchor(&mut self, rtp: i64, length: i64, position: i64, conceal: i64) -> Placed {
        let anew = self
            .ended
            .is_none_or(|ended| position.saturating_sub(ended) >= APART);
        // What would be concealed is mixed already.
        let conceal = if anew { 0 } else { conceal };
        let conceal_from = self.next.map_or(position, |next| next.position);
        let fresh = conceal == 0 || conceal_from + conceal < position;
        self.correcting = false;
        self.waiting = 0;
        self.ended = Some(position + length);
        self.next = Some(Next {
            rtp: rtp + length,
            position: position + length,
        });
        Placed {
            position,
            length,
            conceal,
            conceal_from,
            fresh,
            anew,
        }
    }
}

/// Samples at 48 kHz of an Opus packet, from its first bytes (RFC 6716, 3.1 and 3.2); nothing for
/// a packet that breaks the format.
pub fn opus_samples(packet: &[u8]) -> Option<i64> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(packet.get(1)? & 0x3F),
    };
    let samples = frame * count;
    (count > 0 && samples <= RATE * 120 / 1_000).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_in_order_touch() {
        let mut placement = AudioPlacement::default();
        for step in 0..100i64 {
            let placed = placement
                .place(step * 960, 960, 4_800 + step * 960, false)
                .unwrap();
            assert_eq!((placed.position, placed.length), (4_800 + step * 960, 960));
            assert_eq!(placed.fresh, step == 0);
        }
    }

    #[test]
    fn a_small_deviation_is_stretched_away_without_a_gap() {
        for shift in [-1_400i64, 1_400] {
            let mut placement = AudioPlacement::default();
            let mut end = 48_000;
            for step in 0..200i64 {
                let target = 48_000 + step * 960 + if step >= 10 { shift } else { 0 };
                let placed = placement.place(step * 960, 960, target, false).unwrap();
                assert_eq!(placed.position, end, "sound stays in one piece");
                assert!((placed.length - 960).abs() <= 20);
                end = placed.position + placed.length;
            }
            assert!(
                (end - (48_000 + 200 * 960 + shift)).abs() < 24,
                "{shift}: {end}"
            );
        }
    }

    #[test]
    fn a_large_deviation_waits_for_silence() {
        let mut placement = AudioPlacement::default();
        placement.place(0, 960, 0, false).unwrap();
        let loud = placement.place(960, 960, 960 + 4_000, false).unwrap();
        assert!(!loud.fresh && loud.position == 960);
        let quiet = placement.place(1_920, 960, 1_920 + 4_000, true).unwrap();
        assert!(quiet.fresh);
        assert_eq!(quiet.position, 5_920);
    }

    #[test]
    fn a_lost_packet_is_concealed_and_a_long_gap_is_silence() {
        let mut placement = AudioPlacement::default();
        placement.place(0, 960, 0, false).unwrap();
        let after_loss = placement.place(1_920, 960, 1_920, false).unwrap();
        assert_eq!(
            (after_loss.position, after_loss.conceal, after_loss.fresh),
            (1_920, 960, false)
        );
        let after_pause = placement.place(48_000, 960, 48_000, false).unwrap();
        assert_eq!(after_pause.conceal, CONCEALED);
        assert_eq!(after_pause.conceal_from, 2_880, "behind what is missed");
        assert!(after_pause.fresh && !after_pause.anew);
    }

    #[test]
    fn after_a_second_without_sound_decoders_begin_anew() {
        let mut placement = AudioPlacement::default();
        assert!(placement.place(0, 960, 0, false).unwrap().anew);
        let soon = placement.place(48_000, 960, 48_000, false).unwrap();
        assert!(!soon.anew);
        let late = placement.place(96_960, 960, 96_960, false).unwrap();
        assert!(late.anew && late.fresh);
        assert_eq!(late.conceal, 0);
        // Time that was left out does not count, but what lies around it does.
        placement.cut();
        assert!(!placement.place(0, 960, 98_000, false).unwrap().anew);
        placement.cut();
        assert!(placement.place(0, 960, 198_000, false).unwrap().anew);
    }

    #[test]
    fn a_repeated_packet_is_dropped() {
        let mut placement = AudioPlacement::default();
        placement.place(0, 960, 0, false).unwrap();
        placement.place(960, 960, 960, false).unwrap();
        assert_eq!(placement.place(960, 960, 960, false), None);
    }

    #[test]
    fn opus_packets_tell_their_length() {
        assert_eq!(opus_samples(&[0b1111_1000]), Some(960));
        assert_eq!(opus_samples(&[0b0000_1000]), Some(960));
        assert_eq!(opus_samples(&[0b1000_0001]), Some(240));
        assert_eq!(opus_samples(&[0b1111_1011, 3]), Some(2_880));
        assert_eq!(opus_samples(&[0b1111_1011, 63]), None);
        assert_eq!(opus_samples(&[]), None);
    }
}
