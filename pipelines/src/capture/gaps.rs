//! Stretches of recording time without media. Pure.

use crate::log::LogEvent;

/// How long after the connection is back the first frame may take, nanoseconds.
const FIRST_FRAME_AFTER_NS: u64 = 1_000_000_000;

/// Finds out from when to when nothing was captured.
#[derive(Debug, Default)]
pub struct Gaps {
    outage: Option<Outage>,
    /// When the disk became too slow, nanoseconds of recording time.
    dropping_since: Option<u64>,
    last_frame_ns: Option<u64>,
}

#[derive(Debug)]
struct Outage {
    from_ns: u64,
    /// When media could flow again; the first frame after that ends the outage.
    restored_ns: u64,
    reason: &'static str,
}

impl Gaps {
    /// Media was away from `from_ns` on and can flow again since `restored_ns`. The gap lasts until
    /// the next frame, if one comes soon.
    pub fn restored(&mut self, from_ns: u64, restored_ns: u64, reason: &'static str) {
        let from_ns = match &self.outage {
            // The one before brought no frame either.
            Some(earlier) => earlier.from_ns.min(from_ns),
            None => from_ns,
        };
        self.outage = Some(Outage {
            from_ns,
            restored_ns,
            reason,
        });
    }

    /// A frame is about to be appended.
    pub fn frame(&mut self, now_ns: u64) -> Option<LogEvent> {
        self.last_frame_ns = Some(now_ns);
        let outage = self.outage.take()?;
        Some(gap(outage.from_ns, now_ns, outage.reason))
    }

    /// A frame was dropped because the disk is slow.
    pub fn dropped(&mut self, now_ns: u64) {
        self.dropping_since.get_or_insert(now_ns);
    }

    /// A video frame was not dropped.
    pub fn kept(&mut self, now_ns: u64) -> Option<LogEvent> {
        let from_ns = self.dropping_since.take()?;
        Some(gap(from_ns, now_ns, "disk_slow"))
    }

    /// Time passed; no frame may come because nobody sends any.
    pub fn tick(&mut self, now_ns: u64) -> Option<LogEvent> {
        let outage = self
            .outage
            .take_if(|outage| now_ns >= outage.restored_ns + FIRST_FRAME_AFTER_NS)?;
        Some(gap(outage.from_ns, outage.restored_ns, outage.reason))
    }

    /// The recording ends; `source_lost` tells that its source never came back.
    pub fn end(&mut self, now_ns: u64, source_lost: bool) -> Vec<LogEvent> {
        let connection = match self.outage.take() {
            Some(outage) => Some(gap(outage.from_ns, outage.restored_ns, outage.reason)),
            None if source_lost => self
                .last_frame_ns
                .map(|last| gap(last, now_ns, "connection_lost")),
            None => None,
        };
        connection.into_iter().chain(self.kept(now_ns)).collect()
    }
}

fn gap(from_ns: u64, to_ns: u64, reason: &str) -> LogEvent {
    LogEvent::Gap {
        from_ns,
        to_ns: to_ns.max(from_ns),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_gap_lasts_until_the_first_frame() {
        let mut gaps = Gaps::default();
        gaps.restored(SECOND, 3 * SECOND, "connection_lost");
        assert_eq!(gaps.tick(3 * SECOND + 1), None);
        let expected = gap(SECOND, 3 * SECOND + 200, "connection_lost");
        assert_eq!(gaps.frame(3 * SECOND + 200), Some(expected));
        assert_eq!(gaps.frame(3 * SECOND + 300), None);
    }

    #[test]
    fn in_a_room_where_nobody_sends_it_lasts_until_the_connection_is_back() {
        let mut gaps = Gaps::default();
        gaps.restored(SECOND, 3 * SECOND, "connection_lost");
        let expected = gap(SECOND, 3 * SECOND, "connection_lost");
        assert_eq!(gaps.tick(4 * SECOND), Some(expected));
        assert_eq!(gaps.tick(5 * SECOND), None);
    }

    #[test]
    fn two_outages_without_a_frame_between_them_are_one() {
        let mut gaps = Gaps::default();
        gaps.restored(SECOND, 2 * SECOND, "connection_lost");
        gaps.restored(2 * SECOND, 4 * SECOND, "connection_lost");
        assert_eq!(
            gaps.frame(5 * SECOND),
            Some(gap(SECOND, 5 * SECOND, "connection_lost"))
        );
    }

    #[test]
    fn a_source_that_never_came_back_leaves_a_gap_to_the_end() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND);
        assert_eq!(
            gaps.end(9 * SECOND, true),
            [gap(SECOND, 9 * SECOND, "connection_lost")]
        );
        assert!(Gaps::default().end(SECOND, false).is_empty());
    }

    #[test]
    fn a_slow_disk_is_told_when_it_is_over() {
        let mut gaps = Gaps::default();
        gaps.dropped(SECOND);
        gaps.dropped(2 * SECOND);
        assert_eq!(
            gaps.kept(3 * SECOND),
            Some(gap(SECOND, 3 * SECOND, "disk_slow"))
        );
        assert_eq!(gaps.kept(4 * SECOND), None);
    }
}
