/// How far RTP time may run ahead of arrival between two frames, seconds.
const MOST_AHEAD: i64 = 3;

/// How far RTP time may fall behind arrival between two frames, seconds. More than ahead: frames
/// that waited in a queue somewhere arrive late, but none arrives early.
const MOST_BEHIND: i64 = 10;

const NS_PER_SECOND: i128 = 1_000_000_000;

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
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    rtp: i64,
    arrival_ns: u64,
}

impl Timeline {
    /// Whether a frame was placed.
    pub fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// Places a frame that arrived at `arrival_ns` of recording time with `rtp` as on the wire.
    pub fn place(&mut self, rtp: u32, clock_rate: u32, arrival_ns: u64) -> Placed {
        let placed = match self.last {
            None => Placed::Begins(i64::from(rtp)),
            Some(last) => {
                let extended = extend(last.rtp, rtp);
                if is_plausible(extended - last.rtp, clock_rate, arrival_ns, last.arrival_ns) {
                    Placed::Continues(extended)
                } else {
                    Placed::Begins(i64::from(rtp))
                }
            }
        };
        let (Placed::Continues(rtp) | Placed::Begins(rtp)) = placed;
        self.last = Some(Last { rtp, arrival_ns });
        placed
    }

    /// Extends the RTP time of a sender report; none before the first frame.
    pub fn extend(&self, rtp: u32) -> Option<i64> {
        self.last.map(|last| extend(last.rtp, rtp))
    }
}

/// The value nearest to `reference` whose lower half is `rtp`.
fn extend(reference: i64, rtp: u32) -> i64 {
    let difference = rtp.wrapping_sub(reference as u32) as i32;
    reference + i64::from(difference)
}

fn is_plausible(rtp_step: i64, clock_rate: u32, arrival_ns: u64, last_arrival_ns: u64) -> bool {
    let clock_rate = i128::from(clock_rate.max(1));
    let media_ns = i128::from(rtp_step) * NS_PER_SECOND / clock_rate;
    let waited_ns = i128::from(arrival_ns) - i128::from(last_arrival_ns);
    let ahead_ns = media_ns - waited_ns;
    // A silence longer than half the 32-bit range leaves the difference ambiguous.
    let range_ns = (NS_PER_SECOND << 31) / clock_rate;
    waited_ns < range_ns
        && ahead_ns <= i128::from(MOST_AHEAD) * NS_PER_SECOND
        && ahead_ns >= -i128::from(MOST_BEHIND) * NS_PER_SECOND
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
    fn a_pause_and_the_queue_after_it_are_of_the_same_clock() {
        let mut timeline = Timeline::default();
        timeline.place(0, 90_000, 0);
        // An hour of a camera that was off.
        assert_eq!(
            timeline.place(3600 * 90_000, 90_000, 3600 * SECOND),
            Placed::Continues(3600 * 90_000)
        );
        // Eight seconds on the way, then all at once.
        let held = 3601 * 90_000;
        assert_eq!(
            timeline.place(held, 90_000, 3609 * SECOND),
            Placed::Continues(i64::from(held))
        );
        assert_eq!(
            timeline.place(held + 90_000, 90_000, 3609 * SECOND + 1),
            Placed::Continues(i64::from(held) + 90_000)
        );
    }

    #[test]
    fn nothing_can_be_said_about_reports_before_the_first_frame() {
        assert_eq!(Timeline::default().extend(1), None);
    }
}
