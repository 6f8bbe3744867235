use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Recording time: monotonic nanoseconds since the recording began, without pauses. Clones are the
/// same clock.
#[derive(Clone, Debug)]
pub struct RecordingClock {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    base: Instant,
    /// Recording time at `base`.
    base_ns: u64,
    /// From here up to `base` it stood still.
    stood_since: Instant,
    /// It stands still from `base` on.
    stands: bool,
}

impl RecordingClock {
    /// A clock that shows `base_ns` at `base`.
    pub fn new(base: Instant, base_ns: u64) -> Self {
        let state = State {
            base,
            base_ns,
            stood_since: base,
            stands: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Recording time at an instant, nanoseconds; 0 for what was before the recording.
    pub fn at(&self, instant: Instant) -> u64 {
        self.state().at(instant)
    }

    /// When recording time will be `time_ns`; none while it stands still before that.
    pub fn instant(&self, time_ns: u64) -> Option<Instant> {
        let state = self.state();
        let to_come = time_ns.saturating_sub(state.base_ns);
        (!state.stands || to_come == 0).then(|| state.base + Duration::from_nanos(to_come))
    }

    /// Now.
    pub fn now(&self) -> Moment {
        Moment {
            time_ns: self.at(Instant::now()),
            wall_ns: now_wall_ns(),
        }
    }

    /// Recording time stands still from `now` on.
    pub fn stop(&self, now: Instant) {
        let mut state = self.state();
        *state = State {
            base: now,
            base_ns: state.at(now),
            stood_since: now,
            stands: true,
        };
    }

    /// Recording time goes on from `now` on, if it stood still.
    pub fn go_on(&self, now: Instant) {
        let mut state = self.state();
        if state.stands {
            state.base = now;
            state.stands = false;
        }
    }

    /// Recording time goes on `by` later from `now` on, unless it stands still.
    pub fn leap(&self, now: Instant, by: Duration) {
        let mut state = self.state();
        if !state.stands {
            *state = State {
                base: now,
                base_ns: state.at(now).saturating_add(nanoseconds(by)),
                // What was before keeps its time.
                stood_since: now + by,
                stands: false,
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notices that the machine slept: its monotonic clock stands still meanwhile.
#[derive(Debug)]
pub struct SleepWatch {
    /// When it was last awake for certain.
    pub awake: Instant,
    boot_ns: u64,
}

impl SleepWatch {
    /// From now on.
    pub fn new(now: Instant, boot_ns: u64) -> Self {
        Self {
            awake: now,
            boot_ns,
        }
    }

    /// For how long it slept since the last look.
    pub fn look(&mut self, now: Instant, boot_ns: u64) -> Duration {
        let passed = Duration::from_nanos(boot_ns.saturating_sub(self.boot_ns));
        let awake = now.saturating_duration_since(self.awake);
        *self = Self::new(now, boot_ns);
        passed.saturating_sub(awake)
    }
}

impl State {
    fn at(&self, instant: Instant) -> u64 {
        if let Some(after) = instant.checked_duration_since(self.base) {
            if self.stands {
                self.base_ns
            } else {
                self.base_ns + nanoseconds(after)
            }
        } else {
            let before = self.stood_since.saturating_duration_since(instant);
            self.base_ns.saturating_sub(nanoseconds(before))
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn counts_from_its_base_in_both_directions() {
        let base = Instant::now();
        let clock = RecordingClock::new(base, 5_000_000_000);
        assert_eq!(clock.at(base), 5_000_000_000);
        assert_eq!(clock.at(base + Duration::from_millis(20)), 5_020_000_000);
        if let Some(before) = base.checked_sub(SECOND) {
            assert_eq!(clock.at(before), 4_000_000_000);
        }
        assert_eq!(clock.instant(6_000_000_000), Some(base + SECOND));
    }

    #[test]
    fn leaps_without_moving_what_was_before() {
        let base = Instant::now();
        let clock = RecordingClock::new(base, 0);
        clock.leap(base + 2 * SECOND, 7 * SECOND);
        assert_eq!(clock.at(base + SECOND), 1_000_000_000);
        assert_eq!(clock.at(base + 2 * SECOND), 9_000_000_000);
        assert_eq!(clock.at(base + 3 * SECOND), 10_000_000_000);
        assert_eq!(clock.instant(11_000_000_000), Some(base + 4 * SECOND));
        // A pause goes by the boot clock already.
        clock.stop(base + 4 * SECOND);
        clock.leap(base + 5 * SECOND, 7 * SECOND);
        assert_eq!(clock.at(base + 6 * SECOND), 11_000_000_000);
    }

    #[test]
    fn sleep_is_what_the_boot_clock_counts_beyond_the_monotonic_one() {
        let base = Instant::now();
        let mut watch = SleepWatch::new(base, 5_000_000_000);
        assert_eq!(watch.look(base + SECOND, 6_000_000_000), Duration::ZERO);
        let slept = watch.look(base + 2 * SECOND, 67_000_000_000);
        assert_eq!(slept, 60 * SECOND);
        let slept = watch.look(base + 3 * SECOND, 68_000_000_000);
        assert_eq!(slept, Duration::ZERO);
    }

    #[test]
    fn stands_still_during_a_pause_for_all_who_have_it() {
        let base = Instant::now();
        let clock = RecordingClock::new(base, 0);
        let other = clock.clone();
        clock.stop(base + 2 * SECOND);
        assert_eq!(other.at(base + 9 * SECOND), 2_000_000_000);
        assert_eq!(other.at(base + SECOND), 1_000_000_000);
        assert_eq!(other.instant(3_000_000_000), None);
        clock.go_on(base + 10 * SECOND);
        assert_eq!(other.at(base + 11 * SECOND), 3_000_000_000);
        assert_eq!(other.at(base + 5 * SECOND), 2_000_000_000);
        assert_eq!(other.at(base + SECOND), 1_000_000_000);
        assert_eq!(other.instant(4_000_000_000), Some(base + 12 * SECOND));
        // It does not stand still: nothing changes.
        clock.go_on(base + 20 * SECOND);
        assert_eq!(other.at(base + 11 * SECOND), 3_000_000_000);
    }
}
