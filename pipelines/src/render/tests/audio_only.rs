use super::resumed::{die, eventful};
use super::{RenderControl, RoomLog, job, render};
use crate::render::testing::sound_of;

#[test]
fn an_mp4_without_picture_is_heard_and_goes_on_after_a_death() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), 13_000);
    let mut job = job(folder.path());
    let with_picture = render(&job, &RenderControl::default()).unwrap();
    let expected = sound_of(&with_picture.path);
    job.settings.audio_only = true;
    let whole = render(&job, &RenderControl::default()).unwrap();
    assert_eq!((whole.width, whole.height), (0, 0));
    assert!(
        whole.duration_ms.abs_diff(13_000) < 50,
        "{}",
        whole.duration_ms
    );
    let sound = sound_of(&whole.path);
    let furthest = |one: &[f32], other: &[f32]| {
        let pairs = one.iter().zip(other);
        pairs.fold(0.0f32, |most, (one, other)| most.max((one - other).abs()))
    };
    // Placed without the help of the picture's clock: not to the sample.
    assert!(sound.len().abs_diff(expected.len()) < 2_048);
    let died = folder.path().join("render").join("part.mp4");
    for at_ms in [5_500, 12_900] {
        die(&job, at_ms);
        assert!(std::fs::metadata(&died).unwrap().len() > 10_000);
        let again = render(&job, &RenderControl::default()).unwrap();
        assert_eq!(again.duration_ms, whole.duration_ms);
        let difference = furthest(&sound_of(&again.path), &sound);
        assert!(difference < 0.06, "{difference} after {at_ms} ms");
    }
}

#[test]
fn a_moment_of_nothing_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    RoomLog::new().write(folder.path(), 0);
    let mut job = job(folder.path());
    job.settings.audio_only = true;
    let output = render(&job, &RenderControl::default()).unwrap();
    assert!(output.duration_ms < 100 && output.size_bytes > 500);
}
