//! Why the rooms process ended, in its own words.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The most that is read of the log, bytes.
const TAIL: u64 = 4 << 10;
/// The most that is told of a line, characters.
const LONGEST: usize = 300;

/// The last line that was appended to the log at `path` since it had `since` bytes; none if there
/// is nothing new. Time, level and module are left out.
pub fn last_words(path: &Path, since: u64) -> Option<String> {
    read_tail(path, since)
        .inspect_err(|error| log::debug!("{} cannot be read: {error}", path.display()))
        .ok()
        .and_then(|tail| message(&tail))
}

fn read_tail(path: &Path, since: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    // One that is shorter was begun anew.
    let since = if since > length { 0 } else { since };
    file.seek(SeekFrom::Start(since.max(length.saturating_sub(TAIL))))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(String::from_utf8_lossy(&tail).into_owned())
}

fn message(tail: &str) -> Option<String> {
    // What follows a panic's message tells nothing.
    let is_told = |line: &&str| !line.trim().is_empty() && !line.starts_with("note: ");
    let line = tail.lines().rfind(is_told)?;
    // `time level module [process] message`
    let said = match line.split_once("] ") {
        Some((head, said)) if head.contains(" [") => said,
        _ => line,
    };
    Some(said.trim().chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_last_line_without_its_head() {
        let log = "2026-11-22T05:00:00.000Z INFO  rooms [rooms] begins\n\
                   2026-11-22T05:00:00.010Z ERROR rooms [rooms] no UDP port of 6082-6181 is free\n\n";
        assert_eq!(
            message(log).as_deref(),
            Some("no UDP port of 6082-6181 is free")
        );
        let plain = "tapedeck rooms: standard input holds no job\n";
        assert_eq!(message(plain).as_deref(), Some(plain.trim()));
        assert_eq!(message("\n \n"), None);
    }

    #[test]
    fn what_an_earlier_process_said_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rooms.log");
        assert_eq!(last_words(&path, 0), None);
        std::fs::write(&path, "earlier\n").unwrap();
        assert_eq!(last_words(&path, 8), None);
        std::fs::write(&path, "earlier\nnow\n").unwrap();
        assert_eq!(last_words(&path, 8).as_deref(), Some("now"));
        std::fs::write(&path, "anew\n").unwrap();
        assert_eq!(last_words(&path, 1_000_000).as_deref(), Some("anew"));
    }

    #[test]
    fn a_flood_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rooms.log");
        std::fs::write(&path, "x".repeat(1 << 20)).unwrap();
        assert_eq!(last_words(&path, 0).unwrap().len(), LONGEST);
    }
}
