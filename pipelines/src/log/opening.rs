//! What must hold before a log is written: nobody else writes it, its torn tail is cut off, its
//! next segment has a header.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::FlockOperation;
use tapedeck_failpoints::reached;

use super::LogError;
use super::disk::{SegmentFile, sync_folder};
use super::folder::{segment_numbers, segment_path};
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// The number of the segment after `number`.
pub fn next_number(folder: &Path, number: u32) -> Result<u32, LogError> {
    number.checked_add(1).ok_or_else(|| LogError::Format {
        path: segment_path(folder, number),
        detail: "its number is the last there is; move it out of the folder".to_owned(),
    })
}

/// Opens and locks the folder. The lock ends with the process.
pub fn lock(folder: &Path) -> Result<File, LogError> {
    let file = File::open(folder).map_err(|error| LogError::io("open", folder, error))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| LogError::io("lock", folder, error.into()))?;
    Ok(file)
}

/// Whether a process has the folder locked: also one that was killed, as long as it waits for the
/// disk.
pub fn is_locked(folder: &Path) -> Result<bool, LogError> {
    let file = match File::open(folder) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(LogError::io("open", folder, error)),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(LogError::io("lock", folder, error.into())),
    }
}

/// Refuses a folder with a log in it. A first segment that never got its header is none.
pub fn refuse_existing(folder: &Path) -> Result<(), LogError> {
    for number in segment_numbers(folder)? {
        let path = segment_path(folder, number);
        let metadata = path
            .metadata()
            .map_err(|error| LogError::io("read", &path, error))?;
        if number > 1 || metadata.len() >= SEGMENT_HEADER_BYTES as u64 {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(LogError::io("begin a log over", &path, source));
        }
    }
    Ok(())
}

/// Cuts a file to `good_bytes` on the disk; returns how many bytes that took away.
pub fn cut(path: &Path, good_bytes: u64) -> Result<u64, LogError> {
    let error = |error| LogError::io("cut the torn tail of", path, error);
    let length = path.metadata().map_err(error)?.len();
    let file = SegmentFile::open(path).map_err(error)?;
    // Also when nothing is torn: space that was set aside is given back.
    file.set_len(good_bytes).map_err(error)?;
    file.sync().map_err(error)?;
    Ok(length.saturating_sub(good_bytes))
}

/// Makes a segment that has a header, on the disk.
pub fn create_segment(
    path: &Path,
    header: &SegmentHeader,
    folder: &Path,
    folder_file: &File,
) -> Result<SegmentFile, LogError> {
    let error = |error| LogError::io("create", path, error);
    let mut file = SegmentFile::open(path).map_err(error)?;
    reached("log.created");
    // What is there is the beginning of a header that could not be completed.
    file.set_len(0).map_err(error)?;
    if let Err(failed) = file.write_all(&header.encode()) {
        let _ = file.set_len(0);
        return Err(error(failed));
    }
    file.sync().map_err(error)?;
    reached("log.header");
    sync_folder(folder_file, folder).map_err(error)?;
    Ok(file)
}
