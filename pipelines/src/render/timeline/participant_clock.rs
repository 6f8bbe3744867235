use std::collections::{BTreeMap, BTreeSet};

use super::track_clock::TrackClock;
use crate::log::{SenderReport, TrackInfo, TrackNumber};

/// How fast the offset of a participant follows the least delay, ns per second. Drifts of clocks
/// are a tenth of it.
const SLEW_NS_PER_S: i64 = 2_000_000;
/// A change beyond this is no drift: it is taken at once.
const JUMP_NS: i64 = 200_000_000;
/// Media that come this much later than those of another track, by what both tracks' reports say,
/// cannot be shown with them any more: rather, the reports are of different clocks.
const APART_NS: i64 = 3_000_000_000;

/// Places the frames of one participant on the recording's time line.
///
/// All tracks share one offset from the publisher's clock to recording time, so that sound and
/// picture stay together; it comes from the least delay of any of them, so that publishers are
/// together as well. A track without sender report, or with reports of another clock, is placed by
/// its own least delay.
#[derive(Clone, Debug, Default)]
pub struct ParticipantClock {
    tracks: BTreeMap<TrackNumber, TrackClock>,
    /// Tracks whose reports cannot be of the same clock as the others'.
    apart: BTreeSet<TrackNumber>,
    /// Recording time minus publisher's clock, and when it was last brought up to date, ns.
    offset: Option<(i64, i64)>,
}

impl ParticipantClock {
    pub fn add_track(&mut self, info: &TrackInfo) {
        self.tracks
            .entry(info.track)
            .or_insert_with(|| TrackClock::new(info.kind, info.clock_rate));
    }

    pub fn remove_track(&mut self, track: TrackNumber) {
        self.tracks.remove(&track);
        self.apart.remove(&track);
    }

    /// Learns from the arrival of a frame.
    pub fn arrival(&mut self, track: TrackNumber, arrival_ns: i64, rtp: i64) {
        let mapped = self.place(track, rtp);
        let Some(clock) = self.tracks.get_mut(&track) else {
            return;
        };
        let jumped = clock.arrival(arrival_ns, rtp, mapped);
        self.follow(arrival_ns, jumped);
    }

    /// Learns from a sender report that arrived at `arrival_ns`.
    pub fn report(&mut self, report: SenderReport, arrival_ns: i64) {
        let Some(clock) = self.tracks.get_mut(&report.track) else {
            return;
        };
        let jumped = clock.report(report);
        self.follow(arrival_ns, jumped);
    }

    /// Where RTP time of a track belongs in recording time, ns; nothing before its first frame.
    pub fn place(&self, track: TrackNumber, rtp: i64) -> Option<i64> {
        let clock = self.tracks.get(&track)?;
        let by_reports = clock
            .publisher_time(rtp)
            .zip(self.offset)
            .filter(|_| !self.apart.contains(&track))
            .map(|(time, (offset, _))| time.saturating_add(offset));
        by_reports.or_else(|| clock.arrival_time(rtp))
    }

    /// Brings the shared offset nearer to the least delay; `at_once` when the tracks that count
    /// have changed.
    fn follow(&mut self, now_ns: i64, at_once: bool) {
        let delays = self
            .tracks
            .iter()
            .filter_map(|(&number, track)| Some((number, track.least_delay(now_ns)?)));
        let delays: Vec<(TrackNumber, i64)> = delays.collect();
        let Some(target) = delays.iter().map(|&(_, delay)| delay).min() else {
            return;
        };
        for (number, delay) in delays {
            if delay.saturating_sub(target) > APART_NS {
                self.apart.insert(number);
            } else {
                self.apart.remove(&number);
            }
        }
        let Some((offset, updated)) = self.offset else {
            self.offset = Some((target, now_ns));
            return;
        };
        let difference = target.saturating_sub(offset);
        let elapsed = (now_ns - updated).clamp(0, 1_000_000_000);
        // Short steps would be rounded to nothing.
        if !at_once && difference.abs() <= JUMP_NS && elapsed < 10_000_000 {
            return;
        }
        let step = if at_once || difference.abs() > JUMP_NS {
            difference
        } else {
            let most = (i128::from(SLEW_NS_PER_S) * i128::from(elapsed) / 1_000_000_000) as i64;
            difference.clamp(-most, most)
        };
        self.offset = Some((offset.saturating_add(step), now_ns));
    }
}
