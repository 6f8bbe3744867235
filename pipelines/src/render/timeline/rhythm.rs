use std::collections::VecDeque;

/// How long frames count for a rate, ns.
const WINDOW_NS: i64 = 2_000_000_000;
/// How much a source may differ from a divider of the canvas's rate and still be taken for it.
const TOLERANCE: f64 = 0.06;

/// The frame rate of one source, from the RTP times of its frames.
#[derive(Clone, Debug, Default)]
pub struct SourceRate {
    times_ns: VecDeque<i64>,
}

impl SourceRate {
    /// Counts a frame of a moment on the source's own time line.
    pub fn count(&mut self, time_ns: i64) {
        if self.times_ns.back().is_some_and(|&last| time_ns < last) {
            self.times_ns.clear();
        }
        self.times_ns.push_back(time_ns);
        while self
            .times_ns
            .front()
            .is_some_and(|&first| time_ns - first > WINDOW_NS)
        {
            self.times_ns.pop_front();
        }
    }

    /// Frames in a second; nothing before the second frame.
    pub fn per_second(&self) -> Option<f64> {
        let (first, last) = (self.times_ns.front()?, self.times_ns.back()?);
        let span = last - first;
        (span > 0).then(|| (self.times_ns.len() - 1) as f64 * 1e9 / span as f64)
    }
}

/// Slots in the time of one picture at the canvas's frame rate. A grid finer than the frame rate
/// lets pictures fall between the frames of sources that are out of step with one another.
pub const SLOTS_PER_PICTURE: u64 = 4;
/// A new place of the beat must be better by this much to be taken, slots.
const WORTH_MOVING: f64 = 0.3;
/// How far a picture may be from the frames in it, ns. What encoders and clocks add must stay
/// within 25 ms with it: farther off, lips and voice part visibly. Two sources of 15 frames/s are
/// never farther off than this.
const NEAR_ENOUGH_NS: f64 = 21e6;
/// What the frames of a steady source deviate from its beat, ns.
const JITTER_NS: f64 = 3e6;
/// The longest time between pictures that come closer together than the sources ask for, ns: no
/// frame is more than half of it off.
const CLOSE_NS: f64 = 50e6;

/// Decides in which slots of the time grid a picture is due. The output is no faster than the
/// fastest source, unless the sources are so far out of step that some would be shown too early or
/// too late.
#[derive(Clone, Debug)]
pub struct Rhythm {
    slots_per_second: u64,
    frame_rate: u32,
    /// Slots from one picture to the next that the fastest source asks for.
    wanted: u64,
    /// Slots from one picture to the next.
    spacing: u64,
    /// Pictures are due in slots with this remainder.
    beat: u64,
    last: Option<u64>,
}

impl Rhythm {
    /// A rhythm for at most `frame_rate` pictures in a second.
    pub fn new(frame_rate: u32) -> Self {
        let frame_rate = frame_rate.max(1);
        Self {
            slots_per_second: u64::from(frame_rate) * SLOTS_PER_PICTURE,
            frame_rate,
            wanted: SLOTS_PER_PICTURE,
            spacing: SLOTS_PER_PICTURE,
            beat: 0,
            last: None,
        }
    }

    /// Recording time of a slot, ns.
    pub fn time_of(&self, slot: u64) -> u64 {
        let (seconds, rest) = (slot / self.slots_per_second, slot % self.slots_per_second);
        seconds * 1_000_000_000 + rest * 1_000_000_000 / self.slots_per_second
    }

    /// Slots in a second.
    pub fn slots_per_second(&self) -> u64 {
        self.slots_per_second
    }

    /// Follows the rate of the fastest source. One that does not divide the canvas's rate moves
    /// against any beat, so pictures are closer together then; what does not change costs little.
    pub fn follow(&mut self, fastest: Option<f64>) {
        let wanted = match fastest {
            Some(rate) if rate > 0.0 => {
                let pictures = f64::from(self.frame_rate) / rate;
                let divider = ((pictures * (1.0 + TOLERANCE)) as u64).clamp(1, 8);
                let spacing = divider * SLOTS_PER_PICTURE;
                if pictures / divider as f64 - 1.0 <= TOLERANCE {
                    spacing
                } else {
                    spacing.min(self.close_spacing())
                }
            }
            _ => SLOTS_PER_PICTURE,
        };
        if wanted != self.wanted {
            self.wanted = wanted;
            self.space(wanted);
        }
    }

