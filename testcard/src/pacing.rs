//! Which frame is due when, and its RTP time. Pure.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::media::{LOOP_SECONDS, OPUS_FRAME_SECONDS};

/// Ties content time to the clocks: content time is whole when the wall clock is `phase` after a
/// whole second.
#[derive(Clone, Copy, Debug)]
pub struct ContentClock {
    origin: Instant,
    /// Content time at the origin, s.
    start: f64,
}

impl ContentClock {
    pub fn new(origin: Instant, wall: SystemTime, phase: f64) -> Self {
        let wall = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = f64::from(LOOP_SECONDS);
        // Reduced first: a double has no room for microseconds since 1970 times a rate.
        let reduced = (wall.as_secs() % u64::from(LOOP_SECONDS)) as f64;
        let start = (reduced + f64::from(wall.subsec_nanos()) / 1e9 - phase).rem_euclid(seconds);
        Self { origin, start }
    }

    /// Content time, s.
    fn content(&self, now: Instant) -> f64 {
        self.start + now.saturating_duration_since(self.origin).as_secs_f64()
    }

    /// When content time is `content`; the origin if that was before.
    fn instant(&self, content: f64) -> Instant {
        self.origin + Duration::from_secs_f64((content - self.start).max(0.0))
    }
}

/// The rhythm of one track.
#[derive(Clone, Debug)]
pub struct Pacer {
    clock: ContentClock,
    /// Content time from one frame to the next, s.
    interval: f64,
    /// Content time from a frame's first sample to its sending, s.
    latency: f64,
    /// RTP ticks per second of content.
    ticks: f64,
    /// RTP time of the origin.
    base: u32,
    next: u64,
}

/// A frame that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// Which frame of the content, counted from content time 0.
    pub index: u64,
    /// When it was taken.
    pub taken: Instant,
    pub rtp: u64,
}

impl Pacer {
    /// Pictures, sent when they are taken.
    pub fn video(clock: ContentClock, frame_rate: u32, base: u32, now: Instant) -> Self {
        Self::new(clock, 1.0 / f64::from(frame_rate), 0.0, 90_000.0, base, now)
    }

    /// Opus packets, sent when their 20 ms are over. The sample clock runs `drift_ppm` fast.
    pub fn audio(clock: ContentClock, drift_ppm: f64, base: u32, now: Instant) -> Self {
        let ticks = 48_000.0 * (1.0 + drift_ppm / 1e6);
        Self::new(
            clock,
            OPUS_FRAME_SECONDS,
            OPUS_FRAME_SECONDS,
            ticks,
            base,
            now,
        )
    }

    fn new(
        clock: ContentClock,
        interval: f64,
        latency: f64,
        ticks: f64,
        base: u32,
        now: Instant,
    ) -> Self {
        let next = (clock.content(now) / interval).ceil() as u64;
        Self {
            clock,
            interval,
            latency,
            ticks,
            base,
            next,
        }
    }

    /// When the next frame is to be sent.
    pub fn next_at(&self) -> Instant {
        self.clock
            .instant(self.next as f64 * self.interval + self.latency)
    }

    /// The next frame if its time has come.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        if self.next_at() > now {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let content = index as f64 * self.interval;
        let since_origin = (content - self.clock.start) * self.ticks;
        Some(Due {
            index,
            taken: self.clock.instant(content),
            // The base is below 2^32 and RTP time is cut to 32 bits when it is sent.
            rtp: (i64::from(self.base) + since_origin.round() as i64).max(0) as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(origin: Instant) -> ContentClock {
        let wall = UNIX_EPOCH + Duration::from_millis(1_700_000_003_250);
        ContentClock::new(origin, wall, 0.2)
    }

    #[test]
    fn flashes_and_beeps_meet_on_the_phase() {
        let origin = Instant::now();
        let mut video = Pacer::video(clock(origin), 15, 1_000, origin);
        let mut audio = Pacer::audio(clock(origin), 0.0, 5_000, origin);
        let later = origin + Duration::from_secs(3);
        let flash = std::iter::from_fn(|| video.due(later))
            .find(|due| due.index % 15 == 0)
            .expect("a flash");
        let beep = std::iter::from_fn(|| audio.due(later))
            .find(|due| due.index % 50 == 0)
            .expect("a beep");
        // 3.25 s of wall time are 0.95 s before the next second with a phase of 0.2 s.
        let expected = Duration::from_millis(950);
        for taken in [flash.taken, beep.taken] {
            let error = (taken - origin).abs_diff(expected);
            assert!(error < Duration::from_micros(10), "{error:?}");
        }
        assert_eq!(flash.rtp, 1_000 + 85_500);
        assert_eq!(beep.rtp, 5_000 + 45_600);
    }

    #[test]
    fn drift_stretches_rtp_time_of_sound_only() {
        let origin = Instant::now();
        let mut audio = Pacer::audio(clock(origin), 200.0, 0, origin);
        let hour = origin + Duration::from_secs(3_600);
        let packets: Vec<Due> = std::iter::from_fn(|| audio.due(hour)).collect();
        let (first, last) = (packets[0], packets[packets.len() - 1]);
        let ticks = (last.rtp - first.rtp) as f64;
        let seconds = (last.taken - first.taken).as_secs_f64();
        assert!((ticks / seconds - 48_009.6).abs() < 0.01);
    }
}
