//! What a recording's log tells of missing media and of pauses, for snapshots. Pure.

use crate::control::{Gap, Pause};
use crate::log::LogEvent;

use super::clock::Moment;

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

    /// In the order of time; bounded: of very many, neighbours are told as one.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// In the order of time; of very many, the last.
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    /// Takes in what is, or was, written to the log.
    pub fn take_in(&mut self, at: Moment, event: &LogEvent) {
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
                    at_ms: at.time_ns / 1_000_000,
                    from: at.wall_ns / 1_000_000,
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
    use super::super::gaps::gap;
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(ms: u64, wall_ms: i64) -> Moment {
        Moment {
            time_ns: ms * MS,
            wall_ns: wall_ms * 1_000_000,
        }
    }

    fn told(gaps: &[(u64, u64, &str)]) -> Vec<(u64, u64, String)> {
        let mut told = Told::default();
        for (from_ms, to_ms, reason) in gaps {
            told.take_in(at(*to_ms, 0), &gap(from_ms * MS, to_ms * MS, reason));
        }
        told.gaps()
            .iter()
            .map(|gap| (gap.from_ms, gap.to_ms, gap.reason.clone()))
            .collect()
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
        told.take_in(at(3_000, 50_000), &LogEvent::Paused);
        assert_eq!(told.pauses()[0].to, None);
        let paused_ns = 7_000 * MS;
        told.take_in(at(3_000, 1), &LogEvent::Resumed { paused_ns });
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
