use super::{assert_in_sync, rendered, tile};
use crate::log::{Codec, TrackSource};
use crate::render::testing::{Look, Publisher, RoomLog, beeps, tone, video};

/// Flashes and beeps of a recording of twelve seconds out of which some were left by pauses, the
/// first of them long before any sender report.
fn paused(pauses: &[(u64, u64)]) -> RoomLog {
    let ada = Publisher {
        first_report_ms: 4_500,
        ..Publisher::default()
    };
    let mut log = RoomLog::new();
    log.publish(
        &ada,
        [1, 2],
        &video(Look::default(), 16),
        &beeps(600.0, 0, 0.5, 16),
    );
    // From the last, as each moves what comes after it.
    for &(at_ms, length_ms) in pauses.iter().rev() {
        log.pause(at_ms, length_ms);
    }
    log
}

#[test]
fn the_file_jumps_over_pauses_in_sync() {
    // Key frames are at 0, 4, 8 and 12 s of media time.
    let log = paused(&[(1_500, 2_500), (7_500, 500)]);
    let (decoded, output) = rendered(&log, 12_000);
    assert!((output.duration_ms as i64 - 12_000).abs() < 60);
    assert_in_sync(&decoded, tile(0, 1), 600.0, 0.5, 10);
    let beeps = decoded.beeps(600.0);
    // Of media time, with 40 ms on the way; after each pause nothing of what was left out.
    let expected = [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14].map(|second| {
        let left_out = match second {
            0..4 => 0.0,
            4..8 => 2.5,
            _ => 3.0,
        };
        f64::from(second) + 0.04 - left_out
    });
    // The first is as early as the file.
    for (beep, expected) in beeps.iter().zip(expected).skip(1) {
        assert!((beep - expected).abs() < 0.03, "{beeps:.3?}");
    }
    assert_eq!(beeps.len(), expected.len(), "{beeps:.3?}");
    // Each moment is shown once, and nothing but the publisher's picture after the first.
    let flashes = decoded.flashes(tile(0, 1));
    assert!((12..=13).contains(&flashes.len()), "{flashes:.3?}");
    let brightness = decoded.brightness(tile(0, 1));
    assert!(
        brightness
            .iter()
            .all(|(time, luma)| *time < 0.3 || *luma > 75.0),
        "{brightness:.1?}"
    );
}

#[test]
fn the_picture_stands_still_from_a_pause_to_the_next_key_frame() {
    let ada = Publisher::default();
    let mut log = RoomLog::new();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Vp8);
    let look = Look {
        luma: 150,
        phase_ns: 999_000_000,
        ..Look::default()
    };
    log.media(&ada, 1, &video(look, 9), |_| true);
    // The next key frame comes a second after the pause.
    log.pause(2_500, 4_500);
    let (decoded, _) = rendered(&log, 4_500);
    let brightness = decoded.brightness(tile(0, 1));
    let early: Vec<_> = brightness.iter().filter(|(time, _)| *time < 0.5).collect();
    assert!(!early.is_empty());
    for (time, luma) in &brightness {
        assert!(
            *time < 0.3 || *luma > 130.0,
            "no placeholder: {luma} at {time}"
        );
        assert!(
            !(2.55..3.5).contains(time) || *luma < 170.0,
            "nothing broken: {luma} at {time}"
        );
    }
    let still = brightness
        .iter()
        .filter(|(time, _)| (2.6..3.4).contains(time));
    let levels: Vec<f64> = still.map(|(_, luma)| *luma).collect();
    let spread = levels
        .iter()
        .fold(0.0f64, |most, luma| most.max((luma - levels[0]).abs()));
    assert!(spread < 2.0, "{levels:.1?}");
}

#[test]
fn no_click_is_heard_where_the_file_jumps() {
    let ada = Publisher::default();
    let mut log = RoomLog::new();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Microphone, Codec::Opus);
    log.media(&ada, 1, &tone(440.0, 0.5, 8), |_| true);
    log.pause(3_007, 1_003);
    let (decoded, _) = rendered(&log, 6_000);
    let steepest = |from: f64, to: f64| {
        let [from, to] = [from, to].map(|time| (time * 48_000.0) as usize);
        decoded.sound[from..to]
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0f32, f32::max)
    };
    let ordinary = steepest(1.0, 2.5);
    let cut = steepest(2.9, 3.2);
    assert!(cut < 1.6 * ordinary, "{cut} against {ordinary}");
    // Neither doubled nor silent for longer than a blink.
    let loudness: Vec<f32> = decoded.sound[2 * 48_000..4 * 48_000]
        .chunks(480)
        .map(|part| {
            part.iter()
                .fold(0.0f32, |most, value| most.max(value.abs()))
        })
        .collect();
    assert!(loudness.iter().all(|&peak| peak < 0.62), "{loudness:.2?}");
    let silent = loudness.iter().filter(|&&peak| peak < 0.1).count();
    assert!(silent <= 3, "{silent} of 10 ms: {loudness:.2?}");
}
