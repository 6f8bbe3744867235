//! When a recording ends by itself. Pure.

use std::time::{Duration, Instant};

use crate::control::EndReason;
use crate::job::CaptureLimits;

/// What is known about a running recording.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Recording time.
    pub recorded: Duration,
    /// Since when nobody is in the room.
    pub empty_since: Option<Instant>,
    /// Since when no server of ours is connected.
    pub alone_since: Option<Instant>,
}

/// The first limit that is reached, if any.
pub fn limit_reached(limits: &CaptureLimits, facts: &Facts, now: Instant) -> Option<EndReason> {
    let for_at_least = |since: Option<Instant>, limit_ms: u64| {
        since.is_some_and(|since| {
            now.saturating_duration_since(since) >= Duration::from_millis(limit_ms)
        })
    };
    if facts.recorded >= Duration::from_millis(limits.max_duration_ms) {
        Some(EndReason::MaxDuration)
    } else if for_at_least(facts.empty_since, limits.empty_room_timeout_ms) {
        Some(EndReason::RoomEmpty)
    } else if for_at_least(facts.alone_since, limits.server_lost_timeout_ms) {
        Some(EndReason::ServerLost)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CaptureLimits = CaptureLimits {
        max_duration_ms: 10_000,
        empty_room_timeout_ms: 2_000,
        source_lost_timeout_ms: 3_000,
        server_lost_timeout_ms: 4_000,
    };

    #[test]
    fn each_limit_ends_the_recording() {
        let start = Instant::now();
        let now = start + Duration::from_secs(5);
        let ago = |ms| Some(now - Duration::from_millis(ms));
        for (recorded_ms, empty_since, alone_since, expected) in [
            (9_999, None, None, None),
            (10_000, None, None, Some(EndReason::MaxDuration)),
            (5_000, ago(1_999), ago(3_999), None),
            (5_000, ago(2_000), None, Some(EndReason::RoomEmpty)),
            (5_000, None, ago(4_000), Some(EndReason::ServerLost)),
        ] {
            let facts = Facts {
                recorded: Duration::from_millis(recorded_ms),
                empty_since,
                alone_since,
            };
            assert_eq!(limit_reached(&LIMITS, &facts, now), expected);
        }
    }
}
