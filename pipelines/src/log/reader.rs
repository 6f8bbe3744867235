use std::path::{Path, PathBuf};

use super::{LogError, Record};

/// Reads a log in order, also one that is still growing.
pub struct LogReader {}

/// What [`LogReader::next`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Record(Record),
    /// No complete record yet. More may come, unless the log is final.
    Edge,
}

/// A stretch of a segment that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: PathBuf,
    /// Byte offset within the segment.
    pub offset: u64,
    /// Bytes passed over.
    pub length: u64,
}

impl LogReader {
    /// Opens the log in `folder`; [`LogError::Missing`] while it has no segment.
    pub fn open(_folder: &Path) -> Result<Self, LogError> {
        todo!()
    }

    /// The next record. A damaged record in the middle is passed over and told in
    /// [`LogReader::damage`]; an incomplete one at the end is [`Next::Edge`].
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Next, LogError> {
        todo!()
    }

    /// What was passed over so far.
    pub fn damage(&self) -> &[Damage] {
        todo!()
    }
}
