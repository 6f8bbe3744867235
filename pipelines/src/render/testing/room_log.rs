use std::path::Path;

use bytes::Bytes;

use super::Clip;
use crate::control::{EndReason, PROTOCOL_VERSION};
use crate::job::{
    Canvas, GapStyle, LogSettings, OutputFormat, OutputSettings, RenderJob, VideoEncoder,
};
use crate::log::{
    Body, Codec, Frame, LogEvent, LogWriter, Record, SenderReport, TrackInfo, TrackKind,
    TrackNumber, TrackSource,
};

const MS: u64 = 1_000_000;

/// A capture log in the making.
#[derive(Default)]
pub struct RoomLog {
    records: Vec<(u64, Body)>,
    /// Stretches in which nothing was captured, not even a tick, ms.
    absences: Vec<std::ops::Range<u64>>,
}

/// Somebody who publishes, and how the network treats it. Times in ms.
#[derive(Clone, Copy)]
pub struct Publisher {
    pub id: &'static str,
    pub name: &'static str,
    /// When the publisher's media time 0 is, in recording time.
    pub start_ms: u64,
    /// Least delay of sound.
    pub network_ms: u64,
    /// What pictures take longer.
    pub encoding_ms: u64,
    pub jitter_ms: u64,
    /// When the first sender reports come after the start; none if beyond the media.
    pub first_report_ms: u64,
    /// How much audio reports wander.
    pub wander_ms: u64,
}

impl Default for Publisher {
    fn default() -> Self {
        Self {
            id: "PA_1",
            name: "Ada",
            start_ms: 0,
            network_ms: 40,
            encoding_ms: 30,
            jitter_ms: 15,
            first_report_ms: 2_000,
            wander_ms: 10,
        }
    }
}

impl RoomLog {
    /// A log that begins with the recording's start.
    pub fn new() -> Self {
        let mut log = Self::default();
        log.event(
            0,
            LogEvent::RecordingStarted {
                recording_id: "EG_test".into(),
                room_name: "test".into(),
                room_id: "RM_test".into(),
                source: "livekit".into(),
            },
        );
        log
    }

    pub fn event(&mut self, at_ms: u64, event: LogEvent) {
        self.records.push((at_ms * MS, Body::Event(event)));
    }

    pub fn join(&mut self, at_ms: u64, publisher: &Publisher) {
        self.event(
            at_ms,
            LogEvent::ParticipantJoined {
                participant: publisher.id.into(),
                identity: publisher.id.to_lowercase(),
                name: publisher.name.into(),
            },
        );
    }

    pub fn add_track(
        &mut self,
        at_ms: u64,
        publisher: &Publisher,
        track: TrackNumber,
        source: TrackSource,
        codec: Codec,
    ) {
        let audio = codec == Codec::Opus;
        self.event(
            at_ms,
            LogEvent::TrackAdded(TrackInfo {
                track,
                id: format!("TR_{track}"),
                participant: publisher.id.into(),
                kind: if audio {
                    TrackKind::Audio
                } else {
                    TrackKind::Video
                },
                source,
                codec,
                clock_rate: if audio { 48_000 } else { 90_000 },
                muted: false,
            }),
        );
    }

    /// Adds a clip as a track of a publisher: its frames for which `sent` holds, and sender
    /// reports. `sent` gets the media time in ms.
    pub fn media(
        &mut self,
        publisher: &Publisher,
        track: TrackNumber,
        clip: &Clip,
        sent: impl Fn(u64) -> bool,
    ) {
        let audio = clip.codec == Codec::Opus;
        let rate: u64 = if audio { 48_000 } else { 90_000 };
        let rtp_of =
            |time_ns: u64| i64::from(track) * 1_000_003 + (time_ns * rate / 1_000_000_000) as i64;
        let mut numbers = u64::from(track) * 7_919 + 1;
        let mut random = move || {
            numbers ^= numbers << 13;
            numbers ^= numbers >> 7;
            numbers ^= numbers << 17;
            numbers % 1_000
        };
        let mut contiguous = true;
        let mut last_arrival = 0;
        let mut next_report = publisher.first_report_ms * MS;
        for piece in &clip.pieces {
            let own_delay = if audio { 0 } else { publisher.encoding_ms * MS };
            let jitter = publisher.jitter_ms * MS * random() * random() / 1_000_000;
            let sent_at = publisher.start_ms * MS + piece.time_ns;
            let arrival =
                (sent_at + publisher.network_ms * MS + own_delay + jitter).max(last_arrival);
            if !sent(piece.time_ns / MS) {
                contiguous = false;
                continue;
            }
            last_arrival = arrival;
            let frame = Frame {
                track,
                keyframe: piece.keyframe,
                contiguous: std::mem::replace(&mut contiguous, true),
                rtp: rtp_of(piece.time_ns),
                payload: Bytes::from(piece.data.clone()),
            };
            self.records.push((arrival, Body::Frame(frame)));
            if piece.time_ns >= next_report {
                next_report += if audio { 5_000 * MS } else { 1_000 * MS };
                let wander = if audio { publisher.wander_ms as i64 } else { 1 };
                let off = (random() as i64 * 2 - 1_000) * wander * MS as i64 / 1_000;
                // The publisher's clock has nothing to do with ours.
                let ntp_ns = 1_700_000_000_000_000_000 + piece.time_ns as i64 + off;
                let report = SenderReport {
                    track,
                    rtp: rtp_of(piece.time_ns),
                    ntp_ns,
                };
                self.records.push((arrival, Body::SenderReport(report)));
            }
        }
    }

