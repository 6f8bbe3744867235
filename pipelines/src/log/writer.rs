use std::path::Path;

use super::{LogError, Record};
use crate::job::LogSettings;

/// Appends records to the segments of one log. Blocking: it belongs on a thread of its own.
pub struct LogWriter {}

/// Where a resumed log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Recording time of the last good record.
    pub time_ns: u64,
    /// Wall time of the last good record.
    pub wall_ns: i64,
    /// Wall time of recording time 0.
    pub started_wall_ns: i64,
    /// Bytes cut from the torn tail.
    pub cut_bytes: u64,
}

impl LogWriter {
    /// Begins a log in an empty or missing `folder`.
    pub fn create(_folder: &Path, _recording_id: &str, _settings: LogSettings) -> Result<Self, LogError> {
        todo!()
    }

    /// Goes on in the log in `folder`, after cutting its torn tail, in a new segment.
    pub fn resume(_folder: &Path, _recording_id: &str, _settings: LogSettings) -> Result<(Self, Resumed), LogError> {
        todo!()
    }

    /// Appends one record. It reaches the operating system with [`LogWriter::flush`] or when the
    /// buffer is full, and the disk with [`LogWriter::sync`].
    pub fn append(&mut self, _record: &Record) -> Result<(), LogError> {
        todo!()
    }

    /// Hands what is buffered to the operating system: a reader can see it, a killed process
    /// cannot lose it.
    pub fn flush(&mut self) -> Result<(), LogError> {
        todo!()
    }

    /// Flushes and waits until the disk has it.
    pub fn sync(&mut self) -> Result<(), LogError> {
        todo!()
    }

    /// Size of the log, bytes, all segments.
    pub fn bytes(&self) -> u64 {
        todo!()
    }
}
