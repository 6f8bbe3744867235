use crate::job::GapStyle;
use crate::log::{Body, LogEvent, Record};

/// Ticks come every 100 ms: if records are further apart than this, nothing was captured, ns.
const SHORTEST_NS: u64 = 1_000_000_000;

/// Turns recording time into file time. Where gaps are cut, what was not captured is left out as
/// if the recording had been paused meanwhile.
#[derive(Debug)]
pub struct Leaps {
    style: GapStyle,
    left_out_ns: u64,
    /// Of the last record, recording time.
    last_ns: u64,
    /// Since when the connection is lost and the file stands still, recording time, ns.
    standing_ns: Option<u64>,
}

impl Leaps {
    pub fn new(style: GapStyle) -> Self {
        Self {
            style,
            left_out_ns: 0,
            last_ns: 0,
            standing_ns: None,
        }
    }

    /// Puts the next record in its place in the file. Returns the events of a pause that has to
    /// be read before it.
    pub fn place(&mut self, record: &mut Record) -> Option<[Record; 2]> {
        let now = record.time_ns;
        let last = std::mem::replace(&mut self.last_ns, now);
        if self.style == GapStyle::Notice {
            return None;
        }
        let absent_since = match (&record.body, self.standing_ns) {
            (
                Body::Frame(_)
                | Body::Event(LogEvent::Gap { .. } | LogEvent::RecordingEnded { .. }),
                Some(since),
            ) => {
                self.standing_ns = None;
                since
            }
            (_, Some(_)) => now,
            (_, None) => last,
        };
        let absent = now.saturating_sub(absent_since);
        let mut leap = None;
        if absent > SHORTEST_NS {
            let at = |event| Record {
                time_ns: absent_since - self.left_out_ns,
                wall_ns: record.wall_ns,
                body: Body::Event(event),
            };
            leap = Some([
                at(LogEvent::Paused),
                at(LogEvent::Resumed { paused_ns: absent }),
            ]);
            self.left_out_ns += absent;
        }
        if matches!(record.body, Body::Event(LogEvent::ConnectionLost)) {
            self.standing_ns.get_or_insert(now);
        }
        record.time_ns = self.file_ns(now);
        leap
    }

    /// Recording time up to the last record that the file jumps over, or stands still for, ns.
    pub fn left_out_ns(&self) -> u64 {
        self.last_ns - self.file_ns(self.last_ns)
    }

    /// Recording time of the present as file time, ns.
    pub fn file_ns(&self, recording_ns: u64) -> u64 {
        let recording_ns = self
            .standing_ns
            .map_or(recording_ns, |since| recording_ns.min(since));
        recording_ns.saturating_sub(self.left_out_ns)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::log::Frame;

    const MS: u64 = 1_000_000;

    fn frame() -> Body {
        Body::Frame(Frame {
            track: 1,
            keyframe: true,
            contiguous: false,
            rtp: 0,
            payload: Bytes::new(),
        })
    }

    /// File times of records and what was left out before each, ms.
    fn placed(style: GapStyle, records: Vec<(u64, Body)>) -> Vec<(u64, u64)> {
        let mut leaps = Leaps::new(style);
        let place = |(at_ms, body): (u64, Body)| {
            let mut record = Record {
                time_ns: at_ms * MS,
                wall_ns: 0,
                body,
            };
            let left_out = match leaps.place(&mut record) {
                Some([_, resumed]) => match resumed.body {
                    Body::Event(LogEvent::Resumed { paused_ns }) => paused_ns / MS,
                    _ => panic!("the file goes on"),
                },
                None => 0,
            };
            (record.time_ns / MS, left_out)
        };
        records.into_iter().map(place).collect()
    }

    #[test]
    fn what_was_not_captured_is_cut() {
        let records = vec![
            (0, Body::Tick),
            (900, frame()),
            (9_900, Body::Tick),
            (9_950, frame()),
        ];
        assert_eq!(
            placed(GapStyle::Cut, records.clone()),
            [(0, 0), (900, 0), (900, 9_000), (950, 0)]
        );
        assert_eq!(
            placed(GapStyle::Notice, records),
            [(0, 0), (900, 0), (9_900, 0), (9_950, 0)]
        );
    }

    #[test]
    fn a_lost_connection_is_cut_up_to_the_first_frame() {
        let lost = Body::Event(LogEvent::ConnectionLost);
        let mut records = vec![(900, frame()), (1_000, lost.clone())];
        records.extend((11..60).map(|tenth| (tenth * 100, Body::Tick)));
        records.extend([
            (6_000, frame()),
            (6_020, lost),
            (6_200, Body::Tick),
            (6_300, frame()),
        ]);
        let placed = placed(GapStyle::Cut, records);
        assert_eq!(placed[..2], [(900, 0), (1_000, 0)]);
        assert!(placed[2..51].iter().all(|at| *at == (1_000, 0)));
        // Frames that keep coming are no gap.
        assert_eq!(
            placed[51..],
            [(1_000, 5_000), (1_020, 0), (1_020, 0), (1_300, 0)]
        );
    }
}
