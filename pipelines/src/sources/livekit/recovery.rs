//! How to get back into a room. Pure: it is told what happened and when, and says what to try
//! next.

use std::time::{Duration, Instant};

use super::signal::SignalFailure;

/// How long resuming is tried before a new session is asked for.
const RESUME_FOR: Duration = Duration::from_secs(8);

/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// How long media may take to flow after the server let us back in.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(8);

/// A way back into the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A new signalling connection for the same session.
    Resume,
    /// A new session, with a new peer connection.
    Rejoin,
}

/// Whether media still comes in while signalling is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Flowing,
    Lost,
}

/// The state of one interruption.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    since: Instant,
    attempts: u32,
    begun: bool,
}

impl Recovery {
    /// An interruption that began now.
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            attempts: 0,
            begun: false,
        }
    }

    /// When the interruption began.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether nothing was tried yet.
    pub fn is_fresh(&self) -> bool {
        !self.begun
    }

    /// An attempt begins.
    pub fn begun(&mut self) {
        self.begun = true;
    }

    /// What to try after `failed` did not work, and when.
    pub fn after_failure(
        &mut self,
        failed: Attempt,
        failure: &SignalFailure,
        media: Media,
        now: Instant,
    ) -> (Attempt, Instant) {
        let session_may_live = failed == Attempt::Resume
            && failure.is_transient()
            && media == Media::Flowing
            && now.duration_since(self.since) < RESUME_FOR;
        let next = if session_may_live {
            Attempt::Resume
        } else {
            Attempt::Rejoin
        };
        // The first new session after a resume that the server refused need not wait.
        let at_once = failed == Attempt::Resume && next == Attempt::Rejoin;
        let pause = if at_once {
            Duration::ZERO
        } else {
            self.pause()
        };
        (next, now + pause)
    }

    /// When to try a new session after one that brought no media.
    pub fn after_silence(&mut self, now: Instant) -> (Attempt, Instant) {
        (Attempt::Rejoin, now + self.pause())
    }

    fn pause(&mut self) -> Duration {
        let (first, longest) = PAUSES;
        let pause = first.saturating_mul(1 << self.attempts.min(8)).min(longest);
        self.attempts += 1;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> SignalFailure {
        SignalFailure::Unreachable("connection refused".to_owned())
    }

    #[test]
    fn a_lost_connection_is_resumed_while_media_flows() {
        let start = Instant::now();
        let mut recovery = Recovery::new(start);
        let (next, at) =
            recovery.after_failure(Attempt::Resume, &unreachable(), Media::Flowing, start);
        assert_eq!(next, Attempt::Resume);
        assert!(at > start);
    }

    #[test]
    fn resuming_is_given_up_when_media_is_gone_or_time_is_up_or_the_server_says_no() {
        let start = Instant::now();
        let later = start + RESUME_FOR;
        let sent = SignalFailure::Sent("state_mismatch".to_owned());
        for (failure, media, now) in [
            (unreachable(), Media::Lost, start),
            (unreachable(), Media::Flowing, later),
            (sent, Media::Flowing, start),
        ] {
            let mut recovery = Recovery::new(start);
            let (next, at) = recovery.after_failure(Attempt::Resume, &failure, media, now);
            assert_eq!((next, at), (Attempt::Rejoin, now));
        }
    }

    #[test]
    fn rejoining_goes_on_with_growing_pauses_up_to_a_limit() {
        let now = Instant::now();
        let mut recovery = Recovery::new(now);
        let pauses: Vec<Duration> = (0..12)
            .map(|_| {
                let (next, at) =
                    recovery.after_failure(Attempt::Rejoin, &unreachable(), Media::Lost, now);
                assert_eq!(next, Attempt::Rejoin);
                at - now
            })
            .collect();
        assert!(pauses.is_sorted());
        assert_eq!(pauses[0], PAUSES.0);
        assert_eq!(pauses[11], PAUSES.1);
    }
}