    /// Moves the RTP times of a track's frames that arrive within a stretch, ms.
    pub fn shift_rtp(&mut self, track: TrackNumber, stretch: std::ops::Range<u64>, ticks: i64) {
        for (time, body) in &mut self.records {
            if let Body::Frame(frame) = body
                && frame.track == track
                && stretch.contains(&(*time / MS))
            {
                frame.rtp += ticks;
            }
        }
    }

    /// Pauses the recording from a moment on: what arrived meanwhile is missing, and what comes
    /// after moves to that moment, ms.
    pub fn pause(&mut self, at_ms: u64, length_ms: u64) {
        let (at, length) = (at_ms * MS, length_ms * MS);
        self.records
            .retain(|(time, _)| !(at..at + length).contains(time));
        for (time, _) in &mut self.records {
            if *time >= at + length {
                *time -= length;
            }
        }
        self.event(at_ms, LogEvent::Paused);
        self.event(at_ms, LogEvent::Resumed { paused_ns: length });
    }

    /// Loses everything of a stretch, ms.
    pub fn lose(&mut self, stretch: std::ops::Range<u64>) {
        self.records
            .retain(|(time, _)| !stretch.contains(&(*time / MS)));
        self.absences.push(stretch);
    }

    /// Lets all sender reports of a track tell the same time, ns.
    pub fn set_reports(&mut self, track: TrackNumber, ntp_ns: i64) {
        for (_, body) in &mut self.records {
            if let Body::SenderReport(report) = body
                && report.track == track
            {
                report.ntp_ns = ntp_ns;
            }
        }
    }

    /// Joins a publisher with camera and microphone from its start on.
    pub fn publish(
        &mut self,
        publisher: &Publisher,
        tracks: [TrackNumber; 2],
        video: &Clip,
        audio: &Clip,
    ) {
        self.join(publisher.start_ms, publisher);
        let [camera, microphone] = tracks;
        self.add_track(
            publisher.start_ms,
            publisher,
            camera,
            TrackSource::Camera,
            video.codec,
        );
        self.add_track(
            publisher.start_ms,
            publisher,
            microphone,
            TrackSource::Microphone,
            audio.codec,
        );
        self.media(publisher, camera, video, |_| true);
        self.media(publisher, microphone, audio, |_| true);
    }

    /// What was put in so far and when, ns.
    pub fn bodies(self) -> Vec<(u64, Body)> {
        self.records
    }

    /// Records in order of arrival up to the end, with the ticks of quiet stretches.
    pub fn records(&self, end_ms: u64) -> Vec<Record> {
        let end = end_ms * MS;
        let mut records: Vec<(u64, Body)> = self
            .records
            .iter()
            .filter(|(time, _)| *time <= end)
            .cloned()
            .collect();
        let ticks = (1..=end_ms / 100).map(|tick| tick * 100);
        let captured = |tick: &u64| !self.absences.iter().any(|absence| absence.contains(tick));
        records.extend(ticks.filter(captured).map(|tick| (tick * MS, Body::Tick)));
        records.sort_by_key(|&(time, _)| time);
        let ended = LogEvent::RecordingEnded {
            reason: EndReason::Stopped,
        };
        records.push((end, Body::Event(ended)));
        let record = |(time_ns, body)| Record {
            time_ns,
            wall_ns: 1_790_000_000 + time_ns as i64,
            body,
        };
        records.into_iter().map(record).collect()
    }

    /// Writes the log to `folder/log`.
    pub fn write(&self, folder: &Path, end_ms: u64) {
        let mut writer =
            LogWriter::create(&folder.join("log"), "EG_test", LogSettings::default()).unwrap();
        for record in self.records(end_ms) {
            writer.append(&record).unwrap();
        }
        writer.sync().unwrap();
    }
}

/// A job on `folder` with a small canvas.
pub fn job(folder: &Path) -> RenderJob {
    RenderJob {
        protocol: PROTOCOL_VERSION,
        recording_id: "EG_test".into(),
        room_name: "test".into(),
        folder: folder.into(),
        socket: None,
        output: folder.join("output").join("recording.mp4"),
        settings: OutputSettings {
            format: OutputFormat::Mp4,
            per_speaker: false,
            audio_only: false,
            canvas: Canvas {
                width: 640,
                height: 360,
                frame_rate: 30,
            },
            video_bitrate: 1_000_000,
            audio_bitrate: 128_000,
            encoder: VideoEncoder::X264,
            x264_preset: "ultrafast".into(),
            key_frame_interval_ms: 2_000,
            thumbnail_interval_s: None,
        },
        lag_ms: 1_500,
        log_is_final: true,
        gaps: GapStyle::default(),
        poster: false,
    }
}
