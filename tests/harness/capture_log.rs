//! What a capture log tells of missing media.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tapedeck_pipelines::log::{Body, LogEvent, LogReader, Next, TrackInfo, TrackKind};

/// What is missing in a log.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// From, to (s of recording time) and reason of each gap that is told.
    pub gaps: Vec<(f64, f64, String)>,
    /// Track and time (s) of each frame that is missing before it; not of a track's first.
    pub frames: Vec<(u16, f64)>,
    /// When something is missing of a source, from its first frame on and up to the end of the log.
    pub silences: Vec<Silence>,
}

/// A stretch of which frames of one camera or microphone are missing, over all tracks that it had.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Whose.
    pub identity: String,
    pub kind: TrackKind,
    /// The last frame before it, s of recording time.
    pub from: f64,
    /// The first frame after it, or the end of the log.
    pub to: f64,
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
        let mut identities = HashMap::new();
        let mut tracks: HashMap<u16, TrackInfo> = HashMap::new();
        let mut last: HashMap<(String, TrackKind), f64> = HashMap::new();
        let mut end = 0.0;
        while let Next::Record(record) = reader.next().expect("a readable log") {
            let at = seconds(record.time_ns);
            end = at;
            match record.body {
                Body::Event(LogEvent::Gap {
                    from_ns,
                    to_ns,
                    reason,
                }) => missing
                    .gaps
                    .push((seconds(from_ns), seconds(to_ns), reason.to_string())),
                Body::Event(LogEvent::ParticipantJoined {
                    participant,
                    identity,
                    ..
                }) => {
                    identities.insert(participant, identity);
                }
                Body::Event(LogEvent::TrackAdded(info)) => {
                    tracks.insert(info.track, info);
                }
                Body::Frame(frame) => {
                    let is_first = begun.insert(frame.track);
                    if !frame.contiguous && !is_first {
                        missing.frames.push((frame.track, at));
                    }
                    let info = tracks.get(&frame.track).expect("a track that was added");
                    let identity = identities.get(&info.participant).cloned();
                    let source = (identity.unwrap_or_default(), info.kind);
                    let before = last.insert(source.clone(), at);
                    // One that only waited misses nothing.
                    if let Some(from) = before.filter(|_| is_first || !frame.contiguous) {
                        missing.silence(source, from, at);
                    }
                }
                _ => {}
            }
        }
        for (source, from) in last {
            missing.silence(source, from, end);
        }
        missing
    }

    fn silence(&mut self, (identity, kind): (String, TrackKind), from: f64, to: f64) {
        self.silences.push(Silence {
            identity,
            kind,
            from,
            to,
        });
    }

    /// Whether everything is there.
    pub fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.frames.is_empty()
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
