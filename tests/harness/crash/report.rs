//! What a run of kills came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{Taken, Victim};
use crate::oracle::Verdict;

/// Kills, and what was found of the recordings.
#[derive(Clone, Debug, Default)]
pub struct Report {
    kills: BTreeMap<Victim, u32>,
    /// Kills of a victim while a recording was in a state; a kill of the server counts for each.
    states: BTreeMap<(Victim, String), u32>,
    longest: BTreeMap<Victim, Duration>,
    recordings: u32,
    verdict: Verdict,
    gaps: usize,
    gap_seconds: f64,
}

impl Report {
    /// All kills.
    pub fn kills(&self) -> usize {
        self.kills.values().sum::<u32>() as usize
    }

    /// What is wrong with the recordings, one line each.
    pub fn faults(&self) -> &[String] {
        &self.verdict.faults
    }

    pub(super) fn killed(&mut self, victim: Victim, states: &[String]) {
        *self.kills.entry(victim).or_default() += 1;
        for state in states {
            let place = self.states.entry((victim, state.clone())).or_default();
            *place += 1;
        }
    }

    pub(super) fn recovered(&mut self, victim: Victim, after: Duration) {
        let longest = self.longest.entry(victim).or_default();
        *longest = after.max(*longest);
    }

    /// Adds a recording and what was found in its file.
    pub fn add(&mut self, taken: &Taken, verdict: Verdict) {
        self.recordings += 1;
        self.gaps += taken.claims.gaps.len();
        self.gap_seconds += taken.claims.gap_seconds();
        self.verdict += verdict;
    }

    /// Takes note of a recording that has no file.
    pub fn fault(&mut self, fault: String) {
        self.verdict.faults.push(fault);
    }

    /// Adds another run.
    pub fn merge(&mut self, other: &Self) {
        for (victim, count) in &other.kills {
            *self.kills.entry(*victim).or_default() += count;
        }
        for (place, count) in &other.states {
            *self.states.entry(place.clone()).or_default() += count;
        }
        for (victim, longest) in &other.longest {
            self.recovered(*victim, *longest);
        }
        self.recordings += other.recordings;
        self.gaps += other.gaps;
        self.gap_seconds += other.gap_seconds;
        self.verdict += other.verdict.clone();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| killed | times | while a recording was | back after at most |"
        )?;
        writeln!(f, "| --- | --- | --- | --- |")?;
        for (victim, count) in &self.kills {
            let states: Vec<String> = self
                .states
                .iter()
                .filter(|((of, _), _)| of == victim)
                .map(|((_, state), count)| format!("{state} {count}"))
                .collect();
            let longest = self.longest.get(victim).map_or_else(
                || "-".to_owned(),
                |longest| format!("{:.1} s", longest.as_secs_f64()),
            );
            let name = victim.role();
            writeln!(
                f,
                "| {name} | {count} | {} | {longest} |",
                states.join(", ")
            )?;
        }
        let Verdict {
            moments,
            in_gaps,
            lost,
            ..
        } = &self.verdict;
        write!(
            f,
            "{} kills, {} recordings; {moments} flashes and beeps shown, {lost} lost, {in_gaps} in \
             gaps; {} gaps told, {:.1} s",
            self.kills(),
            self.recordings,
            self.gaps,
            self.gap_seconds
        )
    }
}
