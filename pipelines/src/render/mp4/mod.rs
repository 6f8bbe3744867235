//! From the fragmented MP4 that is written while rendering to the finished file: one header with
//! all sample tables in front (fast start), the media data copied untouched.
//!
//! Input is what `mp4mux fragment-duration=… fragment-mode=dash-or-mss streamable=true` of
//! GStreamer 1.22 writes, up to its last complete fragment: what a crash leaves half written is
//! left out. Sizes and counts in the input are believed only as far as the file is long.
//! Formats: ISO/IEC 14496-12 (boxes), 14496-14 and -15 (what they hold, copied as it is).

mod boxes;
mod finalise;
mod fragment;
mod moov;
mod movie;
mod output;
mod resume;
mod scan;
mod splice;
mod tables;
#[cfg(test)]
pub(super) mod tests;
mod timescale;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use finalise::{finalise, finalise_created_at, last_complete_fragment};
pub use resume::{ResumePoint, resume_point};
pub use splice::{Head, Piece, Shift};

/// What a track holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackKind {
    Audio,
    Video,
    /// Anything else; carried over as it is.
    Other,
}

/// A finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp4Summary {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
    /// From 0 to the end of the longest track.
    pub duration: Duration,
    /// Pixels; 0 without a video track.
    pub width: u32,
    /// Pixels; 0 without a video track.
    pub height: u32,
    /// Those with at least one sample, in the order of the input.
    pub tracks: Vec<TrackSummary>,
    /// Bytes after the last complete fragment: what a crash left, or damage.
    pub left_out: u64,
}

/// A track of a finished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackSummary {
    pub kind: TrackKind,
    pub samples: u64,
    /// Ticks per second.
    pub timescale: u32,
    /// Decoding time of the first sample, ticks.
    pub start: u64,
    /// Decoding time at which the last sample ends, ticks.
    pub end: u64,
}

/// Up to where a fragmented file can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentEnd {
    /// Bytes from the file's beginning to the end of its last complete fragment, or of its
    /// header if there is none: cut the file here to append fragments to it.
    pub offset: u64,
    /// Complete fragments.
    pub fragments: u64,
    /// All tracks of the header, also those without a sample. Each fragment of mp4mux holds one
    /// track only, so their ends differ.
    pub tracks: Vec<TrackSummary>,
}

impl FragmentEnd {
    /// The time up to which every track is there.
    pub fn common_end(&self) -> Duration {
        let ends = self
            .tracks
            .iter()
            .map(|track| seconds(track.end, track.timescale));
        ends.min().unwrap_or_default()
    }
}

fn seconds(ticks: u64, timescale: u32) -> Duration {
    Duration::from_nanos(timescale::rescale(ticks, timescale, 1_000_000_000))
}

/// Why a file could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    /// The file system is full.
    #[error("no space for the finished file {path} of {size} bytes: free some and render again")]
    NoSpace { path: PathBuf, size: u64 },
    /// The operating system refused something else.
    #[error("cannot {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The input is not a fragmented MP4, or its beginning is damaged.
    #[error("{path} cannot be finished: {detail}; render it from the capture log again")]
    Format { path: PathBuf, detail: &'static str },
    /// There is no complete fragment.
    #[error("{path} holds no complete fragment: render it from the capture log again")]
    Empty { path: PathBuf },
}

impl Mp4Error {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    fn writing(path: &Path, size: u64, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace {
                path: path.to_owned(),
                size,
            },
            _ => Self::io("write", path, error),
        }
    }
}
