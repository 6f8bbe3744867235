//! Finds what a server leaves behind.

use std::fs;
use std::path::{Path, PathBuf};

/// An environment variable that children inherit, by which they are found.
pub const MARK: &str = "HARNESS_DATA_DIR";

/// A process that belongs to a data folder.
#[derive(Debug)]
pub struct Found {
    pub pid: i32,
    pub arguments: Vec<String>,
}

/// Processes that were started for a data folder or hold a file in it open.
pub fn processes(data: &Path) -> Vec<Found> {
    let own = std::process::id() as i32;
    let mark = format!("{MARK}={}", data.display());
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own && !is_zombie(*pid))
        .filter(|pid| has_variable(*pid, &mark) || holds_file(*pid, data))
        .map(|pid| Found {
            pid,
            arguments: arguments(pid),
        })
        .collect()
}

impl Found {
    /// Whether it is this kind of process: `serve`, `capture`, `render` or `rooms`.
    pub fn is(&self, role: &str) -> bool {
        self.arguments.iter().any(|argument| argument == role)
    }
}

/// Captures or renders, found by the folder that they work in: pid and recording id.
pub fn processes_of_recordings(data: &Path, role: &str) -> Vec<(i32, String)> {
    let of_recording = |found: Found| {
        let folder = fs::read_link(format!("/proc/{}/cwd", found.pid)).ok()?;
        let id = folder.strip_prefix(data.join("work")).ok()?.to_str()?;
        found.is(role).then(|| (found.pid, id.to_owned()))
    };
    processes(data)
        .into_iter()
        .filter_map(of_recording)
        .collect()
}

/// Those of them that belong to recordings: not the server itself, and not the rooms process,
/// which waits for further publishers.
pub fn captures_and_renders(data: &Path) -> Vec<Found> {
    let mut found = processes(data);
    found.retain(|process| !process.is("serve") && !process.is("rooms"));
    found
}

/// Kills all of them.
pub fn end_all(data: &Path) {
    for _ in 0..50 {
        let found = processes(data);
        if found.is_empty() {
            return;
        }
        for process in found {
            // SAFETY: a plain system call; the process was found by this test's own folder.
            unsafe {
                libc::kill(process.pid, libc::SIGKILL);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Recordings' sockets, files in the making and captured media that should not be there once all recordings
/// are delivered.
pub fn files(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(data, &mut found);
    found.retain(|path| {
        let below = path.strip_prefix(data).unwrap_or(path);
        let text = below.to_string_lossy();
        let name = below.file_name().unwrap_or_default().to_string_lossy();
        let in_work = text.starts_with("work/");
        let is_shared = ["run/rooms", "run/browser"]
            .iter()
            .any(|shared| text.starts_with(shared));
        (text.starts_with("run/") && !is_shared)
            || name.contains(".tmp")
            || name.contains(".part")
            || (in_work && (text.contains("/log/") || text.contains("/render/")))
            || (in_work && name.ends_with(".mp4"))
    });
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            let state = stat.rsplit_once(") ")?.1.chars().next()?;
            Some(state == 'Z')
        })
        .unwrap_or(true)
}

fn has_variable(pid: i32, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == mark.as_bytes())
}

fn holds_file(pid: i32, data: &Path) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| target.starts_with(data))
}

fn arguments(pid: i32) -> Vec<String> {
    fs::read(format!("/proc/{pid}/cmdline"))
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect()
}
