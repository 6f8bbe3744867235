use sha2::{Digest as _, Sha256};

use super::resumed::{die, eventful};
use super::{RenderControl, RoomLog, job, render};
use crate::control::ObservedTrack;
use crate::job::{OutputFormat, PREVIEW_FILE};
use crate::render::hexadecimal;
use crate::render::testing::{Look, Publisher, tone, video};

#[test]
fn a_poster_comes_with_the_file_and_stays_when_a_render_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), 13_000);
    let mut job = job(folder.path());
    job.poster = true;
    job.settings.thumbnail_interval_s = Some(5);
    die(&job, 12_500);
    let early = std::fs::read(folder.path().join("render/poster.jpg")).unwrap();
    let control = RenderControl::default();
    render(&job, &control).unwrap();
    let further = control.snapshot().further_outputs;
    let [poster, thumbnails @ ..] = &further[..] else {
        panic!("a poster: {further:?}")
    };
    let suffixes: Vec<&str> = thumbnails.iter().map(|it| it.suffix.as_str()).collect();
    assert_eq!(suffixes, ["-0001", "-0002"]);
    assert!(
        thumbnails
            .iter()
            .all(|it| it.path.is_file() && it.width == 480)
    );
    let content = std::fs::read(&poster.path).unwrap();
    assert_eq!(poster.path, job.output.with_extension("jpg"));
    assert_eq!((poster.width, poster.height), (640, 360));
    assert_eq!(poster.size_bytes, content.len() as u64);
    assert_eq!(poster.sha256, hexadecimal(&Sha256::digest(&content)));
    assert_eq!(content, early, "what stood for the recording stays");
    assert!(content.starts_with(&[0xff, 0xd8]), "it is a JPEG");
    assert!(folder.path().join(PREVIEW_FILE).is_file());
    let warnings = control.snapshot().warnings;
    assert!(warnings.iter().all(|it| it.code != "still_missing"));
}

#[test]
fn the_shortest_recording_has_a_poster_and_sound_has_none() {
    for (audio_only, format, expected) in [
        (false, OutputFormat::Mp4, 1),
        (true, OutputFormat::Mp4, 0),
        (false, OutputFormat::Wav, 0),
    ] {
        let folder = tempfile::tempdir().unwrap();
        RoomLog::new().write(folder.path(), 40);
        let mut job = job(folder.path());
        job.poster = true;
        (job.settings.audio_only, job.settings.format) = (audio_only, format);
        let control = RenderControl::default();
        render(&job, &control).unwrap();
        let further = control.snapshot().further_outputs;
        assert_eq!(further.len(), expected, "{audio_only} {format:?}");
        assert!(!folder.path().join(PREVIEW_FILE).exists());
    }
}

#[test]
fn what_is_loud_silent_or_dark_is_told_of_each_track() {
    let ada = Publisher::default();
    let bob = Publisher {
        id: "PA_2",
        name: "Bob",
        ..ada
    };
    let dark = Look {
        luma: 18,
        phase_ns: 500_000_000,
        ..Look::default()
    };
    let mut log = RoomLog::new();
    log.publish(&ada, [1, 2], &video(dark, 6), &tone(250.0, 0.2, 6));
    log.publish(
        &bob,
        [3, 4],
        &video(Look::default(), 6),
        &tone(250.0, 0.0, 6),
    );
    let folder = tempfile::tempdir().unwrap();
    log.write(folder.path(), 6_000);
    let control = RenderControl::default();
    render(&job(folder.path()), &control).unwrap();
    let tracks = control.snapshot().tracks;
    println!("{tracks:#?}");
    assert_eq!(tracks.len(), 4);
    let levels: Vec<u8> = tracks.iter().filter_map(|track| track.level).collect();
    assert!(
        levels.iter().any(|level| (65..85).contains(level)),
        "a tone of -14 dB: {levels:?}"
    );
    let most =
        |of: fn(&ObservedTrack) -> u64| tracks.iter().map(of).filter(|ms| *ms > 2_500).count();
    assert_eq!(most(|track| track.silent_ms), 1);
    assert_eq!(most(|track| track.black_ms), 1);
}
