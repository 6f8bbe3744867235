use super::{assert_in_sync, rendered, tile};
use crate::control::RenderState;
use crate::job::{LogSettings, RenderJob, VideoEncoder};
use crate::log::LogWriter;
use crate::render::testing::{Decoded, Look, Publisher, RoomLog, beeps, job, video};
use crate::render::{RenderControl, render};

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
