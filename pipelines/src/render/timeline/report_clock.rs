use crate::log::SenderReport;

/// RTP time of one track to the publisher's clock, learnt from its sender reports.
///
/// A filter of two states, offset and drift, as reports wander by several milliseconds and the
/// clock of a sound card runs up to a few hundred parts per million beside the system's.
#[derive(Clone, Debug)]
pub struct ReportClock {
    clock_rate: u32,
    /// The report that all others are compared with.
    origin: SenderReport,
    /// RTP time of the last report that was believed.
    last_rtp: i64,
    /// Publisher's clock minus nominal time since the origin, at the last report, ns.
    offset: f64,
    /// Growth of the offset, ns per second.
    drift: f64,
    /// Covariance of offset and drift.
    covariance: [[f64; 2]; 2],
    /// Variance of one report, ns².
    noise: f64,
    /// Residuals of reports in a row that were not believed, ns.
    doubted: Vec<f64>,
}

/// What a clock made of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    Believed,
    /// Too far off; not used.
    Doubted,
    /// Several in a row agreed on another time: the clock was set anew.
    Restarted,
}

/// The most that a sound card's clock is expected to be off, ns per second.
const DRIFT_DEVIATION: f64 = 120_000.0;
/// How fast a drift itself changes, ns/s per √s.
const DRIFT_WALK: f64 = 300.0;
/// How the offset wanders by itself, ns per √s.
const OFFSET_WALK: f64 = 60_000.0;
/// A report off by less is always believed, ns.
const TOLERANCE: f64 = 60e6;
/// Reports that must agree before an abrupt change is believed.
const AGREEING: usize = 3;
/// A drift is carried on for this long after the last report, s.
const EXTRAPOLATION: f64 = 60.0;

impl ReportClock {
    /// A clock set by its first report. `deviation_ns` is how much reports of the track wander.
    pub fn new(clock_rate: u32, first: SenderReport, deviation_ns: f64) -> Self {
        let noise = deviation_ns * deviation_ns;
        Self {
            clock_rate: clock_rate.max(1),
            origin: first,
            last_rtp: first.rtp,
            offset: 0.0,
            drift: 0.0,
            covariance: [[noise, 0.0], [0.0, DRIFT_DEVIATION * DRIFT_DEVIATION]],
            noise,
            doubted: Vec::new(),
        }
    }

    /// Learns from a further report.
    pub fn receive(&mut self, report: SenderReport) -> Reception {
        let seconds = self.seconds_since_last(report.rtp);
        if seconds < 0.0 {
            return Reception::Doubted;
        }
        let residual = self.residual(report);
        let expected = self.offset + self.drift * seconds;
        let [[p00, p01], [p10, p11]] = self.covariance;
        let predicted = [
            [
                p00 + seconds * (p01 + p10 + seconds * p11) + OFFSET_WALK * OFFSET_WALK * seconds,
                p01 + seconds * p11,
            ],
            [p10 + seconds * p11, p11 + DRIFT_WALK * DRIFT_WALK * seconds],
        ];
        let innovation = residual - expected;
        let variance = predicted[0][0] + self.noise;
        if innovation.abs() > TOLERANCE.max(5.0 * variance.sqrt()) {
            return self.doubt(report, residual);
        }
        self.doubted.clear();
        let gain = [predicted[0][0] / variance, predicted[1][0] / variance];
        self.offset = expected + gain[0] * innovation;
        self.drift += gain[1] * innovation;
        self.covariance = [
            [
                (1.0 - gain[0]) * predicted[0][0],
                (1.0 - gain[0]) * predicted[0][1],
            ],
            [
                predicted[1][0] - gain[1] * predicted[0][0],
                predicted[1][1] - gain[1] * predicted[0][1],
            ],
        ];
        self.last_rtp = report.rtp;
        Reception::Believed
    }

    /// Publisher's clock minus RTP time, both in ns, at an RTP time.
    pub fn offset_at(&self, rtp: i64) -> i64 {
        let seconds = self
            .seconds_since_last(rtp)
            .clamp(-EXTRAPOLATION, EXTRAPOLATION);
        let learnt = self.offset + self.drift * seconds;
        self.origin
            .ntp_ns
            .saturating_sub(rtp_to_ns(self.origin.rtp, self.clock_rate))
            .saturating_add(learnt as i64)
    }

