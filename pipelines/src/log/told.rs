//! What a recording's log tells of missing media and of pauses.

use std::path::Path;

use super::{Absence, Body, LogError, LogEvent, LogReader, Next};
use crate::control::{Gap, Pause};

/// The most gaps and the most pauses that are kept.
const MOST: usize = 1_000;

/// Gaps of one kind that are closer are told as one, ms.
const NEIGHBOURS_MS: u64 = 500;

/// The gaps and pauses of a recording so far, by all its processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    gaps: Vec<Gap>,
    pauses: Vec<Pause>,
}

impl Told {
    /// As an earlier process left them.
    pub fn new(gaps: Vec<Gap>, pauses: Vec<Pause>) -> Self {
        Self { gaps, pauses }
    }

    /// What the log in `folder` tells, and what was missing when it ended. Reads from its last
    /// checkpoint on.
    ///
    /// # Errors
    /// There is no log, or it cannot be read.
    pub fn read(folder: &Path) -> Result<Self, LogError> {
        let mut reader = LogReader::open(folder)?;
        let mut told = Self::default();
        reader.read_whole_story(|reader, is_first| told.read_on(reader, is_first))?;
        Ok(told)
    }

    /// Reads to the end of the log. Tells whether it knows all.
    fn read_on(&mut self, reader: &mut LogReader, is_first: bool) -> Result<bool, LogError> {
        *self = Self::default();
        let mut is_whole = is_first;
        let mut absence = Absence::default();
        let mut until_ns = 0;
        while let Next::Record(record) = reader.next()? {
            until_ns = record.time_ns;
            if let Body::Event(event) = &record.body {
                absence.apply(record.time_ns, event);
            }
            match record.body {
                Body::Event(LogEvent::Checkpoint(checkpoint)) => {
                    *self = Self::new(checkpoint.gaps, checkpoint.pauses);
                    is_whole = true;
                }
                Body::Event(event) => self.take_in(record.time_ns, record.wall_ns, &event),
                Body::Frame(_) => absence.frame(record.time_ns),
                _ => {}
            }
        }
        self.include(absence.untold(until_ns).as_slice());
        Ok(is_whole)
    }

    /// Takes over gaps that somebody was told of, among them those that were still open.
    pub fn include(&mut self, gaps: &[Gap]) {
        for gap in gaps {
            self.gap(gap.clone());
        }
    }

