//! Stretches of recording time without media. Pure.

use crate::log::{CONNECTION_LOST, FIRST_FRAME_AFTER_NS, LogEvent, NOTICED_AFTER_NS};

/// Of a picture that goes on after a pause the first key frame was awaited.
pub const KEY_FRAME_AWAITED: &str = "key_frame_awaited";

/// A shorter one is told by the frames alone, nanoseconds.
const SHORTEST_NS: u64 = 300_000_000;

/// A track that sends nothing for longer than that after media is back has nothing to send,
/// nanoseconds.
const AWAITED_FOR_NS: u64 = 15_000_000_000;

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

/// A track's next frame is awaited: the room's media is back, that of the track is not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Since when, nanoseconds of recording time.
    pub since_ns: u64,
    /// Why it was away.
    pub reason: &'static str,
}

/// What a track misses before a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// When its last frame came, if packets after that never arrived; nanoseconds of recording
    /// time.
    pub lost_since_ns: Option<u64>,
    pub awaited: Option<Awaited>,
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

    /// An earlier process told of everything up to `now_ns`: it goes on until the next frame.
    pub fn goes_on(&mut self, now_ns: u64, reason: &'static str) {
        self.told_until_ns = now_ns;
        self.outage = Some(Outage {
            from_ns: now_ns,
            restored_ns: now_ns,
            reason,
        });
    }

    /// Why nothing comes at the moment, if that is so.
    pub fn out(&self) -> Option<&'static str> {
        let outage = self.outage.as_ref().map(|outage| outage.reason);
        outage.or(self.interrupted_since.map(|_| CONNECTION_LOST))
    }

    /// What is known to be missing up to now and has not been told.
    pub fn open(&self, now_ns: u64) -> Option<LogEvent> {
        let Some(outage) = &self.outage else {
            return self.silent_since(now_ns);
        };
        (outage.from_ns < now_ns).then(|| gap(outage.from_ns, now_ns, outage.reason))
    }

    /// Since the connection is lost nothing has come, though media flowed until then. Where nobody
    /// sent anything it shows only afterwards whether something was missed.
    fn silent_since(&self, now_ns: u64) -> Option<LogEvent> {
        let since_ns = self.interrupted_since?;
        let last_frame_ns = self.last_frame_ns.filter(|at| *at >= since_ns)?;
        let is_silent = now_ns.saturating_sub(last_frame_ns) >= FIRST_FRAME_AFTER_NS;
        is_silent.then(|| gap(last_frame_ns, now_ns, CONNECTION_LOST))
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

    /// A frame is about to be appended, before which its track misses something, perhaps.
    pub fn frame(&mut self, now_ns: u64, missed: Missed) -> Option<LogEvent> {
        self.last_frame_ns = Some(now_ns);
        let told = match self.outage.take() {
            Some(outage) => gap(outage.from_ns, now_ns, outage.reason),
            None => {
                let Awaited { since_ns, reason } = missed.since(now_ns)?;
                // It is told once, not for each track.
                let from_ns = since_ns.max(self.told_until_ns);
                if now_ns.saturating_sub(from_ns) < SHORTEST_NS {
                    return None;
                }
                gap(from_ns, now_ns, reason)
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
        if self.interrupted_since.is_some() {
            return None;
        }
        let outage = self
            .outage
            .take_if(|outage| now_ns >= outage.restored_ns + FIRST_FRAME_AFTER_NS)?;
        outage.restored()
    }

    /// Recording time stands still from now on. What was restored before is told now: the frame
    /// that would end it is not recorded.
    pub fn pause(&mut self, now_ns: u64) -> Vec<LogEvent> {
        let outage = self.outage.take();
        let restored = outage.and_then(|outage| outage.up_to(now_ns));
        restored.into_iter().chain(self.kept(now_ns)).collect()
    }

    /// The recording ends, perhaps before the connection came back.
    pub fn end(&mut self, now_ns: u64) -> Vec<LogEvent> {
        let connection = match (self.outage.take(), self.interrupted_since.take()) {
            (Some(outage), None) => outage.up_to(now_ns),
            (outage, Some(since_ns)) => {
                let last_frame = self.last_frame_ns.unwrap_or(0);
                let since_ns = outage.map_or(since_ns, |outage| outage.from_ns.min(since_ns));
                let from_ns = since_ns.max(last_frame);
                (now_ns.saturating_sub(from_ns) >= SHORTEST_NS)
                    .then(|| gap(from_ns, now_ns, CONNECTION_LOST))
            }
            (None, None) => None,
        };
        connection.into_iter().chain(self.kept(now_ns)).collect()
    }
}

impl Outage {
    /// The gap of one that no frame has ended: nobody sends any.
    fn restored(self) -> Option<LogEvent> {
        (self.from_ns < self.restored_ns).then(|| gap(self.from_ns, self.restored_ns, self.reason))
    }

    /// The gap of one that no frame has ended yet: nobody is waited for any more.
    fn up_to(self, now_ns: u64) -> Option<LogEvent> {
        (self.from_ns < now_ns).then(|| gap(self.from_ns, now_ns, self.reason))
    }
}

impl Missed {
    fn since(self, now_ns: u64) -> Option<Awaited> {
        let in_time = |awaited: &Awaited| now_ns.saturating_sub(awaited.since_ns) < AWAITED_FOR_NS;
        let lost = self.lost_since_ns.map(|since_ns| Awaited {
            since_ns,
            reason: "packets_lost",
        });
        // The connection failed for a time too short to be given up, or a frame is broken.
        self.awaited.filter(in_time).or(lost)
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
    use crate::log::CAPTURE_RESTARTED;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_connection_that_is_still_away_is_told_while_it_is_if_media_flowed_before() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, Missed::default());
        gaps.interrupted(2 * SECOND);
        assert_eq!(
            gaps.open(5 * SECOND),
            Some(gap(SECOND, 5 * SECOND, CONNECTION_LOST))
        );
        gaps.frame(6 * SECOND, Missed::default());
        assert_eq!(gaps.open(6 * SECOND + SECOND / 2), None, "it flows");
        gaps.uninterrupted();
        assert_eq!(gaps.open(60 * SECOND), None);
        gaps.interrupted(60 * SECOND);
        assert_eq!(gaps.open(70 * SECOND), None, "nobody sent anything");
    }

    fn lost(since_ns: u64) -> Missed {
        Missed {
            lost_since_ns: Some(since_ns),
            ..Missed::default()
        }
    }

    fn awaited(since_ns: u64) -> Missed {
        let reason = CAPTURE_RESTARTED;
        Missed {
            awaited: Some(Awaited { since_ns, reason }),
            ..Missed::default()
        }
    }

    #[test]
    fn a_gap_lasts_until_the_first_frame() {
        let mut gaps = Gaps::default();
        gaps.restored(SECOND, 3 * SECOND, "connection_lost");
        assert_eq!(gaps.tick(3 * SECOND + 1), None);
        let expected = gap(SECOND, 3 * SECOND + 200, "connection_lost");
        assert_eq!(
            gaps.frame(3 * SECOND + 200, Missed::default()),
            Some(expected)
        );
        assert_eq!(gaps.frame(3 * SECOND + 300, Missed::default()), None);
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
            gaps.frame(5 * SECOND, Missed::default()),
            Some(gap(SECOND, 5 * SECOND, "connection_lost"))
        );
    }

    #[test]
    fn a_source_that_never_came_back_leaves_a_gap_to_the_end() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, Missed::default());
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
        gaps.frame(SECOND, Missed::default());
        gaps.interrupted(2 * SECOND);
        gaps.frame(5 * SECOND, Missed::default());
        assert!(gaps.end(5 * SECOND + 1).is_empty());
        gaps.interrupted(6 * SECOND);
        gaps.uninterrupted();
        assert!(gaps.end(60 * SECOND).is_empty());
    }

    #[test]
    fn in_a_silent_room_the_interruption_begins_when_it_was_noticed() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, Missed::default());
        gaps.interrupted(60 * SECOND);
        assert_eq!(
            gaps.end(70 * SECOND),
            [gap(60 * SECOND, 70 * SECOND, "connection_lost")]
        );
    }

    #[test]
    fn a_silence_that_cost_packets_is_told_once_and_one_that_did_not_is_no_gap() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.frame(9 * SECOND, Missed::default()), None);
        let a_moment_ago = lost(9 * SECOND);
        assert_eq!(gaps.frame(9 * SECOND + SECOND / 5, a_moment_ago), None);
        // Another track went on.
        assert_eq!(gaps.frame(13 * SECOND, Missed::default()), None);
        assert_eq!(
            gaps.frame(14 * SECOND, lost(10 * SECOND)),
            Some(gap(10 * SECOND, 14 * SECOND, "packets_lost"))
        );
        assert_eq!(
            gaps.frame(14 * SECOND + SECOND / 5, lost(10 * SECOND)),
            None
        );
    }

    #[test]
    fn a_connection_that_was_away_only_during_a_pause_leaves_no_gap() {
        let mut gaps = Gaps::default();
        gaps.frame(SECOND, Missed::default());
        gaps.interrupted(2 * SECOND);
        gaps.restored(2 * SECOND, 2 * SECOND, "connection_lost");
        assert_eq!(gaps.frame(2 * SECOND + 300, Missed::default()), None);
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
                gap(SECOND, 4 * SECOND, "connection_lost"),
                gap(3 * SECOND, 4 * SECOND, "disk_slow")
            ]
        );
        assert_eq!(gaps.frame(5 * SECOND, Missed::default()), None);
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

    #[test]
    fn what_an_earlier_process_missed_goes_on_until_the_first_frame_of_each_track() {
        let mut gaps = Gaps::default();
        gaps.goes_on(SECOND, CAPTURE_RESTARTED);
        assert_eq!(gaps.out(), Some(CAPTURE_RESTARTED));
        assert_eq!(
            gaps.open(SECOND + 7),
            Some(gap(SECOND, SECOND + 7, CAPTURE_RESTARTED))
        );
        let sound = gaps.frame(SECOND + 50, awaited(SECOND));
        assert_eq!(sound, Some(gap(SECOND, SECOND + 50, CAPTURE_RESTARTED)));
        assert_eq!(gaps.out(), None);
        let picture = gaps.frame(2 * SECOND, awaited(SECOND));
        assert_eq!(
            picture,
            Some(gap(SECOND + 50, 2 * SECOND, CAPTURE_RESTARTED))
        );
        // This one had nothing to send for long.
        assert_eq!(gaps.frame(60 * SECOND, awaited(SECOND)), None);
    }

    #[test]
    fn an_outage_goes_on_while_the_connection_is_lost_again() {
        let mut gaps = Gaps::default();
        gaps.goes_on(SECOND, CAPTURE_RESTARTED);
        gaps.interrupted(SECOND);
        assert_eq!(gaps.tick(9 * SECOND), None);
        gaps.restored(SECOND, 10 * SECOND, CONNECTION_LOST);
        assert_eq!(
            gaps.frame(10 * SECOND, Missed::default()),
            Some(gap(SECOND, 10 * SECOND, CONNECTION_LOST))
        );
    }

    #[test]
    fn in_a_silent_room_nothing_is_missing_after_the_restart() {
        let mut gaps = Gaps::default();
        gaps.goes_on(SECOND, CAPTURE_RESTARTED);
        assert_eq!(gaps.tick(2 * SECOND), None);
        assert_eq!(gaps.out(), None);
    }
}
