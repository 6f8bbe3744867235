//! When the rooms process may be started again. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;

/// A process that ran for so long does not fail because of how it was started.
const STABLE: Duration = Duration::from_secs(10);
/// Before the second and further restarts of a process that fails again and again. The first one
/// waits for nothing: publishers and recordings do.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(30),
};

/// Remembers how starts went.
#[derive(Clone, Debug, Default)]
pub struct Starts {
    began: Option<Instant>,
    failures: u32,
    not_before: Option<Instant>,
    reason: String,
}

impl Starts {
    /// A process is being started, or was found.
    pub fn began(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// The process ended because it was told to, or had nothing to do.
    pub fn ended(&mut self) {
        *self = Self::default();
    }

    /// The process failed, or could not be started.
    pub fn failed(&mut self, reason: String, now: Instant) {
        let ran_well = self.began.is_some_and(|began| now - began >= STABLE);
        self.failures = if ran_well { 1 } else { self.failures + 1 };
        let pause = match self.failures {
            1 => Duration::ZERO,
            more => PAUSES.pause(more - 1, 0.0),
        };
        self.not_before = Some(now + pause);
        self.reason = reason;
    }

    /// How long no start may be tried.
    pub fn pause(&self, now: Instant) -> Duration {
        self.not_before
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// Why the last one failed.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(starts: &mut Starts, now: Instant, after: Duration) -> (Instant, Duration) {
        starts.began(now);
        starts.failed("as the test says".into(), now + after);
        (now + after, starts.pause(now + after))
    }

    #[test]
    fn one_that_fails_again_and_again_waits_longer_and_longer() {
        let mut starts = Starts::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let (end, pause) = fail(&mut starts, now, Duration::from_millis(50));
            pauses.push(pause.as_millis());
            now = end + pause;
            assert_eq!(starts.pause(now), Duration::ZERO);
        }
        assert_eq!(
            pauses,
            [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
    }

    #[test]
    fn one_that_ran_well_is_started_again_at_once() {
        let mut starts = Starts::default();
        let now = Instant::now();
        for _ in 0..5 {
            fail(&mut starts, now, Duration::ZERO);
        }
        let (_, pause) = fail(&mut starts, now, STABLE);
        assert_eq!(pause, Duration::ZERO);
    }

    #[test]
    fn one_that_ended_in_peace_leaves_nothing_to_wait_for() {
        let mut starts = Starts::default();
        let now = Instant::now();
        for _ in 0..5 {
            fail(&mut starts, now, Duration::ZERO);
        }
        starts.ended();
        assert_eq!(starts.pause(now), Duration::ZERO);
    }
}