    /// In the order of time; bounded: of very many, neighbours are told as one.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// In the order of time; of very many, the last.
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    /// Takes in what is, or was, written to the log at that recording time and wall time (Unix), ns.
    pub fn take_in(&mut self, time_ns: u64, wall_ns: i64, event: &LogEvent) {
        match event {
            LogEvent::Gap {
                from_ns,
                to_ns,
                reason,
            } => self.gap(Gap {
                from_ms: from_ns / 1_000_000,
                to_ms: to_ns / 1_000_000,
                reason: reason.clone(),
            }),
            LogEvent::Paused => {
                if self.pauses.len() >= MOST {
                    self.pauses.remove(0);
                }
                self.pauses.push(Pause {
                    at_ms: time_ns / 1_000_000,
                    from: wall_ns / 1_000_000,
                    to: None,
                });
            }
            LogEvent::Resumed { paused_ns } => {
                if let Some(pause) = self.pauses.last_mut() {
                    // Not the wall clock's time: it may have jumped.
                    let paused_ms = i64::try_from(paused_ns / 1_000_000).unwrap_or(i64::MAX);
                    pause.to = Some(pause.from.saturating_add(paused_ms));
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self, gap: Gap) {
        let at = self
            .gaps
            .partition_point(|known| known.from_ms <= gap.from_ms);
        if let Some(before) = self.gaps[..at].last_mut()
            && before.reason == gap.reason
            && gap.from_ms <= before.to_ms.saturating_add(NEIGHBOURS_MS)
        {
            before.to_ms = before.to_ms.max(gap.to_ms);
            return;
        }
        self.gaps.insert(at, gap);
        if self.gaps.len() > MOST {
            self.join_nearest();
        }
    }

    /// Makes one of the two neighbours with the least between them, of one kind if there are any.
    fn join_nearest(&mut self) {
        let nearest = (1..self.gaps.len()).min_by_key(|&index| {
            let (before, after) = (&self.gaps[index - 1], &self.gaps[index]);
            let between_ms = after.from_ms.saturating_sub(before.to_ms);
            (before.reason != after.reason, between_ms)
        });
        if let Some(index) = nearest {
            let after = self.gaps.remove(index);
            let before = &mut self.gaps[index - 1];
            before.to_ms = before.to_ms.max(after.to_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::LogSettings;
    use crate::log::{Checkpoint, LogWriter, Record};

    const MS: u64 = 1_000_000;

    fn gap((from_ms, to_ms, reason): (u64, u64, &str)) -> LogEvent {
        LogEvent::Gap {
            from_ns: from_ms * MS,
            to_ns: to_ms * MS,
            reason: reason.to_owned(),
        }
    }

    fn told(gaps: &[(u64, u64, &str)]) -> Vec<(u64, u64, String)> {
        let mut told = Told::default();
        for one in gaps {
            told.take_in(one.1 * MS, 0, &gap(*one));
        }
        list(&told)
    }

    fn list(told: &Told) -> Vec<(u64, u64, String)> {
        told.gaps()
            .iter()
            .map(|gap| (gap.from_ms, gap.to_ms, gap.reason.clone()))
            .collect()
    }

    #[test]
    fn all_is_read_from_a_log_with_checkpoints_and_from_one_without() {
        for with_checkpoints in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let settings = LogSettings {
                segment_bytes: 2_000,
                ..LogSettings::default()
            };
            let mut writer = LogWriter::create(folder.path(), "EG_test", settings).unwrap();
            let mut expected = Told::default();
            for number in 0..200 {
                let time_ns = number * 1_000 * MS;
                let mut event = match number % 4 {
                    0 => gap((number * 1_000, number * 1_000 + 7, "stalled")),
                    1 => LogEvent::Paused,
                    2 => LogEvent::Resumed { paused_ns: 5 * MS },
                    _ => LogEvent::TrackRemoved { track: 9 },
                };
                if with_checkpoints && number % 30 == 3 {
                    event = LogEvent::Checkpoint(Box::new(Checkpoint {
                        gaps: expected.gaps.clone(),
                        pauses: expected.pauses.clone(),
                        ..Checkpoint::default()
                    }));
                }
                expected.take_in(time_ns, 1, &event);
                let body = Body::Event(event);
                let record = Record {
                    time_ns,
                    wall_ns: 1,
                    body,
                };
                writer.append(&record).unwrap();
            }
            writer.flush().unwrap();
            assert_eq!(Told::read(folder.path()).unwrap(), expected);
            assert_eq!(expected.gaps.len(), 50);
        }
    }

    #[test]
    fn what_was_missing_when_the_log_ended_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let settings = LogSettings::default();
        let mut writer = LogWriter::create(folder.path(), "EG_test", settings).unwrap();
        let happenings = [
            (2_000, Body::Event(LogEvent::ConnectionLost)),
            (9_000, Body::Tick),
        ];
        for (time_ms, body) in happenings {
            let record = Record {
                time_ns: time_ms * MS,
                wall_ns: 0,
                body,
            };
            writer.append(&record).unwrap();
        }
        writer.flush().unwrap();
        let told = Told::read(folder.path()).unwrap();
        assert_eq!(list(&told), [(2_000, 9_000, "connection_lost".to_owned())]);
    }

    #[test]
    fn a_gap_that_was_open_when_it_was_told_becomes_the_one_of_the_log() {
        let mut told = Told::default();
        told.take_in(0, 0, &gap((7_000, 18_000, "connection_lost")));
        let told_before = [
            (7_000, 9_000, "connection_lost"),
            (20_000, 22_000, "stalled"),
        ];
        told.include(&told_before.map(|(from_ms, to_ms, reason)| Gap {
            from_ms,
            to_ms,
            reason: reason.to_owned(),
        }));
        assert_eq!(
            list(&told),
            [
                (7_000, 18_000, "connection_lost".to_owned()),
                (20_000, 22_000, "stalled".to_owned()),
            ]
        );
    }

    #[test]
    fn gaps_are_in_order_and_neighbours_of_one_kind_are_one() {
        assert_eq!(
            told(&[
                (9_000, 10_000, "stalled"),
                (1_000, 2_000, "packets_lost"),
                (2_100, 4_000, "packets_lost"),
                (3_000, 3_500, "packets_lost"),
                (4_100, 5_000, "disk_slow"),
            ]),
            [
                (1_000, 4_000, "packets_lost".to_owned()),
                (4_100, 5_000, "disk_slow".to_owned()),
                (9_000, 10_000, "stalled".to_owned()),
            ]
        );
    }

    #[test]
    fn very_many_gaps_are_bounded_and_no_missing_time_is_left_out() {
        let many: Vec<_> = (0..3_000)
            .map(|index| (index * 2_000, index * 2_000 + 100, "packets_lost"))
            .collect();
        let kept = told(&many);
        assert_eq!(kept.len(), MOST);
        assert!(many.iter().all(|(from_ms, to_ms, _)| {
            kept.iter()
                .any(|(kept_from, kept_to, _)| kept_from <= from_ms && to_ms <= kept_to)
        }));
    }

    #[test]
    fn a_pause_has_its_length_whatever_the_wall_clock_does() {
        let mut told = Told::default();
        told.take_in(3_000 * MS, 50_000 * 1_000_000, &LogEvent::Paused);
        assert_eq!(told.pauses()[0].to, None);
        let paused_ns = 7_000 * MS;
        told.take_in(3_000 * MS, 1, &LogEvent::Resumed { paused_ns });
        assert_eq!(
            told.pauses(),
            [Pause {
                at_ms: 3_000,
                from: 50_000,
                to: Some(57_000)
            }]
        );
    }
}
