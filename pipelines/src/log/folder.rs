//! The files of a log: `000001.tdl`, `000002.tdl`, …

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::LogError;

const EXTENSION: &str = "tdl";

/// The path of a segment.
pub(super) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:06}.{EXTENSION}"))
}

/// The numbers of the segments in `folder`, ascending; none when there is no such folder.
pub(super) fn segment_numbers(folder: &Path) -> Result<Vec<u32>, LogError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LogError::io("list", folder, error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| LogError::io("list", folder, error))?
            .path();
        numbers.extend(segment_number(&path));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn segment_number(path: &Path) -> Option<u32> {
    if path.extension() != Some(OsStr::new(EXTENSION)) {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    let number = stem.parse().ok().filter(|&number| number > 0)?;
    (format!("{number:06}") == stem).then_some(number)
}
