use super::{Decoded, RoomLog, assert_in_sync, job, render_job, tile};
use crate::control::OutputFile;
use crate::job::GapStyle;
use crate::log::{Codec, LogEvent, TrackSource};
use crate::render::testing::{Clip, Look, Publisher, beeps, video};

const LUMA: u8 = 150;

fn clips(seconds: u64) -> (Clip, Clip) {
    let look = Look {
        luma: LUMA,
        ..Look::default()
    };
    (video(look, seconds), beeps(600.0, 0, 0.5, seconds))
}

/// A room of two, captured until 4 s and again from 9 s on by another process: its tracks have
/// other numbers and other clocks.
fn restarted() -> RoomLog {
    let people = ["PA_1", "PA_2"].map(|id| Publisher {
        id,
        ..Publisher::default()
    });
    let mut log = RoomLog::new();
    let (picture, sound) = clips(6);
    for (number, publisher) in (0..).zip(&people) {
        log.publish(
            publisher,
            [2 * number + 1, 2 * number + 2],
            &picture,
            &sound,
        );
    }
    log.lose(4_000..9_000);
    for track in 1..=4 {
        log.event(9_000, LogEvent::TrackRemoved { track });
    }
    // Told in another order than before.
    for (number, publisher) in (2..).zip(people.iter().rev()) {
        let back = Publisher {
            start_ms: 9_100,
            first_report_ms: 1_000,
            ..*publisher
        };
        log.publish(&back, [2 * number + 1, 2 * number + 2], &picture, &sound);
    }
    let gap = LogEvent::Gap {
        from_ns: 3_990_000_000,
        to_ns: 9_140_000_000,
        reason: "capture_restarted".into(),
    };
    log.event(9_140, gap);
    log
}

fn rendered(log: &RoomLog, end_ms: u64, gaps: GapStyle) -> (Decoded, OutputFile) {
    let folder = tempfile::tempdir().unwrap();
    log.write(folder.path(), end_ms);
    let mut job = job(folder.path());
    job.gaps = gaps;
    render_job(&job)
}

/// Luma of a tile in a stretch of the file, s.
fn levels(decoded: &Decoded, tile: crate::layout::Rect, from: f64, to: f64) -> Vec<f64> {
    let all = decoded.brightness(tile).into_iter();
    all.filter_map(|(time, luma)| (from..to).contains(&time).then_some(luma))
        .collect()
}

#[test]
fn a_gap_is_filled_with_a_notice_and_silence() {
    let (decoded, output) = rendered(&restarted(), 14_000, GapStyle::Notice);
    assert!((output.duration_ms as i64 - 14_000).abs() < 60);
    for place in [tile(0, 2), tile(1, 2)] {
        let before = levels(&decoded, place, 4.1, 4.9);
        assert!(before.iter().all(|luma| *luma > 100.0), "{before:.0?}");
        let notice = levels(&decoded, place, 5.05, 9.0);
        assert!(!notice.is_empty(), "a picture at least each second");
        assert!(notice.iter().all(|luma| *luma < 90.0), "{notice:.0?}");
        let after = levels(&decoded, place, 9.4, 14.0);
        assert!(after.iter().all(|luma| *luma > 100.0), "{after:.0?}");
        // Not before the frozen picture gives way to it.
        assert!(decoded.flashes(place).len() >= 8);
    }
    let silence = &decoded.sound[48_000 * 42 / 10..48_000 * 9];
    assert!(silence.iter().all(|value| value.abs() < 0.01));
    assert_in_sync(&decoded, tile(0, 2), 600.0, 9.5, 4);
}

#[test]
fn a_gap_is_cut_if_wanted() {
    let (decoded, output) = rendered(&restarted(), 14_000, GapStyle::Cut);
    assert!(
        (8_900..9_060).contains(&output.duration_ms),
        "{}",
        output.duration_ms
    );
    let levels = levels(&decoded, tile(0, 2), 0.4, 9.0);
    let dark = levels.iter().filter(|luma| **luma < 90.0).count();
    // Until the first picture of the new tracks.
    assert!(dark < 10, "{dark} dark pictures");
    assert_in_sync(&decoded, tile(0, 2), 600.0, 4.5, 4);
}

#[test]
fn the_connection_lost_for_a_while_shows_a_notice_and_the_room_stays_as_it_was() {
    let ada = Publisher::default();
    let mut log = RoomLog::new();
    log.join(0, &ada);
    log.add_track(0, &ada, 1, TrackSource::Camera, Codec::Vp8);
    let (picture, _) = clips(10);
    // Capture lives on, so that ticks go on; a key frame comes at 8 s.
    log.media(&ada, 1, &picture, |ms| !(3_000..8_000).contains(&ms));
    log.event(3_100, LogEvent::ConnectionLost);
    log.event(7_900, LogEvent::ConnectionRestored);
    let (decoded, _) = rendered(&log, 10_000, GapStyle::Notice);
    let notice = levels(&decoded, tile(0, 1), 4.2, 8.0);
    assert!(!notice.is_empty());
    assert!(notice.iter().all(|luma| *luma < 90.0), "{notice:.0?}");
    let around = [
        levels(&decoded, tile(0, 1), 0.4, 4.0),
        levels(&decoded, tile(0, 1), 8.2, 10.0),
    ];
    assert!(
        around.iter().flatten().all(|luma| *luma > 100.0),
        "{around:.0?}"
    );
    let (_, cut) = rendered(&log, 10_000, GapStyle::Cut);
    assert!(
        (5_000..5_200).contains(&cut.duration_ms),
        "{}",
        cut.duration_ms
    );
}
