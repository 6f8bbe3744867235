use std::collections::VecDeque;

use crate::log::{Body, LogEvent, Record};

/// Ticks come every 100 ms: if records are further apart than this, nothing was captured, ns.
const SHORTEST_NS: u64 = 1_000_000_000;
/// When capture is back, the first frame may take this long, ns.
const FIRST_FRAME_NS: u64 = 1_000_000_000;

/// Finds out when nothing was captured at all: between two records that are too far apart, and
/// while the connection to the room was lost. Times are file time, ns.
#[derive(Clone, Debug, Default)]
pub struct Absences {
    all: VecDeque<Absence>,
    last_ns: Option<u64>,
}

#[derive(Clone, Debug)]
struct Absence {
    from_ns: u64,
    /// When it is over at the latest.
    over_by_ns: Option<u64>,
    until_ns: Option<u64>,
    length_ns: Option<u64>,
}

/// What is shown instead of a picture while nothing was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How long nothing was captured, where that is known when it begins, s.
    pub seconds: Option<u64>,
}

impl Absences {
    /// Takes the next record of the log.
    pub fn read(&mut self, record: &Record) {
        let now = record.time_ns;
        let since_last = self.last_ns.map_or(0, |last| now.saturating_sub(last));
        self.last_ns = Some(now);
        self.end_overdue(now);
        if since_last > SHORTEST_NS {
            self.begin(
                now - since_last,
                Some(since_last),
                Some(now + FIRST_FRAME_NS),
            );
        }
        match &record.body {
            Body::Event(LogEvent::ConnectionLost) => self.begin(now, None, None),
            Body::Event(LogEvent::ConnectionRestored) => {
                if let Some(open) = self.open() {
                    open.over_by_ns.get_or_insert(now + FIRST_FRAME_NS);
                }
            }
            Body::Frame(_)
            | Body::Event(LogEvent::Gap { .. } | LogEvent::RecordingEnded { .. }) => {
                if let Some(open) = self.open() {
                    open.until_ns = Some(now);
                }
            }
            _ => {}
        }
    }

    /// What is shown at a moment; moments must not go backwards. A short absence shows nothing.
    pub fn notice(&mut self, now_ns: u64) -> Option<Notice> {
        while self
            .all
            .front()
            .is_some_and(|absence| absence.until_ns.is_some_and(|until| until <= now_ns))
        {
            self.all.pop_front();
        }
        let absence = self.all.front()?;
        let shown_from = absence.from_ns.saturating_add(SHORTEST_NS);
        (shown_from <= now_ns).then_some(Notice {
            seconds: absence
                .length_ns
                .map(|length| (length + 500_000_000) / 1_000_000_000),
        })
    }

    fn begin(&mut self, from_ns: u64, length_ns: Option<u64>, over_by_ns: Option<u64>) {
        match self.open() {
            Some(open) => open.over_by_ns = over_by_ns,
            None => self.all.push_back(Absence {
                from_ns,
                over_by_ns,
                until_ns: None,
                length_ns,
            }),
        }
    }

    fn end_overdue(&mut self, now_ns: u64) {
        if let Some(open) = self.open()
            && let Some(over) = open.over_by_ns.filter(|over| *over <= now_ns)
        {
            open.until_ns = Some(over);
        }
    }

    fn open(&mut self) -> Option<&mut Absence> {
        self.all
            .back_mut()
            .filter(|absence| absence.until_ns.is_none())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::log::Frame;

    const SECOND: u64 = 1_000_000_000;

    fn absences(records: &[(u64, Body)]) -> Absences {
        let mut absences = Absences::default();
        for (tenths, body) in records {
            absences.read(&Record {
                time_ns: tenths * SECOND / 10,
                wall_ns: 0,
                body: body.clone(),
            });
        }
        absences
    }

    fn frame() -> Body {
        Body::Frame(Frame {
            track: 1,
            keyframe: true,
            contiguous: false,
            rtp: 0,
            payload: Bytes::new(),
        })
    }

    /// The tenths of a second up to a limit in which a notice is shown.
    fn shown(mut absences: Absences, until: u64) -> Vec<u64> {
        (0..until)
            .filter(|tenth| absences.notice(tenth * SECOND / 10).is_some())
            .collect()
    }

    #[test]
    fn a_leap_between_records_is_shown_to_the_first_frame() {
        let records = [
            (0, Body::Tick),
            (1, frame()),
            (51, Body::Tick),
            (53, frame()),
        ];
        let mut told = absences(&records);
        assert_eq!(told.notice(2 * SECOND), Some(Notice { seconds: Some(5) }));
        assert_eq!(shown(absences(&records), 100), (11..53).collect::<Vec<_>>());
    }

    #[test]
    fn in_a_room_where_nobody_sends_it_is_over_a_second_after_capture_is_back() {
        let records = [
            (1, frame()),
            (51, Body::Tick),
            (60, Body::Tick),
            (61, Body::Tick),
        ];
        assert_eq!(shown(absences(&records), 100), (11..61).collect::<Vec<_>>());
    }

    #[test]
    fn a_lost_connection_is_shown_until_frames_come() {
        let lost = Body::Event(LogEvent::ConnectionLost);
        let restored = Body::Event(LogEvent::ConnectionRestored);
        let mut records = vec![(0, frame()), (5, lost.clone())];
        records.extend((6..40).map(|tenth| (tenth, Body::Tick)));
        assert_eq!(shown(absences(&records), 50), (15..50).collect::<Vec<_>>());
        records.extend([(40, restored.clone()), (43, frame())]);
        assert_eq!(shown(absences(&records), 50), (15..43).collect::<Vec<_>>());
        let records = [(0, lost), (2, restored), (5, Body::Tick), (12, Body::Tick)];
        assert_eq!(shown(absences(&records), 50), [10, 11], "nobody sends");
    }

    #[test]
    fn ordinary_silence_is_no_absence() {
        let records: Vec<_> = (0..90).map(|tenth| (tenth, Body::Tick)).collect();
        assert!(shown(absences(&records), 90).is_empty());
    }
}
