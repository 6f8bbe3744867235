use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tapedeck_failpoints::reached;

use super::{now_monotonic_ns, now_wall_ns};

/// The longest line that is read back, bytes.
const MAX_ENTRY_BYTES: u64 = 1 << 20;

/// What a process did, for a server that was away: one JSON line per happening, each on the disk
/// before the call returns.
pub struct Journal {
    file: File,
}

/// A line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Unix ms.
    pub at_ms: i64,
    /// On the machine's monotonic clock, ms.
    pub monotonic_ms: u64,
    /// Of the process that wrote it.
    pub pid: u32,
    /// What happened: `started`, `joined`, `sealed`, `finished`, `failed`, …
    pub happening: String,
    /// What else is to be told of it.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

impl Journal {
    /// Opens the journal at `path`, to append to it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        if last != [b'\n'] {
            // A process before this one died within a line.
            file.write_all(b"\n")?;
        }
        Ok(Self { file })
    }

    /// Appends a happening with its `details`, a struct or map whose fields are not those of
    /// [`JournalEntry`], and waits until the disk has it.
    pub fn append(&mut self, happening: &str, details: &impl Serialize) -> io::Result<()> {
        let details = match serde_json::to_value(details)? {
            Value::Object(details) => details,
            Value::Null => Map::new(),
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        let entry = JournalEntry {
            at_ms: now_wall_ns() / 1_000_000,
            monotonic_ms: now_monotonic_ns() / 1_000_000,
            pid: std::process::id(),
            happening: happening.to_owned(),
            details,
        };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        reached("journal.written");
        self.file.sync_data()?;
        reached("journal.synced");
        Ok(())
    }
}

/// Reads the journal at `path`, oldest first. Torn lines are left out; a missing file is empty.
pub fn read_journal(path: &Path) -> io::Result<Vec<JournalEntry>> {
    let mut input = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input
            .by_ref()
            .take(MAX_ENTRY_BYTES)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(entries);
        }
        entries.extend(serde_json::from_slice::<JournalEntry>(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_happened_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.jsonl");
        assert_eq!(read_journal(&path).unwrap(), []);
        let mut journal = Journal::open(&path).unwrap();
        journal
            .append("joined", &json!({"room_id": "RM_1"}))
            .unwrap();
        journal.append("sealed", &()).unwrap();
        let entries = read_journal(&path).unwrap();
        assert_eq!(entries[0].happening, "joined");
        assert_eq!(entries[0].details["room_id"], "RM_1");
        assert_eq!(entries[1].happening, "sealed");
        assert!(entries[0].monotonic_ms <= entries[1].monotonic_ms);
    }

    #[test]
    fn a_line_that_a_crash_tore_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.jsonl");
        Journal::open(&path).unwrap().append("joined", &()).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"at_ms":1,"happ"#).unwrap();
        Journal::open(&path)
            .unwrap()
            .append("resumed", &())
            .unwrap();
        let happenings: Vec<_> = read_journal(&path)
            .unwrap()
            .into_iter()
            .map(|entry| entry.happening)
            .collect();
        assert_eq!(happenings, ["joined", "resumed"]);
    }
}
