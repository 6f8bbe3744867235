use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Decoded, RenderControl, RoomLog, job, render, render_in};
use crate::control::RenderSnapshot;
use crate::job::{GapStyle, OutputFormat, RenderJob, VideoEncoder};
use crate::log::{Codec, LogEvent, TrackSource};
use crate::render::testing::{Look, Publisher, beeps, tone, video};

const END_MS: u64 = 13_000;

/// A publisher who flashes and beeps, one who hums without pause, a camera that is turned off for a
/// while, a pause and a gap.
pub(super) fn eventful() -> &'static RoomLog {
    static LOG: OnceLock<RoomLog> = OnceLock::new();
    LOG.get_or_init(make_eventful)
}

fn make_eventful() -> RoomLog {
    let ada = Publisher::default();
    let bob = Publisher {
        id: "PA_2",
        name: "Bob",
        start_ms: 330,
        network_ms: 70,
        ..ada
    };
    let look = Look {
        busy: true,
        ..Look::default()
    };
    let mut log = RoomLog::new();
    log.publish(&ada, [1, 2], &video(look, 16), &beeps(600.0, 0, 0.5, 16));
    log.join(330, &bob);
    log.add_track(330, &bob, 3, TrackSource::Microphone, Codec::Opus);
    log.media(&bob, 3, &tone(250.0, 0.2, 16), |_| true);
    log.event(5_200, LogEvent::TrackMuted { track: 1 });
    log.event(5_900, LogEvent::TrackUnmuted { track: 1 });
    log.pause(7_300, 700);
    log.lose(9_000..10_700);
    log
}

/// Renders until the render dies at a point of the file; returns what it said last.
pub(super) fn die(job: &RenderJob, at_ms: u64) -> RenderSnapshot {
    let control = RenderControl::default();
    control
        .dies_at_ns
        .store(at_ms * 1_000_000, Ordering::SeqCst);
    let died = catch_unwind(AssertUnwindSafe(|| render(job, &control)));
    assert!(died.is_err(), "the render lives at {at_ms} ms");
    control.snapshot()
}

fn fragments(folder: &Path) -> std::path::PathBuf {
    folder.join("render").join("part.mp4")
}

/// What is seen and heard must be as if nothing had happened.
fn assert_same(decoded: &Decoded, whole: &Decoded) {
    let times = |decoded: &Decoded| -> Vec<f64> {
        decoded.pictures.iter().map(|(time, _)| *time).collect()
    };
    assert_eq!(times(decoded), times(whole));
    for ((time, picture), (_, expected)) in decoded.pictures.iter().zip(&whole.pictures) {
        let difference: u64 = picture
            .iter()
            .zip(expected)
            .map(|(one, other)| u64::from(one.abs_diff(*other)))
            .sum();
        let mean = difference as f64 / picture.len() as f64;
        assert!(mean < 4.0, "{mean} at {time}");
    }
    assert_eq!(decoded.sound.len(), whole.sound.len());
    for (index, (part, expected)) in decoded
        .sound
        .chunks(480)
        .zip(whole.sound.chunks(480))
        .enumerate()
    {
        let pairs = part.iter().zip(expected);
        let most = pairs.fold(0.0f32, |most, (one, other)| most.max((one - other).abs()));
        assert!(most < 0.06, "{most} at {} ms", index * 10);
    }
}

#[test]
fn a_render_that_died_goes_on_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), END_MS);
    let (whole, output) = render_in(folder.path());
    // Behind a pause; again and again, also in a gap; at the end.
    for deaths in [&[7_350][..], &[4_200, 5_500, 10_200], &[12_970]] {
        for &at_ms in deaths {
            die(&job(folder.path()), at_ms);
        }
        let kept = std::fs::metadata(fragments(folder.path())).unwrap().len();
        assert!(kept > 10_000);
        let (decoded, resumed) = render_in(folder.path());
        assert_eq!(resumed.duration_ms, output.duration_ms, "{deaths:?}");
        assert_same(&decoded, &whole);
        assert!(!fragments(folder.path()).exists());
    }
}

#[test]
fn a_render_tells_that_it_reads_its_way_to_where_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), END_MS);
    for format in [OutputFormat::Mp4, OutputFormat::Wav] {
        let mut job = job(folder.path());
        job.settings.format = format;
        die(&job, 9_000);
        let early = die(&job, 2_000);
        let late = die(&job, 4_000);
        assert_eq!(early.position_ms, late.position_ms, "behind both");
        let read = late.read_ms.saturating_sub(early.read_ms);
        assert!(read >= 1_000, "{} to {}", early.read_ms, late.read_ms);
    }
}

