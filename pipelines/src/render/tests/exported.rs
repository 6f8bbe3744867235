//! Tracks as files of their own.

use crate::layout::Rect;
use crate::log::{Codec, TrackNumber, TrackSource};
use crate::render::export::export;
use crate::render::testing::{Decoded, Look, Publisher, RoomLog, beeps, video};

#[test]
fn tracks_of_every_codec_are_exported_across_a_pause() {
    const CODECS: [(TrackNumber, Codec); 4] = [
        (1, Codec::Vp8),
        (2, Codec::H264),
        (3, Codec::Vp9),
        (4, Codec::Av1),
    ];
    const MICROPHONE: TrackNumber = 5;
    let ada = Publisher::default();
    let mut log = RoomLog::new();
    log.join(0, &ada);
    for (track, codec) in CODECS {
        log.add_track(0, &ada, track, TrackSource::Camera, codec);
        let look = Look {
            codec,
            width: 160,
            height: 90,
            ..Look::default()
        };
        log.media(&ada, track, &video(look, 8), |_| true);
    }
    log.add_track(0, &ada, MICROPHONE, TrackSource::Microphone, Codec::Opus);
    log.media(&ada, MICROPHONE, &beeps(600.0, 0, 0.5, 8), |_| true);
    // The next key frame is at 4 s of media time.
    log.pause(1_500, 2_500);
    let folder = tempfile::tempdir().unwrap();
    log.write(folder.path(), 6_000);

    let exported = export(folder.path(), &folder.path().join("tracks")).unwrap();
    assert_eq!(exported.len(), CODECS.len() + 1);
    // The flashes of media time 1, 4, 5, 6 and 7 s, with 40 ms on the way.
    let expected = [1.04, 1.54, 2.54, 3.54, 4.54];
    let picture = Rect {
        x: 0,
        y: 0,
        width: 160,
        height: 90,
    };
    for (told, (track, codec)) in exported.iter().zip(CODECS) {
        assert_eq!((told.track, told.codec), (track, codec));
        let file = told.file.as_ref().unwrap();
        let decoded = Decoded::of_video(file);
        // 15 in a second, of 1.46 s before the pause and of 4 s after it.
        assert!((80..=84).contains(&told.frames), "{told:?}");
        // The decoder of AV1 keeps one of the frames around the pause to itself.
        let kept = told.frames - decoded.pictures.len() as u64;
        assert!(kept <= u64::from(codec == Codec::Av1), "{told:?}");
        assert_near(&decoded.flashes(picture), &expected, told.codec);
    }
    let told = &exported[CODECS.len()];
    let decoded = Decoded::of_sound(told.file.as_ref().unwrap());
    assert_near(&decoded.beeps(600.0)[1..], &expected, told.codec);
}

fn assert_near(found: &[f64], expected: &[f64], codec: Codec) {
    assert_eq!(found.len(), expected.len(), "{codec:?}: {found:.3?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 0.07,
            "{codec:?}: {found} instead of {expected}"
        );
    }
}
