use std::path::Path;

use super::testing::{Decoded, Look, Publisher, RoomLog, beeps, job, median, percentile, video};
use super::{RenderControl, render};
use crate::control::{OutputFile, RenderState};
use crate::job::{LogSettings, RenderJob, VideoEncoder};
use crate::layout::{Rect, arrange};
use crate::log::{Codec, LogEvent, LogWriter, TrackSource};

fn tile(index: usize, of: usize) -> Rect {
    arrange(640, 360, of, 0).participants[index]
}

fn rendered(log: &RoomLog, end_ms: u64) -> (Decoded, OutputFile) {
    let folder = tempfile::tempdir().unwrap();
    log.write(folder.path(), end_ms);
    render_in(folder.path())
}

fn render_in(folder: &Path) -> (Decoded, OutputFile) {
    let control = RenderControl::default();
    let output = render(&job(folder), &control).unwrap();
    assert_eq!(control.snapshot().state, RenderState::Finished);
    if let Ok(kept) = std::env::var("TAPEDECK_KEEP_RENDERS") {
        let name = std::thread::current()
            .name()
            .unwrap_or("render")
            .replace("::", "-");
        std::fs::copy(&output.path, Path::new(&kept).join(format!("{name}.mp4"))).unwrap();
    }
    (Decoded::of(&output.path), output)
}

fn assert_in_sync(decoded: &Decoded, tile: Rect, pitch: f32, from: f64, count: usize) {
    let offsets = decoded.offsets(tile, pitch, from);
    assert!(
        offsets.len() >= count,
        "{} flashes with a beep: {offsets:?}",
        offsets.len()
    );
    let magnitudes: Vec<f64> = offsets.iter().map(|offset| offset.abs()).collect();
    println!(
        "median {:.1} ms, p95 {:.1} ms",
        median(&offsets),
        percentile(&magnitudes, 0.95)
    );
    assert!(median(&offsets).abs() < 25.0, "{offsets:?}");
    assert!(percentile(&magnitudes, 0.95) < 45.0, "{offsets:?}");
}

#[test]
fn two_publishers_are_seen_heard_and_in_sync() {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    let bob = Publisher {
        id: "PA_2",
        name: "참가자 이름",
        start_ms: 730,
        network_ms: 90,
        encoding_ms: 45,
        first_report_ms: 3_200,
        ..ada
    };
    log.publish(
        &ada,
        [1, 2],
        &video(Look::default(), 12),
        &beeps(600.0, 0, 0.5, 12),
    );
    let look = Look {
        phase_ns: 400_000_000,
        luma: 120,
        ..Look::default()
    };
    log.publish(
        &bob,
        [3, 4],
        &video(look, 12),
        &beeps(1_100.0, 400_000_000, 0.5, 12),
    );
    let (decoded, output) = rendered(&log, 12_000);
    assert_in_sync(&decoded, tile(0, 2), 600.0, 5.0, 6);
    assert_in_sync(&decoded, tile(1, 2), 1_100.0, 6.0, 5);
    assert!(
        (output.duration_ms as i64 - 12_000).abs() < 60,
        "{}",
        output.duration_ms
    );
    assert_eq!((output.width, output.height), (640, 360));
    assert_eq!(decoded.profile, "High");
    // Both at 15 frames in a second: the output is hardly faster.
    let count = decoded.pictures.len();
    assert!((170..230).contains(&count), "{count} pictures in 12 s");
}

#[test]
fn h264_is_shown() {
    let mut log = RoomLog::new();
    let look = Look {
        codec: Codec::H264,
        ..Look::default()
    };
    log.publish(
        &Publisher::default(),
        [1, 2],
        &video(look, 9),
        &beeps(800.0, 0, 0.5, 9),
    );
    let (decoded, _) = rendered(&log, 9_000);
    assert_in_sync(&decoded, tile(0, 1), 800.0, 4.5, 4);
}

#[test]
fn the_free_encoder_makes_a_file_of_the_same_kind() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RoomLog::new();
    log.publish(
        &Publisher::default(),
        [1, 2],
        &video(Look::default(), 6),
        &beeps(600.0, 0, 0.5, 6),
    );
    log.write(folder.path(), 6_000);
    let mut job = job(folder.path());
    job.settings.encoder = VideoEncoder::Openh264;
    let output = render(&job, &RenderControl::default()).unwrap();
    let decoded = Decoded::of(&output.path);
    assert_eq!(decoded.profile, "High");
    assert_in_sync(&decoded, tile(0, 1), 600.0, 2.5, 3);
}

