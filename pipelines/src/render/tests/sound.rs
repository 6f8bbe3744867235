use super::{assert_in_sync, rendered, tile};
use crate::log::{Codec, TrackSource};
use crate::render::testing::{Look, Publisher, RoomLog, beeps, tone, video};

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
fn nine_voices_at_full_level_do_not_clip_and_are_even() {
    let mut log = RoomLog::new();
    let names = ["A", "B", "C", "D", "E", "F", "G", "H", "I"];
    for (index, id) in names.into_iter().enumerate() {
        let publisher = Publisher {
            id,
            ..Publisher::default()
        };
        log.join(0, &publisher);
        let track = index as u16 + 1;
        log.add_track(0, &publisher, track, TrackSource::Microphone, Codec::Opus);
        let voice = tone(230.0 + 90.0 * index as f32, 0.9, 6);
        log.media(&publisher, track, &voice, |_| true);
    }
    let (decoded, _) = rendered(&log, 6_000);
    let peak = decoded
        .sound
        .iter()
        .fold(0.0f32, |peak, value| peak.max(value.abs()));
    assert!((0.5..1.0).contains(&peak), "{peak}");
    // The loudness of each tenth of a second, once all are in: it must not swell and ebb.
    let loudness: Vec<f32> = decoded.sound[2 * 48_000..5 * 48_000]
        .chunks(4_800)
        .map(|part| (part.iter().map(|v| v * v).sum::<f32>() / part.len() as f32).sqrt())
        .collect();
    let (least, most) = loudness
        .iter()
        .fold((f32::MAX, 0.0f32), |(least, most), &value| {
            (least.min(value), most.max(value))
        });
    assert!(most < 1.25 * least, "{loudness:.2?}");
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
fn sound_covers_the_whole_picture() {
    for end_ms in [2_000, 2_007, 2_013, 2_027] {
        let mut log = RoomLog::new();
        let ada = Publisher::default();
        log.join(0, &ada);
        log.add_track(0, &ada, 1, TrackSource::Microphone, Codec::Opus);
        log.media(&ada, 1, &tone(440.0, 0.3, 3), |_| true);
        let (decoded, output) = rendered(&log, end_ms);
        let sound_ms = decoded.sound.len() as f64 / 48.0;
        println!(
            "{end_ms} ms: sound {sound_ms:.1} ms, file {} ms",
            output.duration_ms
        );
        assert!(sound_ms + 0.5 >= end_ms as f64, "{sound_ms} of {end_ms} ms");
        assert!(
            sound_ms <= end_ms as f64 + 22.0,
            "{sound_ms} of {end_ms} ms"
        );
        // It is heard to the end.
        let last = &decoded.sound[(end_ms as usize - 25) * 48..(end_ms as usize - 5) * 48];
        assert!(last.iter().any(|value| value.abs() > 0.1));
    }
}
