//! Processes as the kernel shows them in `/proc`.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId {
    pub pid: u32,
    /// Ticks from the machine's start to the process's.
    start_ticks: u64,
}

impl ProcessId {
    /// The process that has `pid` now.
    pub fn of(pid: u32) -> Option<Self> {
        let status = Status::read(pid)?;
        Some(Self {
            pid,
            start_ticks: status.start_ticks,
        })
    }

    /// Whether it has not ended. A process that nobody has reaped has ended.
    pub fn is_alive(self) -> bool {
        Status::read(self.pid)
            .is_some_and(|status| status.start_ticks == self.start_ticks && !status.has_ended())
    }

    /// Ends it at once.
    pub fn kill(self) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_alive())
            && let Err(error) = kill_process(pid, Signal::KILL)
        {
            log::warn!("cannot kill process {}: {error}", self.pid);
        }
    }
}

/// Finds the child with this subcommand that works in `folder`: children are started there.
pub fn find(folder: &Path, subcommand: &str) -> Option<ProcessId> {
    let folder = folder.canonicalize().ok()?;
    fs::read_dir("/proc").ok()?.find_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let works_there = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
        if !works_there {
            return None;
        }
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let is_it = arguments.split(|byte| *byte == 0).nth(1) == Some(subcommand.as_bytes());
        ProcessId::of(pid).filter(|process| is_it && process.is_alive())
    })
}

/// What `/proc/<pid>/stat` tells (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    state: char,
    /// Time in user and kernel mode, ticks.
    pub cpu_ticks: u64,
    pub threads: u32,
    start_ticks: u64,
    /// Resident set, pages.
    pub resident_pages: u64,
}

impl Status {
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses a line of `stat`. The name in it may hold blanks and parentheses.
    pub fn parse(line: &str) -> Option<Self> {
        // Numbered from 3, the field after the name, as proc(5) does.
        let fields: Vec<&str> = line.rsplit_once(") ")?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        Some(Self {
            state: field(3)?.chars().next()?,
            cpu_ticks: number(14)?.saturating_add(number(15)?),
            threads: u32::try_from(number(20)?).ok()?,
            start_ticks: number(22)?,
            resident_pages: number(24)?,
        })
    }

    fn has_ended(self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_names_with_blanks_and_parentheses() {
        let line = "4711 (a ) b) S 1 4711 4711 0 -1 4194560 1200 0 3 0 250 50 0 0 20 0 7 0 98765 22106112 1536 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let expected = Status {
            state: 'S',
            cpu_ticks: 300,
            threads: 7,
            start_ticks: 98_765,
            resident_pages: 1_536,
        };
        assert_eq!(Status::parse(line), Some(expected));
    }

    #[test]
    fn tells_nothing_of_damaged_lines() {
        for line in [
            "",
            "1",
            "1 (x)",
            "1 (x) S 1 2",
            "1 (x) S a b c d e f g h i j k l m n o p q r s t u v",
        ] {
            assert_eq!(Status::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn sees_itself() {
        let own = ProcessId::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(
            !ProcessId {
                start_ticks: own.start_ticks + 1,
                ..own
            }
            .is_alive()
        );
    }
}
