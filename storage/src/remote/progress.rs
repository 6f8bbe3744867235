//! What is known of an upload in parts, kept beside the file so that it can go on after a crash.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;

/// Parts are at least this large, bytes.
const LEAST_PART: u64 = 8 << 20;
/// S3 takes 10,000 parts at most.
const MOST_PARTS: u64 = 9_000;

/// An upload in parts of one size, of which only the last may be smaller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it goes: store and key.
    pub target: String,
    /// Of the whole file, bytes.
    pub size: u64,
    /// Of the whole file, lower-case hexadecimal.
    pub sha256: String,
    pub part_bytes: u64,
    /// As the store names the upload.
    pub upload: String,
    /// What the store calls the parts that it has, by their index.
    pub parts: BTreeMap<u64, String>,
}

impl Progress {
    /// The part size for a file.
    pub fn part_bytes(size: u64) -> u64 {
        let needed = size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20);
        needed.max(LEAST_PART)
    }

    /// Whether it is an upload of this file to this target.
    pub fn is_of(&self, target: &str, size: u64, sha256: &str) -> bool {
        self.target == target && self.size == size && self.sha256 == sha256 && self.part_bytes > 0
    }

    /// How many parts the whole has.
    pub fn count(&self) -> u64 {
        self.size.div_ceil(self.part_bytes)
    }

    /// Bytes that the store has.
    pub fn sent(&self) -> u64 {
        let bytes = |part: &u64| {
            self.part_bytes
                .min(self.size.saturating_sub(part * self.part_bytes))
        };
        self.parts.keys().map(bytes).sum()
    }

    /// Parts that the store does not have.
    pub fn missing(&self) -> Vec<u64> {
        (0..self.count())
            .filter(|part| !self.parts.contains_key(part))
            .collect()
    }

    /// Where the progress of the upload of `file` is kept.
    pub fn path(file: &Path) -> PathBuf {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".upload.json");
        file.with_file_name(name)
    }

    /// What an earlier try left, if it is readable.
    pub fn load(file: &Path) -> io::Result<Option<Self>> {
        match fs::read(Self::path(file)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns when the disk has it.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        durable::replace_file(&Self::path(file), &serde_json::to_vec(self)?)
    }

    /// The upload of `file` is over.
    pub fn remove(file: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_enough() {
        assert_eq!(Progress::part_bytes(1), 8 << 20);
        assert_eq!(Progress::part_bytes(10 << 30), 8 << 20);
        let huge = 5 << 40;
        assert!(huge / Progress::part_bytes(huge) <= MOST_PARTS);
        assert_eq!(Progress::part_bytes(huge) % (1 << 20), 0);
    }

    #[test]
    fn is_found_again_for_the_same_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("output.mp4");
        assert_eq!(Progress::load(&file).unwrap(), None);
        let progress = Progress {
            target: "films/a.mp4".into(),
            size: 20 << 20,
            sha256: "ab".into(),
            part_bytes: 8 << 20,
            upload: "u".into(),
            parts: [(1, "etag".to_owned())].into(),
        };
        progress.save(&file).unwrap();
        let found = Progress::load(&file).unwrap().unwrap();
        assert_eq!(found, progress);
        assert_eq!(found.missing(), [0, 2]);
        assert_eq!(found.sent(), 8 << 20);
        assert!(found.is_of("films/a.mp4", 20 << 20, "ab"));
        assert!(!found.is_of("films/a.mp4", 20 << 20, "cd"));
        assert!(!found.is_of("films/b.mp4", 20 << 20, "ab"));
        Progress::remove(&file).unwrap();
        Progress::remove(&file).unwrap();
        assert_eq!(Progress::load(&file).unwrap(), None);
    }
}