#[test]
fn nobody_at_all_is_a_valid_file() {
    for end_ms in [0, 40, 3_000] {
        let (decoded, output) = rendered(&RoomLog::new(), end_ms);
        assert!(!decoded.pictures.is_empty());
        assert!(!decoded.sound.is_empty());
        assert!(
            (output.duration_ms as i64 - end_ms as i64).abs() < 70,
            "{}",
            output.duration_ms
        );
    }
}

#[test]
fn sound_alone_is_heard() {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Microphone, Codec::Opus);
    log.media(&ada, 1, &beeps(700.0, 0, 0.5, 5), |_| true);
    let (decoded, _) = rendered(&log, 5_000);
    assert!(
        decoded.beeps(700.0).len() >= 4,
        "{:?}",
        decoded.beeps(700.0)
    );
    assert!(
        decoded.pictures.len() < 12,
        "an unchanged canvas is not encoded again"
    );
}

#[test]
fn the_same_log_gives_the_same_file() {
    let mut log = RoomLog::new();
    let look = Look {
        busy: true,
        ..Look::default()
    };
    log.publish(
        &Publisher::default(),
        [1, 2],
        &video(look, 4),
        &beeps(600.0, 0, 0.5, 4),
    );
    let (first, first_output) = rendered(&log, 4_000);
    let (second, second_output) = rendered(&log, 4_000);
    assert_eq!(first.pictures, second.pictures);
    assert_eq!(first.sound, second.sound);
    assert_eq!(first_output.sha256, second_output.sha256);
}

#[test]
fn a_camera_that_is_turned_off_gives_way_to_a_placeholder_and_returns() {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Vp8);
    let clip = video(
        Look {
            luma: 150,
            phase_ns: 900_000_000,
            ..Look::default()
        },
        9,
    );
    // The next key frame after the pause is at 8 s of media time, 60 frames apart.
    log.media(&ada, 1, &clip, |ms| !(3_000..7_950).contains(&ms));
    log.event(3_050, LogEvent::TrackMuted { track: 1 });
    log.event(7_950, LogEvent::TrackUnmuted { track: 1 });
    let (decoded, _) = rendered(&log, 9_000);
    let brightness = decoded.brightness(tile(0, 1));
    let at = |from: f64, to: f64| {
        brightness
            .iter()
            .filter(|(time, _)| (from..to).contains(time))
            .collect::<Vec<_>>()
    };
    assert!(at(1.0, 2.8).iter().all(|(_, luma)| *luma > 125.0));
    assert!(
        at(3.1, 7.9).iter().all(|(_, luma)| *luma < 110.0),
        "{:?}",
        at(3.1, 7.9)
    );
    assert!(
        at(8.3, 9.0).iter().all(|(_, luma)| *luma > 125.0),
        "{:?}",
        at(8.3, 9.0)
    );
}

#[test]
fn a_frozen_publisher_keeps_its_picture_and_delays_nobody() {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    let bob = Publisher {
        id: "PA_2",
        name: "Bob",
        ..ada
    };
    let silence = beeps(600.0, 0, 0.0, 8);
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Vp8);
    let clip = video(
        Look {
            luma: 150,
            phase_ns: 900_000_000,
            ..Look::default()
        },
        8,
    );
    log.media(&ada, 1, &clip, |ms| ms < 2_500);
    log.publish(&bob, [3, 4], &video(Look::default(), 8), &silence);
    let (decoded, _) = rendered(&log, 8_000);
    let frozen = decoded.brightness(tile(0, 2));
    let still = frozen
        .iter()
        .filter(|(time, _)| *time > 3.0)
        .collect::<Vec<_>>();
    assert!(
        still.iter().all(|(_, luma)| (130.0..170.0).contains(luma)),
        "{still:?}"
    );
    assert!(decoded.flashes(tile(1, 2)).len() >= 6);
    assert!(decoded.pictures.len() > 100);
}

#[test]
fn joining_and_leaving_change_the_layout_at_their_time() {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    let bob = Publisher {
        id: "PA_2",
        name: "Bob",
        start_ms: 2_000,
        ..ada
    };
    let look = Look {
        luma: 160,
        phase_ns: 990_000_000,
        ..Look::default()
    };
    log.publish(&ada, [1, 2], &video(look, 6), &beeps(600.0, 0, 0.2, 6));
    log.publish(&bob, [3, 4], &video(look, 2), &beeps(900.0, 0, 0.2, 2));
    log.event(
        4_000,
        LogEvent::ParticipantLeft {
            participant: "PA_2".into(),
        },
    );
    let (decoded, _) = rendered(&log, 6_000);
    // The top of the canvas is picture with one publisher, empty with two side by side.
    let top = Rect {
        x: 200,
        y: 0,
        width: 200,
        height: 60,
    };
    for (time, luma) in decoded.brightness(top) {
        let two = (2.05..3.95).contains(&time);
        let one = (0.4..1.95).contains(&time) || time > 4.05;
        assert!(!two || luma < 40.0, "{luma} at {time}");
        assert!(!one || luma > 100.0, "{luma} at {time}");
    }
}

