//! The tracks of a capture log as files of their own, without decoding: WebM (VP8, VP9, AV1),
//! Matroska (H.264, PCM), Ogg (Opus). Times are recording time.

mod name;
mod ogg;
mod track_file;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use gstreamer as gst;
use serde::Serialize;

use super::HOLD_NS;
use super::timeline::{ParticipantClock, Placing, Stretches};
use crate::log::{
    Body, Codec, Frame, LogError, LogEvent, LogReader, Next, Record, TrackInfo, TrackKind,
    TrackNumber,
};
use track_file::TrackFile;

/// Why tracks were not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("cannot use GStreamer: {0}")]
    Framework(String),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("cannot use the folder {path}: {source}")]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} exists already: name another folder")]
    Exists(PathBuf),
    #[error("cannot write {path}: {detail}")]
    Write { path: PathBuf, detail: String },
}

/// What became of a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedTrack {
    pub track: TrackNumber,
    pub id: String,
    pub identity: String,
    pub codec: Codec,
    /// None when nothing of it could be written.
    pub file: Option<PathBuf>,
    /// Frames in the file.
    pub frames: u64,
    /// Frames before the first from which a decoder can begin, and those that could not be placed.
    pub left_out: u64,
    /// Recording time of the first and the last frame, ms.
    pub first_ms: Option<u64>,
    pub last_ms: Option<u64>,
}

/// Writes each track of the log in `folder` (a work folder or the log in it) to a file in `out`,
/// which is made. A log that is still written is exported as far as it is there.
///
/// # Errors
/// The log cannot be read or a file cannot be written. No existing file is written over.
pub fn export(folder: &Path, out: &Path) -> Result<Vec<ExportedTrack>, ExportError> {
    gst::init().map_err(|error| ExportError::Framework(error.to_string()))?;
    let inner = folder.join("log");
    let mut reader = LogReader::open(if inner.is_dir() { &inner } else { folder })?;
    std::fs::create_dir_all(out).map_err(|source| ExportError::Folder {
        path: out.to_owned(),
        source,
    })?;
    let mut exporter = Exporter {
        out: out.to_owned(),
        clocks: HashMap::new(),
        stretches: Stretches::default(),
        identities: HashMap::new(),
        tracks: BTreeMap::new(),
        waiting: VecDeque::new(),
    };
    while let Next::Record(record) = reader.next()? {
        exporter.read(record)?;
    }
    exporter.finish()
}

struct Exporter {
    out: PathBuf,
    clocks: HashMap<String, ParticipantClock>,
    stretches: Stretches,
    /// By participant.
    identities: HashMap<String, String>,
    tracks: BTreeMap<TrackNumber, Track>,
    /// Frames that are not placed before more is known of their clocks.
    waiting: VecDeque<Waiting>,
}

struct Track {
    info: TrackInfo,
    file: Option<TrackFile>,
    told: ExportedTrack,
}

struct Waiting {
    frame: Frame,
    arrival_ns: i64,
    stretch: usize,
}

impl Exporter {
    fn read(&mut self, record: Record) -> Result<(), ExportError> {
        let now = i64::try_from(record.time_ns).unwrap_or(i64::MAX);
        self.write_until(now.saturating_sub(HOLD_NS))?;
        match record.body {
            Body::Frame(frame) => {
                let running = self.stretches.running(now);
                if let Some(clock) = self.clock_of(frame.track) {
                    clock.arrival(frame.track, running, frame.rtp);
                }
                self.waiting.push_back(Waiting {
                    frame,
                    arrival_ns: now,
                    stretch: self.stretches.current(),
                });
            }
            Body::SenderReport(report) => {
                let running = self.stretches.running(now);
                if let Some(clock) = self.clock_of(report.track) {
                    clock.report(report, running);
                }
            }
            Body::Event(event) => self.notice(event, now),
            Body::Tick => {}
        }
        Ok(())
    }

    fn clock_of(&mut self, track: TrackNumber) -> Option<&mut ParticipantClock> {
        let owner = &self.tracks.get(&track)?.info.participant;
        self.clocks.get_mut(owner)
    }

    fn notice(&mut self, event: LogEvent, now: i64) {
        match event {
            LogEvent::ParticipantJoined {
                participant,
                identity,
                ..
            } => {
                self.identities.insert(participant, identity);
            }
            LogEvent::TrackAdded(info) if !self.tracks.contains_key(&info.track) => {
                self.clocks
                    .entry(info.participant.clone())
                    .or_default()
                    .add_track(&info);
                let identity = self.identities.get(&info.participant);
                let told = ExportedTrack {
                    track: info.track,
                    id: info.id.clone(),
                    identity: identity.cloned().unwrap_or_default(),
                    codec: info.codec,
                    file: None,
                    frames: 0,
                    left_out: 0,
                    first_ms: None,
                    last_ms: None,
                };
                self.tracks.insert(
                    info.track,
                    Track {
                        info,
                        file: None,
                        told,
                    },
                );
            }
            LogEvent::Paused => self.stretches.end(now),
            LogEvent::Resumed { paused_ns } => self.stretches.begin(now, paused_ns),
            _ => {}
        }
    }

    /// Writes the frames that arrived by then.
    fn write_until(&mut self, until_ns: i64) -> Result<(), ExportError> {
        while self
            .waiting
            .front()
            .is_some_and(|waiting| waiting.arrival_ns <= until_ns)
            && let Some(waiting) = self.waiting.pop_front()
        {
            let number = waiting.frame.track;
            let Some(track) = self.tracks.get_mut(&number) else {
                continue;
            };
            let clock = self.clocks.get(&track.info.participant);
            let placing = Placing::new(number, clock, &self.stretches);
            let place = placing.place(waiting.frame.rtp, waiting.stretch);
            let bounds = placing.bounds(waiting.stretch);
            let place = place.map(|at| at.clamp(bounds.start.max(0), bounds.end.max(0)));
            track.write(&waiting.frame, place, &self.out)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<ExportedTrack>, ExportError> {
        self.write_until(i64::MAX)?;
        let mut exported = Vec::new();
        for (_, mut track) in self.tracks {
            if let Some(file) = track.file.take() {
                file.finish()?;
            }
            exported.push(track.told);
        }
        Ok(exported)
    }
}

impl Track {
    fn write(&mut self, frame: &Frame, place: Option<i64>, out: &Path) -> Result<(), ExportError> {
        let place = place.and_then(|place| u64::try_from(place).ok());
        let begins = frame.keyframe || self.info.kind == TrackKind::Audio;
        let (Some(place), true) = (place, self.file.is_some() || begins) else {
            self.told.left_out += 1;
            return Ok(());
        };
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let name = name::of(&self.info, &self.told.identity);
                let Some(file) = TrackFile::create(&out.join(name), &self.info, frame)? else {
                    self.told.left_out += 1;
                    return Ok(());
                };
                self.told.file = Some(file.path().to_owned());
                empty.insert(file)
            }
        };
        let place = file.write(frame, place)?;
        self.told.frames += 1;
        self.told.first_ms.get_or_insert(place / 1_000_000);
        self.told.last_ms = Some(place / 1_000_000);
        Ok(())
    }
}
