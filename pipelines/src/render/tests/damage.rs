use super::{assert_in_sync, rendered, tile};
use crate::log::{Codec, TrackSource};
use crate::render::testing::{Look, Publisher, RoomLog, beeps, job, video};
use crate::render::{RenderControl, render};

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
fn wrong_rtp_times_hold_nothing_up() {
    const TEN_HOURS: i64 = 36_000;
    // One packet only, and a jump for good; into the future and into the past.
    for (hours, until_ms) in [
        (TEN_HOURS, 3_070),
        (-TEN_HOURS, 3_070),
        (TEN_HOURS, 60_000),
        (-TEN_HOURS, 60_000),
    ] {
        let mut log = RoomLog::new();
        log.publish(
            &Publisher::default(),
            [1, 2],
            &video(Look::default(), 10),
            &beeps(600.0, 0, 0.5, 10),
        );
        log.shift_rtp(1, 3_000..until_ms, hours * 90_000);
        log.shift_rtp(2, 3_000..until_ms, hours * 48_000);
        let (decoded, _) = rendered(&log, 10_000);
        let flashes = decoded.flashes(tile(0, 1));
        let beeps = decoded.beeps(600.0);
        for (what, times) in [("flashes", &flashes), ("beeps", &beeps)] {
            let after = times.iter().filter(|time| **time > 5.5).count();
            assert!(
                after >= 4,
                "{hours} h until {until_ms} ms: {what} {times:.2?}"
            );
            assert!(
                times.len() >= 7,
                "{hours} h until {until_ms} ms: {what} {times:.2?}"
            );
        }
    }
}

#[test]
fn absurd_sender_reports_do_no_harm() {
    // Without reports of use, sound and picture meet by their arrival.
    let ada = Publisher {
        encoding_ms: 10,
        ..Publisher::default()
    };
    for ntp_ns in [0, i64::MIN, i64::MAX, -5_000_000_000_000] {
        let mut log = RoomLog::new();
        log.publish(
            &ada,
            [1, 2],
            &video(Look::default(), 10),
            &beeps(600.0, 0, 0.5, 10),
        );
        log.set_reports(1, ntp_ns);
        let (decoded, _) = rendered(&log, 10_000);
        assert_in_sync(&decoded, tile(0, 1), 600.0, 5.0, 4);
    }
}
