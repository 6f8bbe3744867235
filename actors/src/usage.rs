//! What child processes use of the machine.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::ProcessUsage;
use crate::process::Status;

/// What is told of CPU is at least this much time's: several may look at once.
const SHORTEST: Duration = Duration::from_secs(1);

/// Samples processes and remembers what it found.
#[derive(Debug, Default)]
pub struct UsageSampler {
    last: HashMap<u32, Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    cpu_seconds: f64,
    /// Used on average from the sample before to this one.
    cores: f64,
}

impl UsageSampler {
    /// Looks at a process; `None` if it is gone.
    pub fn sample(&mut self, role: &'static str, pid: u32) -> Option<ProcessUsage> {
        let status = Status::read(pid)?;
        Some(self.usage(role, pid, status, Instant::now()))
    }

    /// Forgets processes that are not among `pids`.
    pub fn keep(&mut self, pids: &[u32]) {
        self.last.retain(|pid, _| pids.contains(pid));
    }

    fn usage(
        &mut self,
        role: &'static str,
        pid: u32,
        status: Status,
        now: Instant,
    ) -> ProcessUsage {
        let cpu_seconds = status.cpu_ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        let fresh = Sample {
            at: now,
            cpu_seconds,
            cores: 0.0,
        };
        let sample = match self.last.get(&pid) {
            Some(before) if cpu_seconds < before.cpu_seconds => fresh,
            Some(before) if now - before.at < SHORTEST => *before,
            Some(before) => Sample {
                cores: (cpu_seconds - before.cpu_seconds) / (now - before.at).as_secs_f64(),
                ..fresh
            },
            None => fresh,
        };
        self.last.insert(pid, sample);
        ProcessUsage {
            role,
            pid,
            cpu_seconds,
            cpu_cores: sample.cores,
            memory_bytes: status
                .resident_pages
                .saturating_mul(rustix::param::page_size() as u64),
            threads: status.threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(cpu_ticks: u64) -> Status {
        let line = format!("1 (x) S 1 1 1 0 -1 0 0 0 0 0 {cpu_ticks} 0 0 0 20 0 3 0 5 0 10");
        Status::parse(&line).unwrap()
    }

    #[test]
    fn tells_the_cores_used_since_the_last_look() {
        let ticks = rustix::param::clock_ticks_per_second();
        let mut sampler = UsageSampler::default();
        let start = Instant::now();
        let first = sampler.usage("render", 1, status(10 * ticks), start);
        assert_eq!(
            (first.cpu_seconds, first.cpu_cores, first.threads),
            (10.0, 0.0, 3)
        );
        let second = sampler.usage(
            "render",
            1,
            status(11 * ticks),
            start + Duration::from_secs(2),
        );
        assert_eq!(second.cpu_cores, 0.5);
        // Another one looks at the same moment.
        let at = start + Duration::from_millis(2_010);
        let third = sampler.usage("render", 1, status(11 * ticks), at);
        assert_eq!(third.cpu_cores, 0.5);
    }

    #[test]
    fn a_reused_process_number_does_not_count_backwards() {
        let ticks = rustix::param::clock_ticks_per_second();
        let mut sampler = UsageSampler::default();
        let start = Instant::now();
        sampler.usage("render", 1, status(10 * ticks), start);
        let other = sampler.usage("render", 1, status(0), start + Duration::from_secs(1));
        assert_eq!(other.cpu_cores, 0.0);
    }
}
