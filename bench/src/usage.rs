//! What a process uses, as Linux tells it in `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::Serialize;

/// A process at one moment.
#[derive(Clone, Debug)]
pub struct Usage {
    /// User and system time since its start, s.
    pub cpu_seconds: f64,
    /// Proportional set size: its memory, shared pages divided among those who share, bytes.
    pub pss_bytes: u64,
    /// CPU time of its threads, added up by name, s.
    pub threads: BTreeMap<String, ThreadUsage>,
}

/// Threads of one name.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ThreadUsage {
    pub count: u32,
    pub cpu_seconds: f64,
}

impl Usage {
    /// Looks at a process.
    ///
    /// # Errors
    /// It is gone.
    pub fn of(pid: i32) -> io::Result<Self> {
        let mut threads: BTreeMap<String, ThreadUsage> = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end between the listing and the look.
            let Ok((name, cpu_seconds)) = stat(&task?.path().join("stat").to_string_lossy()) else {
                continue;
            };
            let thread = threads.entry(name).or_default();
            thread.count += 1;
            thread.cpu_seconds += cpu_seconds;
        }
        let (_, cpu_seconds) = stat(&format!("/proc/{pid}/stat"))?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let kilobytes = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB"))
            .and_then(|number| number.trim().parse::<u64>().ok())
            .ok_or_else(unexpected)?;
        Ok(Self {
            cpu_seconds,
            pss_bytes: kilobytes * 1024,
            threads,
        })
    }

    /// Threads of all names.
    pub fn thread_count(&self) -> u32 {
        self.threads.values().map(|thread| thread.count).sum()
    }
}

/// Name and CPU seconds of a `stat` file. The name is in parentheses and may hold anything.
fn stat(path: &str) -> io::Result<(String, f64)> {
    let text = fs::read_to_string(path)?;
    let (before, after) = text.rsplit_once(") ").ok_or_else(unexpected)?;
    let name = before.split_once('(').ok_or_else(unexpected)?.1;
    let mut times = after.split(' ').skip(11).map(str::parse::<u64>);
    match (times.next(), times.next()) {
        (Some(Ok(user)), Some(Ok(system))) => {
            Ok((name.to_owned(), (user + system) as f64 / ticks_per_second()))
        }
        _ => Err(unexpected()),
    }
}

fn ticks_per_second() -> f64 {
    // SAFETY: sysconf reads a constant of the system.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) as f64 }
}

fn unexpected() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "/proc has another format than that of Linux",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_is_seen_by_its_name() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let busy = std::thread::Builder::new().name("busy bee".to_owned());
        let busy = busy.spawn(move || {
            let mut number = 1_u64;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                number = std::hint::black_box(number.wrapping_mul(3));
            }
        });
        let own = std::process::id() as i32;
        // Right after its start the thread still has the name of its parent.
        let used = || {
            let threads = Usage::of(own).unwrap().threads;
            threads
                .get("busy bee")
                .map_or(0.0, |thread| thread.cpu_seconds)
        };
        while used() < 0.05 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let usage = Usage::of(own).unwrap();
        assert!(usage.thread_count() >= 2 && usage.pss_bytes > 100_000);
        // The kernel rounds a process's time otherwise than that of its threads.
        assert!(usage.cpu_seconds >= 0.025);
        drop(stop);
        busy.unwrap().join().unwrap();
    }
}
