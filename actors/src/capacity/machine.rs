//! What the machine has, or the control group that this server is in (cgroups, version 2).

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// What there is for this server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Cores that it may use.
    pub cores: f64,
    pub total_memory_bytes: u64,
    /// Memory that is free, or can be made free at once.
    pub free_memory_bytes: u64,
}

impl Machine {
    /// As it is now. Blocks.
    pub fn look() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let cores = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
        let machine = Self {
            cores: f64::from(cores.max(1)),
            total_memory_bytes: kilobytes(&meminfo, "MemTotal:"),
            free_memory_bytes: kilobytes(&meminfo, "MemAvailable:"),
        };
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        groups(&membership).iter().fold(machine, |machine, group| {
            let read = |name| fs::read_to_string(group.join(name)).unwrap_or_default();
            machine.within(&Limits {
                cpu_max: &read("cpu.max"),
                memory_max: &read("memory.max"),
                memory_current: &read("memory.current"),
                memory_stat: &read("memory.stat"),
            })
        })
    }

    /// What is left of it within the limits of a control group.
    fn within(self, limits: &Limits) -> Self {
        let mut machine = self;
        if let Some(cores) = quota(limits.cpu_max) {
            machine.cores = machine.cores.min(cores);
        }
        let number = |text: &str| text.trim().parse::<u64>().ok();
        if let Some(most) = number(limits.memory_max) {
            let current = number(limits.memory_current).unwrap_or_default();
            // What was read of files goes when memory is wanted.
            let held = current.saturating_sub(field(limits.memory_stat, "inactive_file"));
            machine.total_memory_bytes = machine.total_memory_bytes.min(most);
            machine.free_memory_bytes = machine.free_memory_bytes.min(most.saturating_sub(held));
        }
        machine
    }
}

/// The files of a control group.
struct Limits<'a> {
    cpu_max: &'a str,
    memory_max: &'a str,
    memory_current: &'a str,
    memory_stat: &'a str,
}

/// The group of this process and all above it, whose limits count likewise.
fn groups(membership: &str) -> Vec<PathBuf> {
    let Some(path) = membership.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Vec::new();
    };
    let root = Path::new(GROUPS);
    let own = root.join(path.trim_start_matches('/'));
    own.ancestors()
        .take_while(|group| group.starts_with(root))
        .map(Path::to_owned)
        .collect()
}

/// Cores by `cpu.max`: a quota and its period, or `max`.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| quota / period)
}

/// A line `name 123`.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or_default()
}

/// A line `Name:   123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.trim().split(' ').next())
        .and_then(|number| number.parse::<u64>().ok())
        .unwrap_or_default()
        .saturating_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        cores: 4.0,
        total_memory_bytes: 8_000,
        free_memory_bytes: 6_000,
    };

    #[test]
    fn the_narrowest_limit_counts() {
        let limits = |cpu_max, memory_max| Limits {
            cpu_max,
            memory_max,
            memory_current: "1500\n",
            memory_stat: "anon 900\ninactive_file 500\n",
        };
        assert_eq!(MACHINE.within(&limits("max 100000\n", "max\n")), MACHINE);
        let narrow = MACHINE.within(&limits("150000 100000\n", "3000\n"));
        assert_eq!(narrow.cores, 1.5);
        assert_eq!(
            (narrow.total_memory_bytes, narrow.free_memory_bytes),
            (3_000, 2_000)
        );
        let wide = MACHINE.within(&limits("900000 100000\n", "90000\n"));
        assert_eq!(wide, MACHINE);
    }

    #[test]
    fn limits_of_groups_above_count_too() {
        let found = groups("0::/system.slice/tapedeck.service\n");
        let expected = ["system.slice/tapedeck.service", "system.slice", ""];
        assert_eq!(found, expected.map(|path| Path::new(GROUPS).join(path)));
        assert_eq!(groups("4:memory:/x\n"), Vec::<PathBuf>::new());
    }

    #[test]
    fn this_machine_has_something() {
        let machine = Machine::look();
        assert!(machine.cores > 0.0 && machine.total_memory_bytes > machine.free_memory_bytes);
    }
}
