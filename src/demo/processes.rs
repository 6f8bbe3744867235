//! The server's processes, found by its data folder: they hold files in it open.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long processes have to end when they are asked.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub pid: Pid,
    /// `serve`, `capture`, `render` or `rooms`.
    pub role: String,
}

/// All processes that hold a file in `folder` open.
pub fn of(folder: &Path) -> Vec<Found> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            if pid == own || !holds_file(&entry.path(), folder) {
                return None;
            }
            let arguments = fs::read(entry.path().join("cmdline")).ok()?;
            let role = arguments.split(|byte| *byte == 0).nth(1)?;
            Some(Found {
                pid: Pid::from_raw(i32::try_from(pid).ok()?)?,
                role: String::from_utf8_lossy(role).into_owned(),
            })
        })
        .collect()
}

fn holds_file(process: &Path, folder: &Path) -> bool {
    // Processes of other users do not let us look.
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten();
    descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|target| target.starts_with(folder))
}

/// Ends all of them: asked first, then forced.
pub fn end(folder: &Path) {
    let begun = Instant::now();
    let mut asked = Vec::new();
    loop {
        let running = of(folder);
        if running.is_empty() {
            return;
        }
        for process in running {
            if begun.elapsed() > PATIENCE {
                let _ = kill_process(process.pid, Signal::KILL);
            } else if !asked.contains(&process.pid) {
                let _ = kill_process(process.pid, Signal::TERM);
                asked.push(process.pid);
            }
        }
        if begun.elapsed() > 2 * PATIENCE {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// CPU time since a process began, s; `None` when it is gone.
pub fn cpu_seconds(pid: Pid) -> Option<f64> {
    let stat = fs::read_to_string(path(pid).join("stat")).ok()?;
    // The name in parentheses may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // Fields 14 and 15 of proc_pid_stat(5), counted from the third.
    let ticks = ticks(11)? + ticks(12)?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Memory of a process, bytes, shared pages divided among those who share them.
pub fn memory_bytes(pid: Pid) -> Option<u64> {
    let rollup = fs::read_to_string(path(pid).join("smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

fn path(pid: Pid) -> std::path::PathBuf {
    Path::new("/proc").join(pid.as_raw_nonzero().to_string())
}
