//! The clocks that outlive a process.

use crate::log::{LogEvent, MachineTime};
use crate::process::{boot_id, now_boot_ns, now_wall_ns};

impl MachineTime {
    /// Now.
    pub fn now() -> Self {
        Self {
            boot_id: boot_id(),
            boot_ns: now_boot_ns(),
            wall_ns: now_wall_ns(),
        }
    }

    /// How long ago `earlier` was, nanoseconds, never negative: by the boot clock, which does not
    /// jump, and only across a start of the machine by the wall clock.
    pub fn since(&self, earlier: &Self) -> u64 {
        if !self.boot_id.is_empty()
            && self.boot_id == earlier.boot_id
            && let Some(passed_ns) = self.boot_ns.checked_sub(earlier.boot_ns)
        {
            return passed_ns;
        }
        u64::try_from(self.wall_ns.saturating_sub(earlier.wall_ns)).unwrap_or(0)
    }

    /// For the log, so that the next process can go on from here.
    pub fn event(&self) -> LogEvent {
        LogEvent::BootClock {
            boot_id: self.boot_id.clone(),
            boot_ns: self.boot_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(boot_id: &str, boot_ns: u64, wall_ns: i64) -> MachineTime {
        MachineTime {
            boot_id: boot_id.to_owned(),
            boot_ns,
            wall_ns,
        }
    }

    #[test]
    fn the_wall_clock_counts_only_across_a_start_of_the_machine_and_never_backwards() {
        let before = time("a", 1_000, 50_000);
        for (now, expected) in [
            (time("a", 1_200, 9_000_000), 200),
            (time("a", 1_200, 0), 200),
            (time("b", 5, 50_300), 300),
            (time("b", 5, 40_000), 0),
            // Another machine with the same id, or none.
            (time("a", 900, 50_300), 300),
        ] {
            assert_eq!(now.since(&before), expected, "{now:?}");
        }
        assert_eq!(time("", 9, 10).since(&time("", 1, 7)), 3);
    }
}
