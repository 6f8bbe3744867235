use std::ops::Range;

use super::ParticipantClock;
use crate::log::TrackNumber;

/// The parts of the file between which time was left out, by pauses for instance. The clocks of
/// tracks go on meanwhile: they live in running time, which is file time and all that was left
/// out before.
#[derive(Clone, Debug)]
pub struct Stretches {
    all: Vec<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// What was left out before it, ns.
    left_out_ns: i64,
    /// Its first and last moment in file time, ns; the latest one is open.
    from_ns: i64,
    until_ns: i64,
}

impl Default for Stretches {
    fn default() -> Self {
        Self {
            all: vec![Stretch {
                left_out_ns: 0,
                from_ns: i64::MIN,
                until_ns: i64::MAX,
            }],
        }
    }
}

impl Stretches {
    /// The number of the stretch that is being read.
    pub fn current(&self) -> usize {
        self.all.len() - 1
    }

    /// File time of the stretch that is being read as running time, ns.
    pub fn running(&self, file_ns: i64) -> i64 {
        file_ns.saturating_add(self.of(self.current()).left_out_ns)
    }

    /// The stretch ends: from here on time is left out.
    pub fn end(&mut self, file_ns: i64) {
        if let Some(last) = self.all.last_mut() {
            last.until_ns = last.until_ns.min(file_ns.max(last.from_ns));
        }
    }

    /// The next stretch begins, after so much was left out, ns.
    pub fn begin(&mut self, file_ns: i64, left_out_ns: u64) {
        self.end(file_ns);
        let before = self.of(self.current());
        let left_out_ns = i64::try_from(left_out_ns).unwrap_or(i64::MAX);
        self.all.push(Stretch {
            left_out_ns: before.left_out_ns.saturating_add(left_out_ns),
            from_ns: file_ns.max(before.until_ns),
            until_ns: i64::MAX,
        });
    }

    fn of(&self, stretch: usize) -> Stretch {
        self.all[stretch.min(self.current())]
    }
}

/// How a frame was received.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// File time, ns.
    pub at_ns: i64,
    /// The number of the stretch.
    pub stretch: usize,
    /// Its track is left out from here on, as decoding it made the render die.
    pub deadly: bool,
}

/// Places the frames of one track in the file.
#[derive(Clone, Copy)]
pub struct Placing<'a> {
    track: TrackNumber,
    clock: Option<&'a ParticipantClock>,
    stretches: &'a Stretches,
}

impl<'a> Placing<'a> {
    pub fn new(
        track: TrackNumber,
        clock: Option<&'a ParticipantClock>,
        stretches: &'a Stretches,
    ) -> Self {
        Self {
            track,
            clock,
            stretches,
        }
    }

    /// File time of RTP time that was received in a stretch, ns; it may lie beyond the stretch.
    pub fn place(&self, rtp: i64, stretch: usize) -> Option<i64> {
        let running = self.clock?.place(self.track, rtp)?;
        Some(running.saturating_sub(self.stretches.of(stretch).left_out_ns))
    }

    /// File time that a stretch fills, ns: nothing that was received in it belongs elsewhere.
    pub fn bounds(&self, stretch: usize) -> Range<i64> {
        let stretch = self.stretches.of(stretch);
        stretch.from_ns..stretch.until_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Codec, TrackInfo, TrackKind, TrackSource};

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn clocks_go_on_while_time_is_left_out() {
        let mut stretches = Stretches::default();
        let mut clock = ParticipantClock::default();
        clock.add_track(&TrackInfo {
            track: 1,
            id: "TR_1".into(),
            participant: "PA_1".into(),
            kind: TrackKind::Video,
            source: TrackSource::Camera,
            codec: Codec::Vp8,
            clock_rate: 90_000,
            muted: false,
        });
        clock.arrival(1, stretches.running(2 * SECOND), 0);
        stretches.end(3 * SECOND);
        stretches.begin(3 * SECOND, 60 * SECOND as u64);
        // Sixty-two seconds later by the publisher's clock.
        let running = stretches.running(4 * SECOND);
        assert_eq!(running, 64 * SECOND);
        clock.arrival(1, running, 62 * 90_000);
        let placing = Placing::new(1, Some(&clock), &stretches);
        assert_eq!(placing.place(62 * 90_000, 1), Some(4 * SECOND));
        assert_eq!(placing.place(0, 0), Some(2 * SECOND));
        assert_eq!(placing.bounds(0).end, 3 * SECOND);
        assert_eq!(placing.bounds(1).start, 3 * SECOND);
    }
}
