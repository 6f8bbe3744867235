use super::{assert_in_sync, rendered, tile};
use crate::layout::{Rect, arrange};
use crate::log::{Codec, LogEvent, TrackSource};
use crate::render::testing::{Look, Publisher, RoomLog, beeps, video};

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
fn a_long_name_reaches_beyond_a_narrow_picture_and_stays_as_it_is() {
    let mut log = RoomLog::new();
    let ada = Publisher {
        name: "A name far too long for a picture that narrow",
        ..Publisher::default()
    };
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Vp8);
    let look = Look {
        width: 90,
        height: 180,
        phase_ns: 999_000_000,
        ..Look::default()
    };
    log.media(&ada, 1, &video(look, 3), |_| true);
    let (decoded, _) = rendered(&log, 3_000);
    // Left of the picture, which is 180 pixels wide in the middle of 640.
    let beside = Rect {
        x: 180,
        y: 330,
        width: 40,
        height: 24,
    };
    let brightness: Vec<f64> = decoded
        .brightness(beside)
        .into_iter()
        .filter_map(|(time, luma)| (time > 0.5).then_some(luma))
        .collect();
    let (first, last) = (brightness[0], brightness[brightness.len() - 1]);
    assert!(first > 22.0, "the name is there: {first}");
    assert!((first - last).abs() < 4.0, "from {first} to {last}");
}