#[test]
fn a_screen_share_takes_the_large_area() {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    log.publish(
        &ada,
        [1, 2],
        &video(Look::default(), 4),
        &beeps(600.0, 0, 0.2, 4),
    );
    log.add_track(1_000, &ada, 3, TrackSource::ScreenShare, Codec::Vp8);
    let sharing = Publisher {
        start_ms: 1_000,
        ..ada
    };
    let look = Look {
        luma: 180,
        phase_ns: 999_000_000,
        ..Look::default()
    };
    log.media(&sharing, 3, &video(look, 3), |_| true);
    let (decoded, _) = rendered(&log, 4_000);
    let layout = arrange(640, 360, 1, 1);
    let shared = decoded.brightness(layout.screen_shares[0]);
    let late: Vec<_> = shared.iter().filter(|(time, _)| *time > 1.5).collect();
    assert!(late.iter().all(|(_, luma)| *luma > 140.0), "{late:?}");
    let strip = layout.participants[0];
    let camera = Rect {
        y: strip.y + strip.height / 2 - 36,
        height: 72,
        ..strip
    };
    assert!(decoded.flashes(camera).len() >= 2);
}

#[test]
fn many_voices_at_full_level_do_not_clip() {
    let mut log = RoomLog::new();
    for (index, id) in ["PA_1", "PA_2", "PA_3", "PA_4"].into_iter().enumerate() {
        let publisher = Publisher {
            id,
            ..Publisher::default()
        };
        log.join(0, &publisher);
        let track = index as u16 + 1;
        log.add_track(0, &publisher, track, TrackSource::Microphone, Codec::Opus);
        log.media(
            &publisher,
            track,
            &beeps(500.0 + 130.0 * index as f32, 0, 0.9, 4),
            |_| true,
        );
    }
    let (decoded, _) = rendered(&log, 4_000);
    let peak = decoded
        .sound
        .iter()
        .fold(0.0f32, |peak, value| peak.max(value.abs()));
    assert!((0.5..1.0).contains(&peak), "{peak}");
}

#[test]
fn lost_packets_leave_no_hole_and_no_shift() {
    let mut log = RoomLog::new();
    let clip = beeps(600.0, 0, 0.5, 9);
    let ada = Publisher::default();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Vp8);
    log.add_track(0, &ada, 2, TrackSource::Microphone, Codec::Opus);
    log.media(&ada, 1, &video(Look::default(), 9), |ms| ms % 4_000 != 600);
    log.media(&ada, 2, &clip, |ms| !(ms / 20).is_multiple_of(17));
    let (decoded, _) = rendered(&log, 9_000);
    assert_in_sync(&decoded, tile(0, 1), 600.0, 4.5, 2);
}

#[test]
fn an_unknown_codec_is_told_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Av1);
    log.write(folder.path(), 1_000);
    let control = RenderControl::default();
    render(&job(folder.path()), &control).unwrap();
    let warnings = control.snapshot().warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, "unsupported_codec");
}

#[test]
fn a_forged_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Vp8);
    let mut clip = video(Look::default(), 2);
    for piece in clip.pieces.iter_mut().filter(|piece| piece.keyframe) {
        piece.data[6..10].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    }
    log.media(&ada, 1, &clip, |_| true);
    log.write(folder.path(), 2_000);
    let control = RenderControl::default();
    render(&job(folder.path()), &control).unwrap();
    assert_eq!(control.snapshot().warnings[0].code, "frame_too_large");
}

