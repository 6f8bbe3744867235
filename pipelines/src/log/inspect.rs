//! What a log holds, counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::{segment_numbers, segment_path};
use super::{
    Body, Codec, Damage, Frame, LogError, LogEvent, LogReader, Next, Record, TrackInfo, TrackKind,
    TrackNumber, TrackSource,
};
use crate::control::EndReason;

/// What a log holds. Times are recording time unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub recording_id: String,
    pub room_name: String,
    /// LiveKit's `RM_…`.
    pub room_id: String,
    /// [`Source::kind`](crate::job::Source::kind) of where the room lives; empty if the log does
    /// not tell.
    pub source: String,
    /// Wall time of recording time 0, Unix ms.
    pub started_at_ms: i64,
    /// Time of the last record.
    pub duration_ms: u64,
    /// `None` when the log has no end record: it is still written, or its writer died.
    pub end_reason: Option<EndReason>,
    pub segments: Vec<SegmentSummary>,
    /// Size of all segments.
    pub bytes: u64,
    pub records: u64,
    pub frames: u64,
    pub events: u64,
    pub sender_reports: u64,
    pub participants: Vec<ParticipantSummary>,
    pub tracks: Vec<TrackSummary>,
    pub gaps: Vec<GapSummary>,
    pub pauses: Vec<PauseSummary>,
    /// Events by name, with their number.
    pub events_by_name: BTreeMap<String, u64>,
    pub damage: Vec<DamageSummary>,
    /// Bytes behind the last good record: being written, or torn.
    pub unfinished_bytes: u64,
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentSummary {
    pub file: PathBuf,
    pub bytes: u64,
}

/// Somebody who was in the room. Who came back under another id is told twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantSummary {
    /// LiveKit's `PA_…`.
    pub id: String,
    pub identity: String,
    /// The last one.
    pub name: String,
    pub joined_ms: u64,
    /// `None` for those who stayed to the end.
    pub left_ms: Option<u64>,
}

/// What was received of a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackSummary {
    pub track: TrackNumber,
    /// LiveKit's `TR_…`; empty when the track was never announced.
    pub id: String,
    pub participant: String,
    pub kind: Option<TrackKind>,
    pub source: TrackSource,
    pub codec: Codec,
    pub added_ms: Option<u64>,
    pub removed_ms: Option<u64>,
    pub first_frame_ms: Option<u64>,
    pub last_frame_ms: Option<u64>,
    pub frames: u64,
    pub bytes: u64,
    pub key_frames: u64,
    /// Times that frames are missing before one.
    pub interruptions: u64,
    pub sender_reports: u64,
    /// When the first sender report came.
    pub first_sender_report_ms: Option<u64>,
    pub mutes: u64,
}

/// A time of which nothing was captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GapSummary {
    pub from_ms: u64,
    pub to_ms: u64,
    pub reason: String,
}

/// A time in which recording time stood still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseSummary {
    pub at_ms: u64,
    /// How long; `None` when it has not ended.
    pub paused_ms: Option<u64>,
}

/// A stretch of a segment that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DamageSummary {
    pub file: PathBuf,
    pub offset: u64,
    /// 0 when the whole segment is missing.
    pub bytes: u64,
}

/// Reads the log of a recording: `folder` is its work folder or the log in it. The log may still
/// grow.
pub fn inspect(folder: &Path) -> Result<Summary, LogError> {
    let inner = folder.join("log");
    let folder = if inner.is_dir() { &inner } else { folder };
    let mut reader = LogReader::open(folder)?;
    let mut summary = Summary {
        recording_id: reader.recording_id().to_owned(),
        started_at_ms: reader.started_wall_ns().div_euclid(1_000_000),
        ..Summary::default()
    };
    let mut tracks = BTreeMap::new();
    while let Next::Record(record) = reader.next()? {
        summary.count(&mut tracks, record);
    }
    summary.tracks = tracks.into_values().collect();
    summary.damage = reader.damage().iter().map(DamageSummary::from).collect();
    summary.measure(folder, &reader)?;
    Ok(summary)
}

type Tracks = BTreeMap<TrackNumber, TrackSummary>;

impl Summary {
    fn count(&mut self, tracks: &mut Tracks, record: Record) {
        let time_ms = record.time_ns / 1_000_000;
        self.records += 1;
        self.duration_ms = self.duration_ms.max(time_ms);
        match record.body {
            Body::Frame(frame) => {
                self.frames += 1;
                track(tracks, frame.track).count(time_ms, &frame);
            }
            Body::SenderReport(report) => {
                self.sender_reports += 1;
                let track = track(tracks, report.track);
                track.sender_reports += 1;
                track.first_sender_report_ms.get_or_insert(time_ms);
            }
            Body::Event(event) => {
                self.events += 1;
                *self.events_by_name.entry(event_name(&event)).or_default() += 1;
                self.take_in(tracks, time_ms, event);
            }
            Body::Tick => {}
        }
    }

