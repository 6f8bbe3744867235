//! The folder in which a browser keeps what it thinks it must keep. It is removed with the browser,
//! at the latest by the next host, which first ends a browser that outlived its own.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use crate::process::random_u64;

const PREFIX: &str = "profile-";

/// A browser that was killed may still be writing.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// A new folder for one browser. It is not removed when dropped: the browser's processes have to
/// end before.
#[derive(Debug)]
pub struct Profile {
    path: PathBuf,
}

impl Profile {
    /// Makes one below `folder`, mode 0700.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{PREFIX}{:08x}", random_u64() as u32));
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700).create(&path)?;
        let profile = Self { path };
        builder.create(profile.temporary())?;
        Ok(profile)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The browser's folder for temporary files: some of them outlive it.
    pub fn temporary(&self) -> PathBuf {
        self.path.join("t")
    }

    /// Removes it. Blocks for up to two seconds.
    pub fn remove(self) {
        remove(&self.path);
    }
}

/// Removes the profiles that earlier hosts left in `folder`. To be called by the only host there.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_profile = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_profile && entry.file_type()?.is_dir() {
            log::info!(
                "removing {}, left by an earlier host",
                entry.path().display()
            );
            end_processes(&entry.path());
            remove(&entry.path());
        }
    }
    Ok(())
}

/// Ends what still runs with `profile` as its home: a browser whose host was killed takes seconds
/// to notice, and writes its profile anew when it ends. Blocks for up to two seconds.
fn end_processes(profile: &Path) {
    for _ in 0..ATTEMPTS {
        let processes = processes_at_home_in(profile);
        if processes.is_empty() {
            return;
        }
        for process in processes {
            // An error means that it has ended.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
        std::thread::sleep(PAUSE);
    }
}

/// The running processes whose environment names `profile` as their home.
fn processes_at_home_in(profile: &Path) -> Vec<Pid> {
    let home = [b"HOME=", profile.as_os_str().as_bytes()].concat();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let lives_there = |process: &Pid| {
        let environment = format!("/proc/{}/environ", process.as_raw_nonzero());
        // Those of other users cannot be read; one that has ended has none.
        std::fs::read(environment)
            .is_ok_and(|words| words.split(|byte| *byte == 0).any(|word| word == home))
    };
    entries
        .filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .filter(lives_there)
        .collect()
}

fn remove(path: &Path) {
    for attempt in 1..=ATTEMPTS {
        match std::fs::remove_dir_all(path) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) if attempt == ATTEMPTS => {
                log::warn!("cannot remove {}: {error}", path.display());
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn what_an_earlier_host_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let left = Profile::create(folder.path()).unwrap();
        std::fs::write(left.temporary().join("x"), "y").unwrap();
        std::fs::write(folder.path().join("browser.log"), "z").unwrap();
        std::fs::write(folder.path().join("profile-notes"), "z").unwrap();
        remove_leftovers(folder.path()).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["browser.log", "profile-notes"]);
    }

    #[test]
    fn a_browser_that_outlived_its_host_is_ended_before_its_profile_goes() {
        let folder = tempfile::tempdir().unwrap();
        let left = Profile::create(folder.path()).unwrap();
        let other = folder.path().join("profile");
        let [mut browser, mut stranger] = [left.path(), &other].map(|home| {
            let mut command = std::process::Command::new("sleep");
            command.arg("60").env("HOME", home).spawn().unwrap()
        });
        // A process that has just begun has no environment for some moments.
        while processes_at_home_in(left.path()).is_empty() {
            std::thread::yield_now();
        }
        remove_leftovers(folder.path()).unwrap();
        let ended = browser.try_wait().unwrap();
        assert_eq!(ended.and_then(|status| status.signal()), Some(9));
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert!(!left.path().exists());
    }
}