    fn space(&mut self, spacing: u64) {
        self.spacing = spacing;
        self.beat %= spacing;
    }

    /// The spacing of pictures for sources that share no beat, slots.
    fn close_spacing(&self) -> u64 {
        let slots = (CLOSE_NS / 1e9 * self.slots_per_second as f64) as u64;
        slots.max(SLOTS_PER_PICTURE)
    }

    /// Time from one picture to the next, ns.
    pub fn period_ns(&self) -> u64 {
        self.spacing * 1_000_000_000 / self.slots_per_second
    }

    /// Puts the beat where the farthest of the sources' frames is nearest, and the pictures closer
    /// together where that is not near enough. `frames_ns` holds the recording time of a frame of
    /// each source.
    pub fn align(&mut self, frames_ns: &[i64]) {
        if frames_ns.is_empty() {
            return;
        }
        let (best, distance) = self.best_beat(frames_ns, self.wanted);
        let slack = if self.spacing == self.wanted {
            JITTER_NS
        } else {
            0.0
        };
        let near_enough = (NEAR_ENOUGH_NS + slack) / 1e9 * self.slots_per_second as f64;
        let spacing = if distance <= near_enough {
            self.wanted
        } else {
            self.wanted.min(self.close_spacing())
        };
        if spacing != self.spacing {
            self.space(spacing);
        }
        let (best, distance) = if spacing == self.wanted {
            (best, distance)
        } else {
            self.best_beat(frames_ns, spacing)
        };
        let present = self.farthest(frames_ns, self.beat, spacing);
        if distance + WORTH_MOVING < present || present > near_enough && best != self.beat {
            self.beat = best;
        }
    }

    /// The beat whose farthest frame is nearest, and how far that is, slots.
    fn best_beat(&self, frames_ns: &[i64], spacing: u64) -> (u64, f64) {
        (0..spacing)
            .map(|beat| (beat, self.farthest(frames_ns, beat, spacing)))
            .min_by(|one, other| one.1.total_cmp(&other.1))
            .unwrap_or((0, 0.0))
    }

    /// How far the farthest of the frames is from its picture, slots.
    fn farthest(&self, frames_ns: &[i64], beat: u64, spacing: u64) -> f64 {
        let spacing = spacing as f64;
        let slot_ns = 1e9 / self.slots_per_second as f64;
        frames_ns
            .iter()
            .map(|&frame| {
                let apart = (frame as f64 / slot_ns - beat as f64).rem_euclid(spacing);
                apart.min(spacing - apart)
            })
            .fold(0.0, f64::max)
    }

    /// How far after a slot a frame may lie and still be shown in it: half a picture's time, so
    /// that pictures are as often a little early as a little late, ns.
    pub fn reach_ns(&self) -> u64 {
        self.period_ns() / 2
    }

    /// Whether a picture is due in a slot.
    pub fn due(&self, slot: u64) -> bool {
        slot % self.spacing == self.beat && self.permitted(slot)
    }

    /// Whether the canvas's frame rate permits a picture in a slot.
    pub fn permitted(&self, slot: u64) -> bool {
        self.last
            .is_none_or(|last| slot >= last + SLOTS_PER_PICTURE)
    }

    /// The first slot after `slot` in which a picture is due.
    pub fn next_due(&self, slot: u64) -> u64 {
        let into = (slot + self.spacing - self.beat) % self.spacing;
        slot + self.spacing - into
    }

