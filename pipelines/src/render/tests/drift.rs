use std::path::Path;
use std::process::Command;

use bytes::Bytes;

use crate::control::EndReason;
use crate::job::LogSettings;
use crate::layout::arrange;
use crate::log::{
    Body, Codec, Frame, LogEvent, LogWriter, Record, SenderReport, TrackNumber, TrackSource,
};
use crate::render::testing::{
    Clip, Decoded, Look, Piece, Publisher, RoomLog, beeps, job, median, percentile, video,
};
use crate::render::{RenderControl, render};

const SECOND: u64 = 1_000_000_000;
const HOURS: u64 = 10;
const LENGTH: u64 = HOURS * 3_600 * SECOND;
/// A packet's samples at 48 kHz.
const PACKET_TICKS: u64 = 960;
/// Packets between two pictures: small ones, and few, so that ten hours are soon rendered.
const PICTURE_EVERY: u64 = 25;
const CANVAS: (u32, u32) = (256, 144);

/// Somebody whose sound card does not keep time.
struct Drifting {
    publisher: Publisher,
    camera: TrackNumber,
    pitch: f32,
    /// How much faster its sample clock runs than its wall clock, parts per million.
    ppm: i64,
}

impl Drifting {
    /// When the packet with this number was taken, ns of true time.
    fn packet_time(&self, number: u64) -> u64 {
        let micro = u128::from(number) * 20_000_000 * 1_000_000;
        (micro / u128::from(1_000_000_u64.saturating_add_signed(self.ppm))) as u64
    }

    /// The records of its media in order of arrival: a beep begins with the first packet of each
    /// second, and at that very moment the picture turns white.
    fn records<'a>(&'a self, clips: &'a [Clip; 3]) -> impl Iterator<Item = (u64, Body)> + 'a {
        let [dark, white, sound] = clips;
        (0..)
            .map(|number| (number, self.packet_time(number)))
            .take_while(|(_, taken)| *taken < LENGTH)
            .scan((u64::MAX, 0), |(second, within), (number, taken)| {
                if taken / SECOND != *second {
                    (*second, *within) = (taken / SECOND, 0);
                } else {
                    *within += 1;
                }
                Some((number, taken, *within))
            })
            .flat_map(move |(number, taken, within)| {
                // What comes after the beep is silence, however long the second is.
                let piece = &sound.pieces[(within as usize).min(40)];
                let mut records = vec![self.frame(self.camera + 1, number * PACKET_TICKS, piece)];
                if within == 0 || within == PICTURE_EVERY {
                    let clip = if within == 0 { white } else { dark };
                    let rtp = taken * 9 / 100_000;
                    records.push(self.frame(self.camera, rtp, &clip.pieces[0]));
                    if within == 0 && (taken / SECOND).is_multiple_of(5) {
                        records.push(self.report(self.camera, rtp, taken));
                        records.push(self.report(self.camera + 1, number * PACKET_TICKS, taken));
                    }
                }
                let network = (self.publisher.network_ms + number * 7 % 13) * 1_000_000;
                records.into_iter().map(move |body| (taken + network, body))
            })
    }

    fn frame(&self, track: TrackNumber, rtp: u64, piece: &Piece) -> Body {
        Body::Frame(Frame {
            track,
            keyframe: piece.keyframe,
            contiguous: true,
            rtp: rtp as i64,
            payload: Bytes::from(piece.data.clone()),
        })
    }

    fn report(&self, track: TrackNumber, rtp: u64, taken: u64) -> Body {
        Body::SenderReport(SenderReport {
            track,
            rtp: rtp as i64,
            ntp_ns: 1_700_000_000_000_000_000 + taken as i64,
        })
    }
}

/// Two streams as one, in order of time.
fn merged(
    one: impl Iterator<Item = (u64, Body)>,
    other: impl Iterator<Item = (u64, Body)>,
) -> impl Iterator<Item = (u64, Body)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(a), Some(b)) if b.0 < a.0 => other.next(),
        (None, _) => other.next(),
        _ => one.next(),
    })
}

