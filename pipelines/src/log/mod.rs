//! The capture log: everything that was received, in order of arrival, checksummed.
//!
//! The bytes are specified in `docs/capture-log.md`.

mod absence;
mod disk;
mod event;
#[cfg(test)]
mod faults;
mod folder;
mod format;
mod inspect;
mod opening;
mod reader;
mod record;
mod segment;
mod tail;
mod told;
mod writer;

pub use absence::*;
pub use event::*;
pub use format::{
    FORMAT_VERSION, MAX_PAYLOAD_BYTES, MAX_RECORDING_ID_BYTES, RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
};
pub use inspect::*;
pub use opening::is_locked;
pub use reader::*;
pub use record::*;
pub use tail::last_time_ns;
pub use told::Told;
pub use writer::*;

/// Why a log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused; `ENOSPC` is seen through [`std::io::Error::raw_os_error`].
    #[error("cannot {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The folder holds no segment.
    #[error("no capture log in {0}")]
    Missing(std::path::PathBuf),
    /// A segment is not of this format or of a later version.
    #[error("{path} is not a capture log that this version can read: {detail}")]
    Format {
        path: std::path::PathBuf,
        detail: String,
    },
    /// A record is larger than the format allows.
    #[error("a record of {0} bytes is larger than the capture log allows")]
    TooLarge(usize),
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON: {0}")]
    Event(#[source] serde_json::Error),
}

impl LogError {
    fn io(action: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }
}