    /// A new picture was made in a slot.
    pub fn made(&mut self, slot: u64) {
        self.last = Some(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spacing(frame_rate: u32, fastest: f64) -> u64 {
        let mut rhythm = Rhythm::new(frame_rate);
        rhythm.follow(Some(fastest));
        rhythm.spacing
    }

    #[test]
    fn the_output_follows_the_fastest_source() {
        assert_eq!(spacing(30, 15.0), 8);
        assert_eq!(spacing(30, 15.6), 8);
        assert_eq!(spacing(30, 10.1), 12);
        assert_eq!(spacing(30, 20.0), 4);
        assert_eq!(spacing(30, 25.0), 4);
        assert_eq!(spacing(30, 60.0), 4);
    }

    #[test]
    fn a_source_that_keeps_no_beat_is_never_shown_far_off() {
        for rate in [0.2, 2.0, 4.0, 7.0, 12.0, 13.0] {
            assert_eq!(spacing(30, rate), 6, "{rate} frames in a second");
        }
        assert_eq!(spacing(30, 14.5), 8);
        assert_eq!(spacing(30, 3.75), 32);
    }

    #[test]
    fn a_rate_is_measured_over_the_last_seconds() {
        let mut rate = SourceRate::default();
        assert_eq!(rate.per_second(), None);
        for frame in 0..100 {
            rate.count(frame * 66_666_667);
        }
        assert!((rate.per_second().unwrap() - 15.0).abs() < 0.01);
        for frame in 0..100 {
            rate.count(6_666_666_700 + frame * 33_333_333);
        }
        assert!((rate.per_second().unwrap() - 30.0).abs() < 0.01);
    }

    #[test]
    fn pictures_are_due_in_steps() {
        let mut rhythm = Rhythm::new(30);
        rhythm.follow(Some(15.0));
        let due: Vec<u64> = (0..24).filter(|&slot| rhythm.due(slot)).collect();
        assert_eq!(due, [0, 8, 16]);
        assert_eq!(rhythm.next_due(8), 16);
        assert_eq!(rhythm.next_due(9), 16);
        rhythm.made(14);
        assert!(!rhythm.due(16), "too soon for 30 in a second");
        assert_eq!(rhythm.reach_ns(), 33_333_333);
    }

    #[test]
    fn the_beat_lies_where_no_source_is_far_off() {
        let mut rhythm = Rhythm::new(30);
        rhythm.follow(Some(15.0));
        // One source: its frames are within half a slot of a picture.
        rhythm.align(&[50_000_000]);
        assert!(rhythm.due(6));
        // Two that are apart: the picture falls between them.
        rhythm.align(&[1_000_000, 26_000_000]);
        assert!(rhythm.due(2));
        // Apart across the end of a period.
        rhythm.align(&[3_000_000, 65_000_000]);
        assert!(rhythm.due(0));
    }

    #[test]
    fn sources_far_out_of_step_get_pictures_closer_together() {
        let mut rhythm = Rhythm::new(30);
        rhythm.follow(Some(10.0));
        let spread: Vec<i64> = (0..9).map(|source| source * 11_000_000).collect();
        rhythm.align(&spread);
        assert_eq!(rhythm.period_ns(), 50_000_000);
        assert_eq!(rhythm.reach_ns(), 25_000_000);
        // In step again: as slow as the sources.
        rhythm.align(&[1_000_000, 5_000_000]);
        assert_eq!(rhythm.period_ns(), 100_000_000);
    }

    #[test]
    fn two_sources_never_ask_for_more_pictures_than_they_send() {
        for apart in 0..66 {
            let mut rhythm = Rhythm::new(30);
            rhythm.follow(Some(15.0));
            for start in 0..66 {
                rhythm.align(&[start * 1_000_000, (start + apart) * 1_000_000]);
                assert_eq!(rhythm.period_ns(), 66_666_666, "{apart} ms apart");
            }
        }
    }

    #[test]
    fn no_steady_source_is_shown_far_off() {
        for second in 0..66 {
            for third in second..66 {
                let frames = [0, second * 1_000_000, third * 1_000_000];
                let mut rhythm = Rhythm::new(30);
                rhythm.follow(Some(15.0));
                rhythm.align(&frames);
                let slots = rhythm.farthest(&frames, rhythm.beat, rhythm.spacing);
                // In pictures closer together a frame is shown in the next that comes.
                let off_ms = if rhythm.spacing == rhythm.wanted {
                    slots * 1000.0 / 120.0
                } else {
                    rhythm.period_ns() as f64 / 2e6
                };
                assert!(off_ms <= 25.0, "{off_ms} ms at {second} and {third} ms");
            }
        }
    }

    #[test]
    fn slots_do_not_drift_from_whole_seconds() {
        let rhythm = Rhythm::new(30);
        assert_eq!(rhythm.time_of(120 * 36_000), 36_000_000_000_000);
        assert_eq!(rhythm.time_of(1), 8_333_333);
    }
}