fn write_log(folder: &Path, speakers: &[Drifting; 2]) {
    let picture = |luma| {
        let look = Look {
            width: 160,
            height: 90,
            frame_rate: 1,
            phase_ns: SECOND / 2,
            luma,
            ..Look::default()
        };
        video(look, 1)
    };
    let (dark, white) = (picture(90), picture(235));
    let clips = speakers
        .each_ref()
        .map(|speaker| [dark.clone(), white.clone(), beeps(speaker.pitch, 0, 0.5, 2)]);
    let mut beginning = RoomLog::new();
    for speaker in speakers {
        let (publisher, camera) = (&speaker.publisher, speaker.camera);
        beginning.join(0, publisher);
        beginning.add_track(0, publisher, camera, TrackSource::Camera, Codec::Vp8);
        beginning.add_track(
            0,
            publisher,
            camera + 1,
            TrackSource::Microphone,
            Codec::Opus,
        );
    }
    let mut writer =
        LogWriter::create(&folder.join("log"), "EG_test", LogSettings::default()).unwrap();
    let [one, other] = speakers;
    let media = merged(one.records(&clips[0]), other.records(&clips[1]))
        .take_while(|(time, _)| *time <= LENGTH);
    let ended = Body::Event(LogEvent::RecordingEnded {
        reason: EndReason::Stopped,
    });
    let started = beginning.bodies().into_iter();
    for (time_ns, body) in started.chain(media).chain([(LENGTH, ended)]) {
        let wall_ns = 1_790_000_000 * SECOND as i64 + time_ns as i64;
        writer
            .append(&Record {
                time_ns,
                wall_ns,
                body,
            })
            .unwrap();
    }
    writer.sync().unwrap();
}

/// A minute of a file as a file of its own, without loss.
fn minute(path: &Path, from_s: u64, to: &Path) -> Decoded {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-ss", &from_s.to_string()])
        .arg("-i")
        .arg(path)
        .args(["-t", "60", "-fps_mode", "passthrough"])
        // Otherwise times are rounded to the usual distance of two pictures.
        .args(["-enc_time_base", "-1"])
        .args(["-c:v", "ffv1", "-c:a", "flac"])
        .arg(to)
        .status()
        .expect("ffmpeg is needed: apt-get install ffmpeg");
    assert!(status.success());
    Decoded::of(to)
}

#[test]
#[ignore = "ten hours of recording, some minutes to render"]
fn sample_clocks_that_drift_for_ten_hours_stay_in_sync() {
    let speaker = |id, ppm, pitch, camera| Drifting {
        publisher: Publisher {
            id,
            ..Publisher::default()
        },
        camera,
        pitch,
        ppm,
    };
    let speakers = [
        speaker("PA_1", 200, 600.0, 1),
        speaker("PA_2", -200, 1_100.0, 3),
    ];
    let folder = tempfile::tempdir().unwrap();
    write_log(folder.path(), &speakers);
    let mut job = job(folder.path());
    (job.settings.canvas.width, job.settings.canvas.height) = CANVAS;
    job.settings.video_bitrate = 200_000;
    let output = render(&job, &RenderControl::default()).unwrap();
    let off_ms = output.duration_ms as i64 - (LENGTH / 1_000_000) as i64;
    assert!(off_ms.abs() <= 300, "{off_ms} ms longer than the recording");
    for from_s in [10, HOURS * 1_800, HOURS * 3_600 - 70] {
        let part = minute(&job.output, from_s, &folder.path().join("part.mkv"));
        let tiles = arrange(CANVAS.0, CANVAS.1, 2, 0).participants;
        for (tile, speaker) in tiles.into_iter().zip(&speakers) {
            let offsets = part.offsets(tile, speaker.pitch, 1.0);
            assert!(offsets.len() >= 55, "{} flashes", offsets.len());
            let distances: Vec<f64> = offsets.iter().map(|offset| offset.abs()).collect();
            let (middle, most) = (median(&offsets), percentile(&distances, 0.95));
            println!(
                "{} ppm, from {from_s} s: median {middle:.1} ms, p95 {most:.1} ms",
                speaker.ppm
            );
            assert!(middle.abs() <= 25.0, "median {middle:.1} ms");
            assert!(most <= 45.0, "p95 {most:.1} ms");
        }
    }
}
