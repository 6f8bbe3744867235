//! Whether one more recording fits.

use std::time::Duration;

use super::{Cost, Machine};
use crate::DiskSpace;

/// A render that is further behind its live recording says that there is no CPU left: a stop would
/// not wait so long for its file.
pub const MOST_LAG: Duration = Duration::from_secs(30);
/// For how long the disk must take what is recorded, at the rate of now.
const DISK_LASTS: Duration = Duration::from_secs(60);

/// What a start is weighed against.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// What running recordings take, also those that are about to begin.
    pub taken: Cost,
    /// Memory that those will take which are about to begin, bytes.
    pub memory_due_bytes: u64,
    /// Of the render that is furthest behind, ms.
    pub lag_ms: u64,
    /// What recordings write in a second, bytes.
    pub growth_bytes_per_second: u64,
}

/// Tells what is short for a recording that takes `wanted`, with both figures and the way out.
///
/// `cores` is what recordings may use; none if CPU does not count. What is not known of the machine
/// (0) refuses nobody.
pub fn shortage(
    cores: Option<f64>,
    machine: &Machine,
    disk: DiskSpace,
    load: &Load,
    wanted: Cost,
) -> Option<String> {
    if let Some(cores) = cores.filter(|cores| *cores > 0.0) {
        if u128::from(load.lag_ms) > MOST_LAG.as_millis() {
            return Some(format!(
                "CPU: a running recording is rendered {} s behind, so none is free: stop one, wait until it has caught up, or record smaller pictures at a lower rate",
                load.lag_ms / 1_000
            ));
        }
        let free = (cores - load.taken.cores).max(0.0);
        // The first one is always tried.
        if wanted.cores > free && load.taken.cores > 0.0 {
            return Some(format!(
                "CPU: {:.2} cores are needed, {free:.2} of {cores:.2} are free: stop a recording, record smaller pictures at a lower rate, or raise recording.max_cpu_percent",
                wanted.cores
            ));
        }
    }
    let free = machine
        .free_memory_bytes
        .saturating_sub(load.memory_due_bytes);
    if machine.total_memory_bytes > 0 && wanted.memory_bytes > free {
        return Some(format!(
            "memory: {} MB are needed, {} MB are free: stop a recording, or give this server more memory",
            wanted.memory_bytes / 1_000_000,
            free / 1_000_000
        ));
    }
    let grows = load
        .growth_bytes_per_second
        .saturating_mul(DISK_LASTS.as_secs());
    let free = disk.free_bytes.saturating_sub(disk.needed_bytes);
    if grows > free && disk != DiskSpace::default() {
        return Some(format!(
            "disk: running recordings write {} MB within a minute, {} MB are free above data.min_free_mb: make room on the disk of the data folder",
            grows / 1_000_000,
            free / 1_000_000
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        cores: 2.0,
        total_memory_bytes: 4_000_000_000,
        free_memory_bytes: 1_000_000_000,
    };
    const DISK: DiskSpace = DiskSpace {
        free_bytes: 10_000_000_000,
        needed_bytes: 1_000_000_000,
    };
    const WANTED: Cost = Cost {
        cores: 0.35,
        memory_bytes: 100_000_000,
    };

    fn load(cores: f64) -> Load {
        Load {
            taken: Cost {
                cores,
                memory_bytes: 0,
            },
            ..Load::default()
        }
    }

    #[test]
    fn what_is_short_is_told_with_both_figures() {
        let memory_due = Load {
            memory_due_bytes: 950_000_000,
            ..load(0.5)
        };
        let lagging = Load {
            lag_ms: 42_000,
            ..load(0.5)
        };
        let writing = Load {
            growth_bytes_per_second: 160_000_000,
            ..load(0.5)
        };
        let cases: [(Option<f64>, Load, Option<&str>); 8] = [
            (Some(2.0), load(0.0), None),
            (Some(2.0), load(1.65), None),
            (
                Some(2.0),
                load(1.9),
                Some("CPU: 0.35 cores are needed, 0.10 of 2.00 are free: "),
            ),
            (None, load(1.9), None),
            (
                Some(2.0),
                lagging,
                Some("CPU: a running recording is rendered 42 s behind, "),
            ),
            (None, lagging, None),
            (
                None,
                memory_due,
                Some("memory: 100 MB are needed, 50 MB are free: "),
            ),
            (
                None,
                writing,
                Some("disk: running recordings write 9600 MB within a minute, 9000 MB are free "),
            ),
        ];
        for (cores, load, expected) in cases {
            let told = shortage(cores, &MACHINE, DISK, &load, WANTED);
            match (&told, expected) {
                (Some(told), Some(expected)) => assert!(told.starts_with(expected), "{told}"),
                _ => assert_eq!(told.as_deref(), expected, "{load:?}"),
            }
        }
    }

    #[test]
    fn a_machine_smaller_than_one_recording_takes_one() {
        let tiny = Machine {
            cores: 0.2,
            ..MACHINE
        };
        let told = |load| shortage(Some(tiny.cores), &tiny, DISK, &load, WANTED);
        assert_eq!(told(load(0.0)), None);
        assert!(told(load(0.2)).is_some());
    }

    #[test]
    fn what_is_not_known_refuses_nobody() {
        let unknown = shortage(
            Some(0.0),
            &Machine::default(),
            DiskSpace::default(),
            &load(9.0),
            WANTED,
        );
        assert_eq!(unknown, None);
    }
}
