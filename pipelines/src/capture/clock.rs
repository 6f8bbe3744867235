use std::time::{Duration, Instant};

use crate::process::now_wall_ns;

/// A moment in both kinds of time that a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds of recording time.
    pub time_ns: u64,
    /// Unix nanoseconds.
    pub wall_ns: i64,
}

/// Recording time: monotonic nanoseconds since the recording began.
#[derive(Clone, Copy, Debug)]
pub struct RecordingClock {
    base: Instant,
    /// Recording time at `base`.
    base_ns: u64,
}

impl RecordingClock {
    /// A clock that shows `base_ns` at `base`.
    pub fn new(base: Instant, base_ns: u64) -> Self {
        Self { base, base_ns }
    }

    /// Recording time at an instant, nanoseconds; 0 for what was before the recording.
    pub fn at(&self, instant: Instant) -> u64 {
        match instant.checked_duration_since(self.base) {
            Some(after) => self.base_ns + nanoseconds(after),
            None => self
                .base_ns
                .saturating_sub(nanoseconds(self.base.duration_since(instant))),
        }
    }

    /// When recording time will be `time_ns`.
    pub fn instant(&self, time_ns: u64) -> Instant {
        self.base + Duration::from_nanos(time_ns.saturating_sub(self.base_ns))
    }

    /// Now.
    pub fn now(&self) -> Moment {
        Moment {
            time_ns: self.at(Instant::now()),
            wall_ns: now_wall_ns(),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_its_base_in_both_directions() {
        let base = Instant::now();
        let clock = RecordingClock::new(base, 5_000_000_000);
        assert_eq!(clock.at(base), 5_000_000_000);
        assert_eq!(clock.at(base + Duration::from_millis(20)), 5_020_000_000);
        if let Some(before) = base.checked_sub(Duration::from_secs(1)) {
            assert_eq!(clock.at(before), 4_000_000_000);
        }
        assert_eq!(clock.instant(6_000_000_000), base + Duration::from_secs(1));
    }
}
