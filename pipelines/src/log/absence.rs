//! What a log has still to tell of missing media when its writer dies. Pure.

use super::LogEvent;
use crate::control::Gap;

/// Reason of a gap: the connection to the room was away.
pub const CONNECTION_LOST: &str = "connection_lost";
/// Reason of a gap: no process captured.
pub const CAPTURE_RESTARTED: &str = "capture_restarted";

/// How long after the connection is back the first frame may take, nanoseconds.
pub const FIRST_FRAME_AFTER_NS: u64 = 1_000_000_000;

/// An interruption is noticed at most this long after its last frame, nanoseconds.
pub const NOTICED_AFTER_NS: u64 = 10_000_000_000;

/// Follows a log's frames and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absence {
    /// The connection to the room is lost; media may come nevertheless.
    pub is_disconnected: bool,
    last_frame_ns: Option<u64>,
    /// Since when media may be missing, nanoseconds of recording time.
    since_ns: Option<u64>,
    /// When media could flow again, nanoseconds of recording time.
    restored_ns: u64,
}

impl Absence {
    /// A frame came.
    pub fn frame(&mut self, at_ns: u64) {
        self.last_frame_ns = Some(at_ns);
        self.since_ns = self.is_disconnected.then_some(at_ns);
    }

    /// Something else happened.
    pub fn apply(&mut self, at_ns: u64, event: &LogEvent) {
        match event {
            LogEvent::ConnectionLost => {
                self.is_disconnected = true;
                let recent = |frame: &u64| at_ns.saturating_sub(*frame) < NOTICED_AFTER_NS;
                let since_ns = self.last_frame_ns.filter(recent).unwrap_or(at_ns);
                self.since_ns.get_or_insert(since_ns);
            }
            LogEvent::ConnectionRestored => {
                self.is_disconnected = false;
                self.restored_ns = at_ns;
            }
            LogEvent::Gap { to_ns, reason, .. } if reason == CONNECTION_LOST => {
                self.since_ns = self.is_disconnected.then_some(*to_ns);
            }
            // It was told when a process joined the room, and lasts until the first frame.
            LogEvent::Gap { to_ns, reason, .. } if reason == CAPTURE_RESTARTED => {
                self.is_disconnected = false;
                self.restored_ns = *to_ns;
                self.since_ns = Some(*to_ns);
            }
            _ => {}
        }
    }

    /// Since when media is missing at the end of a log that ends at `until_ns`; none if it is not.
    pub fn since_ns(&self, until_ns: u64) -> Option<u64> {
        let silent = until_ns.saturating_sub(self.restored_ns) > FIRST_FRAME_AFTER_NS;
        self.since_ns.filter(|_| self.is_disconnected || !silent)
    }

    /// What is missing at the end of a log that ends at `until_ns` and was not told.
    pub fn untold(&self, until_ns: u64) -> Option<Gap> {
        let since_ns = self.since_ns(until_ns).filter(|since| *since < until_ns)?;
        let reason = match self.is_disconnected {
            true => CONNECTION_LOST,
            false => CAPTURE_RESTARTED,
        };
        Some(Gap {
            from_ms: since_ns / 1_000_000,
            to_ms: until_ns / 1_000_000,
            reason: reason.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn gap(from_ns: u64, to_ns: u64, reason: &str) -> LogEvent {
        LogEvent::Gap {
            from_ns,
            to_ns,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn nothing_is_missing_while_frames_come() {
        let mut absence = Absence::default();
        absence.frame(SECOND);
        assert_eq!(absence.since_ns(60 * SECOND), None);
        absence.apply(2 * SECOND, &LogEvent::ConnectionLost);
        absence.apply(3 * SECOND, &LogEvent::ConnectionRestored);
        absence.frame(4 * SECOND);
        assert_eq!(absence.since_ns(4 * SECOND), None);
    }

    #[test]
    fn a_lost_connection_that_was_not_told_is_missing_from_the_last_frame_on() {
        let mut absence = Absence::default();
        absence.frame(SECOND);
        absence.apply(2 * SECOND, &LogEvent::ConnectionLost);
        assert_eq!(absence.since_ns(30 * SECOND), Some(SECOND));
        // Back, and killed before the first frame.
        absence.apply(30 * SECOND, &LogEvent::ConnectionRestored);
        assert_eq!(absence.since_ns(30 * SECOND + 1), Some(SECOND));
        let told = gap(SECOND, 30 * SECOND, CONNECTION_LOST);
        absence.apply(31 * SECOND, &told);
        assert_eq!(absence.since_ns(31 * SECOND), None);
    }

    #[test]
    fn a_process_that_died_before_its_first_frame_captured_nothing() {
        let mut absence = Absence::default();
        absence.frame(SECOND);
        let told = gap(SECOND, 4 * SECOND, CAPTURE_RESTARTED);
        absence.apply(4 * SECOND, &told);
        assert_eq!(absence.since_ns(4 * SECOND + SECOND / 2), Some(4 * SECOND));
        // Nobody sent anything.
        assert_eq!(absence.since_ns(60 * SECOND), None);
        absence.frame(4 * SECOND + SECOND / 5);
        assert_eq!(absence.since_ns(4 * SECOND + SECOND / 2), None);
    }
}
