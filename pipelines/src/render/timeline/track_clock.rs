use super::report_clock::{Reception, ReportClock, rtp_to_ns};
use super::window::WindowedMinimum;
use crate::log::{SenderReport, TrackKind};

/// How far back arrivals count for the least delay. Short enough that a publisher's clock that is
/// 200 ppm off is followed within 4 ms, long enough to see a moment without queues.
const WINDOW_NS: i64 = 20_000_000_000;
/// A frame that is later than this does not fit the timeline, if those after it do not either.
/// What queues on the way hold up for less is still in time for its place, as the render stays
/// behind, and must not move the timeline.
const LATE_NS: i64 = 1_200_000_000;
/// For how long frames must be late before the timeline is given up.
const PATIENCE_NS: i64 = 400_000_000;
/// A frame that is earlier than this cannot have been sent yet.
const EARLY_NS: i64 = 1_000_000_000;
/// No NTP time is further from 1970; sums of such times stay within an `i64`.
const NTP_LIMIT_NS: u64 = 1 << 62;
/// Arrivals older than this say nothing about the present.
const STALE_NS: i64 = 40_000_000_000;

/// The clock of one track: what its sender reports and the arrivals of its frames tell.
#[derive(Clone, Debug)]
pub struct TrackClock {
    clock_rate: u32,
    /// How much the track's reports are expected to wander, ns.
    report_deviation_ns: f64,
    reports: Option<ReportClock>,
    /// The RTP timeline jumped: the reports before the jump do not count until one confirms them.
    suspect: bool,
    /// Arrival minus RTP time, ns.
    delays: WindowedMinimum,
    last_arrival_ns: Option<i64>,
    late_since: Option<i64>,
}

impl TrackClock {
    /// A clock that knows nothing yet.
    pub fn new(kind: TrackKind, clock_rate: u32) -> Self {
        // Audio reports were seen to wander by ±14 ms, video reports follow the capture clock.
        let report_deviation_ns = match kind {
            TrackKind::Audio => 8e6,
            TrackKind::Video => 3e6,
        };
        Self {
            clock_rate: clock_rate.max(1),
            report_deviation_ns,
            reports: None,
            suspect: false,
            delays: WindowedMinimum::new(WINDOW_NS),
            last_arrival_ns: None,
            late_since: None,
        }
    }

    /// Learns from the arrival of a frame, given where on the recording's time line the frame is
    /// thought to belong. Returns whether the track's timeline was set anew.
    pub fn arrival(&mut self, arrival_ns: i64, rtp: i64, mapped_ns: Option<i64>) -> bool {
        let delay = arrival_ns.saturating_sub(rtp_to_ns(rtp, self.clock_rate));
        self.last_arrival_ns = Some(arrival_ns);
        let lateness = mapped_ns.map_or(0, |mapped| arrival_ns.saturating_sub(mapped));
        let jumped = if lateness < -EARLY_NS {
            self.delays = WindowedMinimum::new(WINDOW_NS);
            true
        } else if lateness > LATE_NS {
            let since = *self.late_since.get_or_insert(arrival_ns);
            let lasting = arrival_ns - since >= PATIENCE_NS;
            if lasting {
                self.delays.forget_before(since);
            }
            lasting
        } else {
            self.late_since = None;
            false
        };
        if jumped {
            self.late_since = None;
            self.suspect = self.reports.is_some();
        }
        self.delays.push(arrival_ns, delay);
        jumped
    }

    /// Learns from a sender report. Returns whether the track's place in time may have changed at
    /// once.
    pub fn report(&mut self, report: SenderReport) -> bool {
        if report.ntp_ns.unsigned_abs() > NTP_LIMIT_NS {
            return false;
        }
        let Some(clock) = &mut self.reports else {
            self.reports = Some(ReportClock::new(
                self.clock_rate,
                report,
                self.report_deviation_ns,
            ));
            return true;
        };
        let was_suspect = self.suspect;
        match clock.receive(report) {
            Reception::Believed => self.suspect = false,
            Reception::Doubted if was_suspect => {
                *clock = ReportClock::new(self.clock_rate, report, self.report_deviation_ns);
                self.suspect = false;
            }
            Reception::Doubted => return false,
            Reception::Restarted => return true,
        }
        was_suspect
    }

    /// RTP time on the publisher's clock, ns, once a report has told.
    pub fn publisher_time(&self, rtp: i64) -> Option<i64> {
        let reports = self.reports.as_ref().filter(|_| !self.suspect)?;
        Some(rtp_to_ns(rtp, self.clock_rate).saturating_add(reports.offset_at(rtp)))
    }

    /// RTP time on the recording's time line by arrivals alone, ns.
    pub fn arrival_time(&self, rtp: i64) -> Option<i64> {
        Some(rtp_to_ns(rtp, self.clock_rate).saturating_add(self.delays.least()?))
    }

    /// The least arrival minus publisher's time, ns, if a report and fresh arrivals tell.
    pub fn least_delay(&self, now_ns: i64) -> Option<i64> {
        let last_arrival = self
            .last_arrival_ns
            .filter(|last| now_ns - last < STALE_NS)?;
        let reports = self.reports.as_ref().filter(|_| !self.suspect)?;
        let delay = self.delays.least()?;
        let rtp_ns = last_arrival.saturating_sub(delay);
        let rtp = i128::from(rtp_ns) * i128::from(self.clock_rate) / 1_000_000_000;
        Some(delay.saturating_sub(reports.offset_at(rtp as i64)))
    }
}
