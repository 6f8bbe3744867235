use std::collections::VecDeque;

/// How long frames count for a rate, ns.
const WINDOW_NS: i64 = 2_000_000_000;
/// How much faster than a divider of the canvas's rate a source may be and still be taken for it.
const TOLERANCE: f64 = 1.06;

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

/// Decides at which ticks of the canvas a picture is due, so that the output is no faster than
/// the fastest source although the sources' frames fall between one another's.
#[derive(Clone, Debug)]
pub struct Rhythm {
    frame_rate: u32,
    /// Ticks from one picture to the next.
    divider: u64,
    last: Option<u64>,
}

impl Rhythm {
    /// A rhythm on a grid of `frame_rate` ticks in a second.
    pub fn new(frame_rate: u32) -> Self {
        Self {
            frame_rate: frame_rate.max(1),
            divider: 1,
            last: None,
        }
    }

    /// Follows the rate of the fastest source.
    pub fn follow(&mut self, fastest: Option<f64>) {
        self.divider = match fastest {
            Some(rate) if rate > 0.0 => {
                ((f64::from(self.frame_rate) / rate * TOLERANCE) as u64).clamp(1, 8)
            }
            _ => 1,
        };
    }

    /// How far after a tick a frame may lie and still be shown at it: half a picture's time, so
    /// that pictures are as often a little early as a little late, ns.
    pub fn reach_ns(&self) -> u64 {
        self.divider * 500_000_000 / u64::from(self.frame_rate)
    }

    /// Whether a tick is due for a picture by the rhythm alone.
    pub fn due(&self, tick: u64) -> bool {
        self.last.is_none_or(|last| tick >= last + self.divider)
    }

    /// Ticks from `tick` to the next one that is due.
    pub fn ticks_to_next(&self, tick: u64) -> u64 {
        self.last
            .map_or(0, |last| (last + self.divider).saturating_sub(tick))
    }

    /// A new picture was made at a tick.
    pub fn made(&mut self, tick: u64) {
        self.last = Some(tick);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divider(frame_rate: u32, fastest: f64) -> u64 {
        let mut rhythm = Rhythm::new(frame_rate);
        rhythm.follow(Some(fastest));
        rhythm.divider
    }

    #[test]
    fn the_output_follows_the_fastest_source() {
        assert_eq!(divider(30, 15.0), 2);
        assert_eq!(divider(30, 15.6), 2);
        assert_eq!(divider(30, 10.1), 3);
        assert_eq!(divider(30, 20.0), 1);
        assert_eq!(divider(30, 25.0), 1);
        assert_eq!(divider(30, 60.0), 1);
        assert_eq!(divider(30, 0.2), 8);
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
        assert!(rhythm.due(7));
        rhythm.made(7);
        assert!(!rhythm.due(8));
        assert_eq!(rhythm.ticks_to_next(8), 1);
        assert!(rhythm.due(9));
        assert_eq!(rhythm.reach_ns(), 33_333_333);
    }
}
