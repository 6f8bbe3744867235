//! What the recording costs while it runs.

use std::time::Instant;

use super::processes::{self, Found};

/// The processes of a recording.
const ROLES: [&str; 3] = ["rooms", "capture", "render"];

/// What one process cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    pub role: &'static str,
    /// CPU seconds per second.
    pub cpu: f64,
    /// The most that was seen, bytes.
    pub memory_bytes: u64,
}

/// Follows the processes from the first look to the last.
#[derive(Debug, Default)]
pub struct Meter {
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    role: &'static str,
    first: (Instant, f64),
    last: (Instant, f64),
    memory_bytes: u64,
}

impl Meter {
    /// Whether all of them were seen.
    pub fn is_complete(&self) -> bool {
        self.seen.len() == ROLES.len()
    }

    /// Looks at the processes.
    pub fn look(&mut self, running: &[Found]) {
        for process in running {
            let role = ROLES.into_iter().find(|role| *role == process.role);
            let (Some(role), Some(cpu)) = (role, processes::cpu_seconds(process.pid)) else {
                continue;
            };
            let now = (Instant::now(), cpu);
            let memory = processes::memory_bytes(process.pid).unwrap_or_default();
            match self.seen.iter_mut().find(|seen| seen.role == role) {
                Some(seen) => {
                    seen.last = now;
                    seen.memory_bytes = seen.memory_bytes.max(memory);
                }
                None => self.seen.push(Seen {
                    role,
                    first: now,
                    last: now,
                    memory_bytes: memory,
                }),
            }
        }
    }

    /// What was seen, in the order in which media passes.
    pub fn costs(&self) -> Vec<Cost> {
        let cost = |seen: &Seen| {
            let seconds = (seen.last.0 - seen.first.0).as_secs_f64();
            Cost {
                role: seen.role,
                cpu: (seen.last.1 - seen.first.1) / seconds.max(f64::MIN_POSITIVE),
                memory_bytes: seen.memory_bytes,
            }
        };
        let of_role = |role: &&str| self.seen.iter().find(|seen| seen.role == *role);
        ROLES.iter().filter_map(of_role).map(cost).collect()
    }
}
