//! What a capture log tells of missing media.

use std::collections::HashSet;
use std::path::Path;

use tapedeck_pipelines::log::{Body, LogEvent, LogReader, Next};

/// What is missing in a log.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// From, to (s of recording time) and reason of each gap that is told.
    pub gaps: Vec<(f64, f64, String)>,
    /// Track and time (s) of each frame that is missing before it; not of a track's first.
    pub frames: Vec<(u16, f64)>,
}

impl Missing {
    /// Reads a log to its end.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn of(folder: &Path) -> Self {
        let mut reader = LogReader::open(folder).expect("a log");
        let mut missing = Self::default();
        let mut begun = HashSet::new();
        while let Next::Record(record) = reader.next().expect("a readable log") {
            match record.body {
                Body::Event(LogEvent::Gap {
                    from_ns,
                    to_ns,
                    reason,
                }) => missing
                    .gaps
                    .push((seconds(from_ns), seconds(to_ns), reason.to_string())),
                Body::Frame(frame) => {
                    let is_first = begun.insert(frame.track);
                    if !frame.contiguous && !is_first {
                        missing.frames.push((frame.track, seconds(record.time_ns)));
                    }
                }
                _ => {}
            }
        }
        missing
    }

    /// Whether everything is there.
    pub fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.frames.is_empty()
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
