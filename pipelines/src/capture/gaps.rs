//! Stretches of recording time without media. Pure.

use crate::log::LogEvent;

/// How long after the connection is back the first frame may take, nanoseconds.
const FIRST_FRAME_AFTER_NS: u64 = 1_000_000_000;

/// A shorter one is told by the frames alone, nanoseconds.
const SHORTEST_NS: u64 = 1_000_000_000;

/// An interruption is noticed at most this long after its last frame, nanoseconds.
const NOTICED_AFTER_NS: u64 = 10_000_000_000;

/// Finds out from when to when nothing was captured.
#[derive(Debug, Default)]
pub struct Gaps {
    outage: Option<Outage>,
    /// When the disk became too slow, nanoseconds of recording time.
    dropping_since: Option<u64>,
    /// Since when media may be away because the connection is lost.
    interrupted_since: Option<u64>,
    last_frame_ns: Option<u64>,
    /// Until when gaps are told already, nanoseconds of recording time.
    told_until_ns: u64,
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
        self.interrupted_since = None;
        // Not before the last frame; and what was away only while recording time stood still is
        // missing nowhere.
        let from_ns = from_ns.max(self.last_frame_ns.unwrap_or(0));
        if from_ns >= restored_ns {
            return;
        }
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

    /// The connection is lost; media may be, too.
    pub fn interrupted(&mut self, now_ns: u64) {
        let last_frame = self.last_frame_ns.unwrap_or(0);
        let flowing = now_ns.saturating_sub(last_frame) < NOTICED_AFTER_NS;
        let since_ns = if flowing { last_frame } else { now_ns };
        self.interrupted_since.get_or_insert(since_ns);
    }

    /// The connection is back, media was never lost.
    pub fn uninterrupted(&mut self) {
        self.interrupted_since = None;
    }

    /// A frame is about to be appended. When packets before it never arrived, `lost_since` is when
    /// its track had its last frame.
    pub fn frame(&mut self, now_ns: u64, lost_since: Option<u64>) -> Option<LogEvent> {
        self.last_frame_ns = Some(now_ns);
        let told = match self.outage.take() {
            Some(outage) => gap(outage.from_ns, now_ns, outage.reason),
            // The connection failed for a time too short to be given up. It is told once, not for
            // each track.
            None => {
                let from_ns = lost_since?.max(self.told_until_ns);
                if now_ns.saturating_sub(from_ns) < SHORTEST_NS {
                    return None;
                }
                gap(from_ns, now_ns, "packets_lost")
            }
        };
        self.told_until_ns = now_ns;
        Some(told)
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

    /// Recording time stands still from now on. What was restored before is told now: the frame
    /// that would end it is not recorded.
    pub fn pause(&mut self, now_ns: u64) -> Vec<LogEvent> {
        let outage = self.outage.take();
        let restored = outage.map(|outage| gap(outage.from_ns, outage.restored_ns, outage.reason));
        restored.into_iter().chain(self.kept(now_ns)).collect()
    }

    /// The recording ends, perhaps before the connection came back.
    pub fn end(&mut self, now_ns: u64) -> Vec<LogEvent> {
        let connection = match (self.outage.take(), self.interrupted_since.take()) {
            (Some(outage), None) => Some(gap(outage.from_ns, outage.restored_ns, outage.reason)),
            (outage, Some(since_ns)) => {
                let last_frame = self.last_frame_ns.unwrap_or(0);
                let since_ns = outage.map_or(since_ns, |outage| outage.from_ns.min(since_ns));
                let from_ns = since_ns.max(last_frame);
                (now_ns.saturating_sub(from_ns) >= SHORTEST_NS)
                    .then(|| gap(from_ns, now_ns, "connection_lost"))
            }
            (None, None) => None,
        };
        connection.into_iter().chain(self.kept(now_ns)).collect()
    }
}

/// Nothing was captured in that stretch of recording time, nanoseconds.
pub fn gap(from_ns: u64, to_ns: u64, reason: &str) -> LogEvent {
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
        assert_eq!(gaps.frame(3 * SECOND + 200, None), Some(expected));
        assert_eq!(gaps.frame(3 * SECOND + 300, None), None);
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
            gaps.frame(5 * SECOND, None),
            Some(gap(SECOND, 5 * SECOND, "connection_lost"))
        );
    }

    #[test]
    fn a_source_that_never_came_back_leaves_a_gap_to_the_end() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, None);
        gaps.interrupted(2 * SECOND);
        assert_eq!(
            gaps.end(9 * SECOND),
            [gap(SECOND, 9 * SECOND, "connection_lost")]
        );
        assert!(Gaps::default().end(SECOND).is_empty());
    }

    #[test]
    fn a_connection_lost_while_media_still_flows_leaves_no_gap() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, None);
        gaps.interrupted(2 * SECOND);
        gaps.frame(5 * SECOND, None);
        assert!(gaps.end(5 * SECOND + 1).is_empty());
        gaps.interrupted(6 * SECOND);
        gaps.uninterrupted();
        assert!(gaps.end(60 * SECOND).is_empty());
    }

    #[test]
    fn in_a_silent_room_the_interruption_begins_when_it_was_noticed() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, None);
        gaps.interrupted(60 * SECOND);
        assert_eq!(
            gaps.end(70 * SECOND),
            [gap(60 * SECOND, 70 * SECOND, "connection_lost")]
        );
    }

    #[test]
    fn a_silence_that_cost_packets_is_told_once_and_one_that_did_not_is_no_gap() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.frame(9 * SECOND, None), None);
        let a_moment_ago = Some(9 * SECOND);
        assert_eq!(gaps.frame(9 * SECOND + SECOND / 2, a_moment_ago), None);
        // Another track went on.
        assert_eq!(gaps.frame(13 * SECOND, None), None);
        assert_eq!(
            gaps.frame(14 * SECOND, Some(10 * SECOND)),
            Some(gap(10 * SECOND, 14 * SECOND, "packets_lost"))
        );
        assert_eq!(
            gaps.frame(14 * SECOND + SECOND / 2, Some(10 * SECOND)),
            None
        );
    }

    #[test]
    fn a_connection_that_was_away_only_during_a_pause_leaves_no_gap() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, None);
        gaps.interrupted(2 * SECOND);
        gaps.restored(2 * SECOND, 2 * SECOND, "connection_lost");
        assert_eq!(gaps.frame(2 * SECOND + 300, None), None);
        assert!(gaps.end(60 * SECOND).is_empty());
    }

    #[test]
    fn what_a_pause_cuts_off_is_told_before_it() {
        let mut gaps = Gaps::default();
        gaps.restored(SECOND, 3 * SECOND, "connection_lost");
        gaps.dropped(3 * SECOND);
        assert_eq!(
            gaps.pause(4 * SECOND),
            [
                gap(SECOND, 3 * SECOND, "connection_lost"),
                gap(3 * SECOND, 4 * SECOND, "disk_slow")
            ]
        );
        assert_eq!(gaps.frame(5 * SECOND, None), None);
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