#[test]
fn what_an_earlier_render_made_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), END_MS);
    die(&job(folder.path()), 9_000);
    let before = std::fs::read(fragments(folder.path())).unwrap();
    die(&job(folder.path()), 11_500);
    let after = std::fs::read(fragments(folder.path())).unwrap();
    assert!(after.len() > before.len());
    let same = before
        .iter()
        .zip(&after)
        .take_while(|(one, other)| one == other)
        .count();
    // All but the last second or two.
    assert!(
        same > before.len() * 6 / 10,
        "{same} of {} bytes",
        before.len()
    );
}

#[test]
fn a_torn_or_emptied_tail_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), END_MS);
    let (whole, _) = render_in(folder.path());
    for damage in [
        |content: &mut Vec<u8>| content.truncate(content.len() - 7_777),
        // As after a power cut: the length is there, the content is not.
        |content: &mut Vec<u8>| {
            let length = content.len();
            content[length * 2 / 3..].fill(0);
        },
        |content: &mut Vec<u8>| content.clear(),
    ] {
        die(&job(folder.path()), 11_500);
        let mut content = std::fs::read(fragments(folder.path())).unwrap();
        damage(&mut content);
        std::fs::write(fragments(folder.path()), &content).unwrap();
        let (decoded, _) = render_in(folder.path());
        assert_same(&decoded, &whole);
    }
}

#[test]
fn what_was_made_in_another_way_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), END_MS);
    for change in [
        |job: &mut RenderJob| job.gaps = GapStyle::Cut,
        |job: &mut RenderJob| job.settings.canvas.width = 480,
        |job: &mut RenderJob| job.settings.encoder = VideoEncoder::Openh264,
    ] {
        let mut other = job(folder.path());
        change(&mut other);
        let expected = render(&other, &RenderControl::default()).unwrap();
        die(&job(folder.path()), 6_000);
        let made = render(&other, &RenderControl::default()).unwrap();
        assert_eq!(made.sha256, expected.sha256);
    }
}

#[test]
fn the_free_encoder_goes_on_likewise() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), 8_000);
    let mut job = job(folder.path());
    job.settings.encoder = VideoEncoder::Openh264;
    let control = RenderControl::default();
    let whole = Decoded::of(&render(&job, &control).unwrap().path);
    die(&job, 5_500);
    let control = RenderControl::default();
    let decoded = Decoded::of(&render(&job, &control).unwrap().path);
    assert_same(&decoded, &whole);
}

#[test]
fn a_file_that_was_complete_is_only_finished() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), 6_000);
    // The finished file has no place to go to.
    let mut blocked = job(folder.path());
    blocked.output = folder.path().join("taken");
    std::fs::create_dir(&blocked.output).unwrap();
    std::fs::write(blocked.output.join("something"), "").unwrap();
    assert!(render(&blocked, &RenderControl::default()).is_err());
    let made = std::fs::metadata(fragments(folder.path())).unwrap();
    let begun = Instant::now();
    let (_, output) = render_in(folder.path());
    assert!(begun.elapsed().as_secs() < 60);
    assert!((5_950..6_060).contains(&output.duration_ms));
    assert!(made.len() > 10_000);
}

/// How fast what is there already is passed over.
#[test]
#[ignore = "measures"]
fn passing_over_is_fast() {
    let folder = tempfile::tempdir().unwrap();
    let ada = Publisher::default();
    let mut log = RoomLog::new();
    let minutes = 20;
    let look = Look {
        width: 640,
        height: 360,
        busy: true,
        ..Look::default()
    };
    log.publish(
        &ada,
        [1, 2],
        &video(look, 20).repeated(minutes * 3),
        &beeps(600.0, 0, 0.5, 20).repeated(minutes * 3),
    );
    log.write(folder.path(), minutes * 60_000);
    let begun = Instant::now();
    die(&job(folder.path()), minutes * 60_000 - 2_000);
    let rendering = begun.elapsed();
    let begun = Instant::now();
    render(&job(folder.path()), &RenderControl::default()).unwrap();
    println!(
        "{minutes} min: {rendering:.1?}, then {:.1?}",
        begun.elapsed()
    );
}