    fn doubt(&mut self, report: SenderReport, residual: f64) -> Reception {
        if self
            .doubted
            .last()
            .is_some_and(|last| (last - residual).abs() > TOLERANCE)
        {
            self.doubted.clear();
        }
        self.doubted.push(residual);
        if self.doubted.len() < AGREEING {
            return Reception::Doubted;
        }
        *self = Self::new(self.clock_rate, report, self.noise.sqrt());
        Reception::Restarted
    }

    fn seconds_since_last(&self, rtp: i64) -> f64 {
        rtp.saturating_sub(self.last_rtp) as f64 / f64::from(self.clock_rate)
    }

    /// How far the publisher's clock is ahead of nominal time since the origin, ns.
    fn residual(&self, report: SenderReport) -> f64 {
        let nominal = rtp_to_ns(report.rtp.saturating_sub(self.origin.rtp), self.clock_rate);
        report
            .ntp_ns
            .saturating_sub(self.origin.ntp_ns)
            .saturating_sub(nominal) as f64
    }
}

/// Ticks of RTP time in nanoseconds.
pub fn rtp_to_ns(ticks: i64, clock_rate: u32) -> i64 {
    let ns = i128::from(ticks) * 1_000_000_000 / i128::from(clock_rate.max(1));
    ns.clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_790_000_000_000_000_000;

    /// A report of a clock that drifts by `ppm`, wandering by `wander_ns`.
    fn report(second: f64, ppm: f64, wander_ns: f64) -> SenderReport {
        SenderReport {
            track: 1,
            rtp: 7_000 + (second * 48_000.0) as i64,
            ntp_ns: START + (second * (1.0 + ppm * 1e-6) * 1e9 + wander_ns) as i64,
        }
    }

    fn error_ms(clock: &ReportClock, second: f64, ppm: f64) -> f64 {
        let truth = report(second, ppm, 0.0);
        let mapped = clock.offset_at(truth.rtp) + rtp_to_ns(truth.rtp, 48_000);
        (mapped - truth.ntp_ns) as f64 / 1e6
    }

    /// The same numbers on every run, about evenly between −1 and 1.
    fn wander(step: u64) -> f64 {
        let mixed = (step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64
            / (1u64 << 52) as f64
            - 1.0
    }

    #[test]
    fn wandering_reports_of_a_drifting_clock_are_smoothed() {
        for ppm in [-200.0, -50.0, 0.0, 200.0] {
            let mut clock = ReportClock::new(48_000, report(0.0, ppm, 14e6 * wander(0)), 8e6);
            for step in 1..2_000u64 {
                let second = step as f64 * 5.0;
                let reception = clock.receive(report(second, ppm, 14e6 * wander(step)));
                assert_eq!(reception, Reception::Believed);
                let error = error_ms(&clock, second + 2.5, ppm).abs();
                let bound = if step < 40 { 15.0 } else { 5.0 };
                assert!(error < bound, "{ppm} ppm: {error} ms off after {second} s");
            }
        }
    }

    #[test]
    fn a_single_wild_report_is_not_believed() {
        let mut clock = ReportClock::new(48_000, report(0.0, 0.0, 0.0), 8e6);
        clock.receive(report(5.0, 0.0, 0.0));
        assert_eq!(clock.receive(report(10.0, 0.0, 900e6)), Reception::Doubted);
        assert_eq!(clock.receive(report(15.0, 0.0, 0.0)), Reception::Believed);
        assert!(error_ms(&clock, 16.0, 0.0).abs() < 1.0);
    }

    #[test]
    fn reports_that_agree_set_the_clock_anew() {
        let mut clock = ReportClock::new(48_000, report(0.0, 0.0, 0.0), 8e6);
        clock.receive(report(5.0, 0.0, 900e6));
        clock.receive(report(10.0, 0.0, 900e6));
        assert_eq!(
            clock.receive(report(15.0, 0.0, 900e6)),
            Reception::Restarted
        );
        assert!((error_ms(&clock, 16.0, 0.0) - 900.0).abs() < 1.0);
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
        let mut clock = ReportClock::new(
            1,
            SenderReport {
                track: 1,
                rtp: i64::MIN,
                ntp_ns: i64::MIN / 2,
            },
            8e6,
        );
        clock.receive(SenderReport {
            track: 1,
            rtp: i64::MAX,
            ntp_ns: i64::MAX / 2,
        });
        let _ = rtp_to_ns(i64::MAX, 1);
    }
}
