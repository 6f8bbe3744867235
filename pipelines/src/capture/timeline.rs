/// How far RTP time may run ahead of arrival, seconds. No frame arrives early.
const MOST_AHEAD: i64 = 3;

/// How far RTP time may fall behind arrival for long, seconds.
const MOST_BEHIND: i64 = 5;

/// How long frames may be further behind than that, seconds: those that waited in a queue somewhere
/// catch up, those of a publisher whose clock stood still do not.
const LATE_FOR: i64 = 3;

/// No queue holds frames for longer, seconds.
const LONGEST_QUEUE: i64 = 60;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Where a frame is in RTP time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It goes on from the frame before; extended RTP time.
    Continues(i64),
    /// It belongs to another clock than the frame before; extended RTP time on the new one.
    Begins(i64),
}

/// The RTP time of one track, extended to 64 bits so that it does not wrap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline {
    state: Option<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Of the last frame.
    rtp: i64,
    /// The last frame that came in time.
    in_time: Point,
    /// When the first of those came that are late, nanoseconds of recording time.
    late_since: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    rtp: i64,
    arrival_ns: i64,
}

impl Timeline {
    /// Whether a frame was placed.
    pub fn has_begun(&self) -> bool {
        self.state.is_some()
    }

    /// Places a frame that arrived at `arrival_ns` of recording time with `rtp` as on the wire.
    pub fn place(&mut self, rtp: u32, clock_rate: u32, arrival_ns: u64) -> Placed {
        let arrival_ns = i64::try_from(arrival_ns).unwrap_or(i64::MAX);
        if let Some(state) = &mut self.state
            && let Some(rtp) = state.go_on(rtp, clock_rate, arrival_ns)
        {
            return Placed::Continues(rtp);
        }
        let rtp = i64::from(rtp);
        self.state = Some(State {
            rtp,
            in_time: Point { rtp, arrival_ns },
            late_since: None,
        });
        Placed::Begins(rtp)
    }

    /// Extends the RTP time of a sender report; none before the first frame.
    pub fn extend(&self, rtp: u32) -> Option<i64> {
        self.state.map(|state| extend(state.rtp, rtp))
    }
}

impl State {
    /// Takes the next frame; none when it cannot be of the same clock.
    fn go_on(&mut self, rtp: u32, clock_rate: u32, arrival_ns: i64) -> Option<i64> {
        let rtp = extend(self.rtp, rtp);
        let ticks = i128::from(rtp - self.in_time.rtp);
        let media_ns = ticks * i128::from(NS_PER_SECOND) / i128::from(clock_rate.max(1));
        let waited_ns = arrival_ns.saturating_sub(self.in_time.arrival_ns);
        // After half the 32-bit range, the wrap is ambiguous.
        if i128::from(waited_ns) * i128::from(clock_rate) >= i128::from(NS_PER_SECOND) << 31 {
            return None;
        }
        let late_ns = i128::from(waited_ns) - media_ns;
        let seconds = |seconds: i64| i128::from(seconds * NS_PER_SECOND);
        if late_ns < -seconds(MOST_AHEAD) || late_ns > seconds(LONGEST_QUEUE) {
            return None;
        }
        if late_ns > seconds(MOST_BEHIND) {
            let since = *self.late_since.get_or_insert(arrival_ns);
            if arrival_ns - since > LATE_FOR * NS_PER_SECOND {
                return None;
            }
        } else {
            self.in_time = Point { rtp, arrival_ns };
            self.late_since = None;
        }
        self.rtp = rtp;
        Some(rtp)
    }
}

/// The value nearest to `reference` whose lower half is `rtp`.
fn extend(reference: i64, rtp: u32) -> i64 {
    let difference = rtp.wrapping_sub(reference as u32) as i32;
    reference + i64::from(difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn goes_on_through_the_wrap() {
        let mut timeline = Timeline::default();
        let start = u32::MAX - 1000;
        assert_eq!(
            timeline.place(start, 90_000, 0),
            Placed::Begins(i64::from(start))
        );
        let after = start.wrapping_add(3000);
        assert_eq!(
            timeline.place(after, 90_000, SECOND / 30),
            Placed::Continues(i64::from(start) + 3000)
        );
        // A report from before the wrap.
        assert_eq!(timeline.extend(start), Some(i64::from(start)));
    }

    #[test]
    fn a_frame_slightly_earlier_is_of_the_same_clock() {
        let mut timeline = Timeline::default();
        timeline.place(5, 90_000, 0);
        assert_eq!(
            timeline.place(u32::MAX, 90_000, 1_000_000),
            Placed::Continues(-1)
        );
    }

    #[test]
    fn a_jump_that_time_does_not_explain_is_another_clock() {
        let mut timeline = Timeline::default();
        timeline.place(1_000_000, 48_000, 0);
        assert_eq!(
            timeline.place(900_000_000, 48_000, SECOND),
            Placed::Begins(900_000_000)
        );
        assert_eq!(timeline.place(7, 48_000, 2 * SECOND), Placed::Begins(7));
    }

    #[test]
    fn a_long_pause_is_of_the_same_clock() {
        let mut timeline = Timeline::default();
        timeline.place(0, 90_000, 0);
        // An hour of a camera that was off.
        assert_eq!(
            timeline.place(3600 * 90_000, 90_000, 3600 * SECOND),
            Placed::Continues(3600 * 90_000)
        );
        // Longer than the wrap can tell: eight hours at 90 kHz.
        let later = (8 * 3600 * 90_000_u64) as u32;
        assert!(matches!(
            timeline.place(later, 90_000, 9 * 3600 * SECOND),
            Placed::Begins(_)
        ));
    }

    #[test]
    fn what_waited_in_a_queue_is_of_the_same_clock() {
        let mut timeline = Timeline::default();
        timeline.place(0, 90_000, 0);
        // Twenty-five seconds on the way, then the first seconds at once, the rest never.
        let arrival = 28 * SECOND;
        for second in 1..7 {
            assert_eq!(
                timeline.place(second * 90_000, 90_000, arrival),
                Placed::Continues(i64::from(second) * 90_000)
            );
        }
        assert_eq!(
            timeline.place(28 * 90_000, 90_000, arrival + SECOND / 5),
            Placed::Continues(28 * 90_000)
        );
    }

    #[test]
    fn a_clock_that_stood_still_is_another_clock_after_a_while() {
        let mut timeline = Timeline::default();
        timeline.place(0, 90_000, 0);
        let mut placed = Vec::new();
        for second in 0..5_u32 {
            let arrival = (30 + u64::from(second)) * SECOND;
            placed.push(timeline.place((second + 1) * 90_000, 90_000, arrival));
        }
        let begun: Vec<usize> = (0..5)
            .filter(|index| matches!(placed[*index], Placed::Begins(_)))
            .collect();
        assert_eq!(begun, [4]);
    }

    #[test]
    fn nothing_can_be_said_about_reports_before_the_first_frame() {
        assert_eq!(Timeline::default().extend(1), None);
    }
}