    fn take_in(&mut self, tracks: &mut Tracks, time_ms: u64, event: LogEvent) {
        match event {
            LogEvent::RecordingStarted {
                recording_id,
                room_name,
                room_id,
                source,
            } => {
                self.recording_id = recording_id;
                self.room_name = room_name;
                self.room_id = room_id;
                self.source = source;
            }
            LogEvent::ParticipantJoined {
                participant,
                identity,
                name,
            } => {
                self.participants.push(ParticipantSummary {
                    id: participant,
                    identity,
                    name,
                    joined_ms: time_ms,
                    left_ms: None,
                });
            }
            LogEvent::ParticipantRenamed { participant, name } => {
                if let Some(participant) = self.present(&participant) {
                    participant.name = name;
                }
            }
            LogEvent::ParticipantLeft { participant } => {
                if let Some(participant) = self.present(&participant) {
                    participant.left_ms = Some(time_ms);
                }
            }
            LogEvent::TrackAdded(info) => track(tracks, info.track).announce(time_ms, info),
            LogEvent::TrackRemoved { track: number } => {
                track(tracks, number).removed_ms = Some(time_ms);
            }
            LogEvent::TrackMuted { track: number } => track(tracks, number).mutes += 1,
            LogEvent::Gap {
                from_ns,
                to_ns,
                reason,
            } => self.gap(GapSummary {
                from_ms: from_ns / 1_000_000,
                to_ms: to_ns / 1_000_000,
                reason,
            }),
            LogEvent::Paused => self.pauses.push(PauseSummary {
                at_ms: time_ms,
                paused_ms: None,
            }),
            LogEvent::Resumed { paused_ns } => {
                if let Some(pause) = self.pauses.last_mut() {
                    pause.paused_ms = Some(paused_ns / 1_000_000);
                }
            }
            LogEvent::RecordingEnded { reason } => self.end_reason = Some(reason),
            _ => {}
        }
    }

    /// A gap may be told piece by piece.
    fn gap(&mut self, gap: GapSummary) {
        match self.gaps.last_mut() {
            Some(last) if last.reason == gap.reason && last.to_ms == gap.from_ms => {
                last.to_ms = gap.to_ms;
            }
            _ => self.gaps.push(gap),
        }
    }

    fn present(&mut self, id: &str) -> Option<&mut ParticipantSummary> {
        let present = |participant: &&mut ParticipantSummary| {
            participant.id == id && participant.left_ms.is_none()
        };
        self.participants.iter_mut().rev().find(present)
    }

    fn measure(&mut self, folder: &Path, reader: &LogReader) -> Result<(), LogError> {
        let end = reader.position();
        for number in segment_numbers(folder)? {
            let file = segment_path(folder, number);
            let metadata = file
                .metadata()
                .map_err(|error| LogError::io("read", &file, error))?;
            let bytes = metadata.len();
            if number == end.segment {
                self.unfinished_bytes = bytes.saturating_sub(end.offset);
            }
            self.bytes += bytes;
            self.segments.push(SegmentSummary { file, bytes });
        }
        Ok(())
    }
}

/// As the log calls it.
fn event_name(event: &LogEvent) -> String {
    let json = serde_json::to_value(event).unwrap_or_default();
    json["event"].as_str().unwrap_or("unknown").to_owned()
}

fn track(tracks: &mut Tracks, number: TrackNumber) -> &mut TrackSummary {
    tracks.entry(number).or_insert_with(|| TrackSummary {
        track: number,
        id: String::new(),
        participant: String::new(),
        kind: None,
        source: TrackSource::Unknown,
        codec: Codec::Unknown,
        added_ms: None,
        removed_ms: None,
        first_frame_ms: None,
        last_frame_ms: None,
        frames: 0,
        bytes: 0,
        key_frames: 0,
        interruptions: 0,
        sender_reports: 0,
        first_sender_report_ms: None,
        mutes: 0,
    })
}

impl TrackSummary {
    fn announce(&mut self, time_ms: u64, info: TrackInfo) {
        self.id = info.id;
        self.participant = info.participant;
        self.kind = Some(info.kind);
        self.source = info.source;
        self.codec = info.codec;
        self.added_ms = Some(time_ms);
    }

    fn count(&mut self, time_ms: u64, frame: &Frame) {
        self.interruptions += u64::from(self.frames > 0 && !frame.contiguous);
        self.frames += 1;
        self.bytes += frame.payload.len() as u64;
        self.key_frames += u64::from(frame.keyframe);
        self.first_frame_ms.get_or_insert(time_ms);
        self.last_frame_ms = Some(time_ms);
    }
}

impl From<&Damage> for DamageSummary {
    fn from(damage: &Damage) -> Self {
        Self {
            file: damage.segment.clone(),
            offset: damage.offset,
            bytes: damage.length,
        }
    }
}