#[test]
fn damaged_frames_cost_no_other_track_anything() {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    let bob = Publisher { id: "PA_2", ..ada };
    for codec in [Codec::Vp8, Codec::H264] {
        let mut broken = video(
            Look {
                codec,
                ..Look::default()
            },
            4,
        );
        for (index, piece) in broken.pieces.iter_mut().enumerate().skip(5) {
            let length = piece.data.len();
            match index % 4 {
                0 => piece.data.truncate(length / 2),
                1 => piece.data[length / 3] ^= 0x55,
                2 => piece.data.fill(0xAA),
                _ => {}
            }
        }
        let track = if codec == Codec::Vp8 { 1 } else { 2 };
        log.join(0, &ada);
        log.add_track(0, &ada, track, TrackSource::Camera, codec);
        log.media(&ada, track, &broken, |_| true);
    }
    log.publish(
        &bob,
        [3, 4],
        &video(Look::default(), 4),
        &beeps(600.0, 0, 0.5, 4),
    );
    let (decoded, _) = rendered(&log, 4_000);
    assert!(decoded.flashes(tile(1, 2)).len() >= 3);
    assert!(decoded.beeps(600.0).len() >= 3);
}

#[test]
fn a_log_that_is_followed_gives_the_same_file_as_one_that_is_complete() {
    let mut log = RoomLog::new();
    log.publish(
        &Publisher::default(),
        [1, 2],
        &video(Look::default(), 4),
        &beeps(600.0, 0, 0.5, 4),
    );
    let (_, complete) = rendered(&log, 4_000);
    let folder = tempfile::tempdir().unwrap();
    let records = log.records(4_000);
    let path = folder.path().join("log");
    let capture = std::thread::spawn(move || {
        // The render is there first, and the log grows by fits and starts.
        std::thread::sleep(std::time::Duration::from_millis(100));
        let mut writer = LogWriter::create(&path, "EG_test", LogSettings::default()).unwrap();
        for (index, record) in records.iter().enumerate() {
            writer.append(record).unwrap();
            if index % 37 == 0 {
                writer.flush().unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        writer.sync().unwrap();
    });
    let live = RenderJob {
        log_is_final: false,
        ..job(folder.path())
    };
    let control = RenderControl::default();
    let followed = render(&live, &control).unwrap();
    capture.join().unwrap();
    assert_eq!(followed.sha256, complete.sha256);
}

#[test]
fn a_log_without_end_is_finished_when_told() {
    let mut log = RoomLog::new();
    log.publish(
        &Publisher::default(),
        [1, 2],
        &video(Look::default(), 3),
        &beeps(600.0, 0, 0.5, 3),
    );
    let folder = tempfile::tempdir().unwrap();
    let mut records = log.records(3_000);
    records.pop();
    let mut writer = LogWriter::create(
        &folder.path().join("log"),
        "EG_test",
        LogSettings::default(),
    )
    .unwrap();
    for record in &records {
        writer.append(record).unwrap();
    }
    writer.sync().unwrap();
    let live = RenderJob {
        log_is_final: false,
        ..job(folder.path())
    };
    let control = RenderControl::default();
    let output = std::thread::scope(|scope| {
        let rendering = scope.spawn(|| render(&live, &control).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(control.snapshot().state, RenderState::Following);
        control.finish();
        rendering.join().unwrap()
    });
    assert!(
        (2_900..3_060).contains(&output.duration_ms),
        "{}",
        output.duration_ms
    );
}

#[test]
fn without_a_log_the_reason_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let control = RenderControl::default();
    assert!(render(&job(folder.path()), &control).is_err());
    let snapshot = control.snapshot();
    assert_eq!(snapshot.state, RenderState::Failed);
    assert!(snapshot.failure.unwrap().contains("capture log"));
}

/// Writes the log of two publishers that costs are measured with: `TAPEDECK_BUSY_LOG=FOLDER`, with
/// `TAPEDECK_BUSY_RATE` frames in a second or 15; then the example `render` on that folder.
#[test]
#[ignore = "makes material for measurements"]
fn busy_log() {
    let folder = std::env::var("TAPEDECK_BUSY_LOG").unwrap();
    let frame_rate = std::env::var("TAPEDECK_BUSY_RATE").map_or(15, |rate| rate.parse().unwrap());
    let mut log = RoomLog::new();
    for (index, id) in ["PA_1", "PA_2"].into_iter().enumerate() {
        let look = Look {
            width: 640,
            height: 360,
            frame_rate,
            phase_ns: index as u64 * 400_000_000,
            busy: true,
            ..Look::default()
        };
        let publisher = Publisher {
            id,
            start_ms: index as u64 * 20,
            ..Publisher::default()
        };
        let first = 2 * index as u16 + 1;
        let voice = beeps(600.0 + 500.0 * index as f32, look.phase_ns, 0.5, 40);
        log.publish(&publisher, [first, first + 1], &video(look, 40), &voice);
    }
    log.write(Path::new(&folder), 40_000);
}
