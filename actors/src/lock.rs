//! One server at a time uses a data folder: who has it is told to those who come later.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::now_ms;

/// How long a lock is waited for. A server that was killed while it started a child leaves it to that
/// child until its program begins (`fork`, then `execve` closes the file).
const PATIENCE: Duration = Duration::from_secs(2);

/// Who uses a data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderHolder {
    pub pid: u32,
    /// Since when, Unix ms.
    pub since_ms: i64,
    /// Where it listens; empty for a command that repairs something.
    #[serde(default)]
    pub address: String,
}

impl fmt::Display for FolderHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        if !self.address.is_empty() {
            write!(f, ", which listens on {}", self.address)?;
        }
        let since = OffsetDateTime::from_unix_timestamp(self.since_ms.div_euclid(1_000));
        match since.map(|since| since.format(&Rfc3339)) {
            Ok(Ok(since)) => write!(f, ", since {since}"),
            _ => Ok(()),
        }
    }
}

/// Held while a process uses a data folder.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// The folder was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another server uses it: {}", .0.as_ref().map_or("it did not say which".to_owned(), ToString::to_string))]
    Held(Option<FolderHolder>),
    #[error("its lock cannot be used: {0}")]
    Failed(#[from] io::Error),
}

impl From<LockError> for io::Error {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held(_) => Self::new(
                ErrorKind::WouldBlock,
                format!("{error}: end it or choose another folder"),
            ),
            LockError::Failed(error) => error,
        }
    }
}

impl FolderLock {
    /// Takes the lock at `path`, which is waited for up to two seconds, and writes there who has it.
    ///
    /// # Errors
    /// Another process has it, or the file cannot be opened.
    pub fn take(path: &Path, address: &str) -> Result<Self, LockError> {
        let mut file = open(path)?;
        let give_up_at = Instant::now() + PATIENCE;
        while !try_lock(&file)? {
            if Instant::now() >= give_up_at {
                return Err(LockError::Held(read(&mut file)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let holder = FolderHolder {
            pid: std::process::id(),
            since_ms: now_ms(),
            address: address.to_owned(),
        };
        // On a full disk the lock holds all the same.
        if let Err(error) = write(&mut file, &holder) {
            log::warn!(
                "cannot write to {} who uses the folder: {error}",
                path.display()
            );
        }
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
}

fn try_lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn read(file: &mut File) -> Option<FolderHolder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, holder: &FolderHolder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(holder)?)
}

/// Who has the lock at `path`, if anybody; the inner `None` is a holder that did not say.
///
/// # Errors
/// The file cannot be opened.
pub fn holder(path: &Path) -> io::Result<Option<Option<FolderHolder>>> {
    let mut file = match File::options().read(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match try_lock(&file)? {
        true => Ok(None),
        false => Ok(Some(read(&mut file))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(holder(&path).unwrap(), None);
        let first = FolderLock::take(&path, "127.0.0.1:6080").unwrap();
        let error = FolderLock::take(&path, "127.0.0.1:6081").unwrap_err();
        let text = error.to_string();
        let pid = format!("process {},", std::process::id());
        assert!(
            text.contains(&pid) && text.contains("127.0.0.1:6080"),
            "{text}"
        );
        assert!(text.contains("since 20"), "{text}");
        assert!(matches!(holder(&path).unwrap(), Some(Some(_))));
        drop(first);
        assert_eq!(holder(&path).unwrap(), None);
        FolderLock::take(&path, "").unwrap();
    }

    #[test]
    fn what_an_earlier_version_left_in_the_file_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "x".repeat(1_000)).unwrap();
        let _first = FolderLock::take(&path, "").unwrap();
        let known = read(&mut open(&path).unwrap()).unwrap();
        assert_eq!(known.pid, std::process::id());
    }
}
