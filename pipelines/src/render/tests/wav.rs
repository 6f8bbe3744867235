use std::path::{Path, PathBuf};
use std::process::Command;

use super::resumed::{die, eventful};
use super::{RenderControl, RoomLog, job, render};
use crate::control::OutputFile;
use crate::job::{OutputFormat, RenderJob};
use crate::log::{Codec, TrackNumber, TrackSource};
use crate::render::testing::{Clip, Publisher, beeps, tone};
use crate::render::wav;

const RATE: usize = 16_000;

fn wav_job(folder: &Path) -> RenderJob {
    let mut job = job(folder);
    job.settings.format = OutputFormat::Wav;
    job.output = folder.join("output.wav");
    job
}

/// The main file and those besides it.
fn made(job: &RenderJob) -> Vec<OutputFile> {
    let control = RenderControl::default();
    let main = render(job, &control).unwrap();
    let further = control.snapshot().further_outputs;
    std::iter::once(main).chain(further).collect()
}

/// Samples of a file, whose header must be true of it.
fn samples(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes[40..44], (bytes.len() as u32 - 44).to_le_bytes());
    assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes());
    bytes[44..]
        .chunks_exact(2)
        .map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
        .collect()
}

/// Mean amplitude of a pitch, 1 for full scale. Looked at in pieces of 20 ms, as a clock that is
/// being corrected moves phase and pitch a little.
fn level(samples: &[i16], pitch: f64) -> f64 {
    let step = std::f64::consts::TAU * pitch / RATE as f64;
    let amplitude = |piece: &[i16]| {
        let (real, imaginary) = piece
            .iter()
            .enumerate()
            .map(|(index, &sample)| {
                let (sine, cosine) = (step * index as f64).sin_cos();
                (f64::from(sample) * cosine, f64::from(sample) * sine)
            })
            .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        2.0 * real.hypot(imaginary) / piece.len() as f64 / 32_768.0
    };
    let pieces = samples.chunks_exact(RATE / 50);
    let count = pieces.len() as f64;
    pieces.map(amplitude).sum::<f64>() / count
}

fn is_silent(samples: &[i16]) -> bool {
    samples.iter().all(|sample| sample.abs() < 40)
}

fn speak(log: &mut RoomLog, publisher: &Publisher, track: TrackNumber, voice: &Clip) {
    log.join(publisher.start_ms, publisher);
    let at = publisher.start_ms;
    log.add_track(at, publisher, track, TrackSource::Microphone, Codec::Opus);
    log.media(publisher, track, voice, |_| true);
}

/// Ada hums from the beginning, Bob from 2 s to 5 s; Bob comes back at 7 s.
fn two_speakers() -> RoomLog {
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    let bob = Publisher {
        id: "PA_2",
        start_ms: 2_000,
        ..ada
    };
    speak(&mut log, &ada, 1, &tone(440.0, 0.3, 12));
    speak(&mut log, &bob, 2, &tone(1_000.0, 0.2, 3));
    log
}

#[test]
fn two_tones_have_their_level_for_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RoomLog::new();
    let ada = Publisher::default();
    let bob = Publisher { id: "PA_2", ..ada };
    speak(&mut log, &ada, 1, &tone(440.0, 0.3, 61));
    speak(&mut log, &bob, 2, &tone(1_000.0, 0.2, 61));
    log.write(folder.path(), 60_000);
    let files = made(&wav_job(folder.path()));
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].duration_ms, 60_000);
    assert_eq!((files[0].width, files[0].suffix.as_str()), (0, ""));
    let sound = samples(&files[0].path);
    assert_eq!(sound.len(), 60 * RATE);
    for (second, part) in sound.chunks(RATE).enumerate().skip(1) {
        let levels = [440.0, 1_000.0].map(|pitch| level(part, pitch));
        assert!((0.27..0.33).contains(&levels[0]), "{second} s: {levels:?}");
        assert!((0.18..0.22).contains(&levels[1]), "{second} s: {levels:?}");
    }
    let dropouts = sound[RATE..]
        .chunks(RATE / 100)
        .filter(|part| is_silent(part));
    assert_eq!(dropouts.count(), 0);
    agree(&files[0].path, 60.0);
}

/// Programs that read WAV say the same of a file.
fn agree(path: &Path, seconds: f64) {
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-of", "csv=p=0", "-show_entries"])
        .args(["stream=codec_name,sample_rate,channels,duration"])
        .arg(path)
        .output()
        .expect("ffprobe is needed: apt-get install ffmpeg");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("pcm_s16le,16000,1,"), "{told}");
    let length: f64 = told.trim().rsplit(',').next().unwrap().parse().unwrap();
    assert!((length - seconds).abs() < 0.05, "{told}");
    assert!(output.stderr.is_empty());
    let script = "import sys, wave; w = wave.open(sys.argv[1]); \
                  assert len(w.readframes(1 << 30)) == 2 * w.getnframes(); print(w.getnframes())";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .output();
    let told = String::from_utf8(output.unwrap().stdout).unwrap();
    let length = told.trim().parse::<f64>().unwrap() / RATE as f64;
    assert!((length - seconds).abs() < 0.05, "{told}");
}

#[test]
fn a_gap_is_silence_and_a_pause_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RoomLog::new();
    speak(&mut log, &Publisher::default(), 1, &tone(440.0, 0.3, 14));
    log.pause(3_000, 2_000);
    log.lose(6_000..8_000);
    log.lose(8_700..9_200);
    log.write(folder.path(), 10_000);
    let sound = samples(&made(&wav_job(folder.path()))[0].path);
    assert_eq!(sound.len(), 10 * RATE);
    let part =
        |from: f64, to: f64| &sound[(from * RATE as f64) as usize..(to * RATE as f64) as usize];
    // What arrives at the end of a gap belongs a little earlier, by what jitter and the codec
    // delayed it. The beginning of a short gap is concealed.
    assert!(is_silent(part(6.02, 7.98)));
    assert!(is_silent(part(8.83, 9.18)));
    for (from, to) in [(1.0, 2.9), (3.1, 5.9), (8.3, 8.6), (9.4, 9.9)] {
        assert!(level(part(from, to), 440.0) > 0.27, "{from} s");
    }
}

#[test]
fn a_render_that_died_goes_on_to_the_same_bytes() {
    for per_speaker in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        eventful().write(folder.path(), 13_000);
        let mut job = wav_job(folder.path());
        job.settings.per_speaker = per_speaker;
        let sums = |files: Vec<OutputFile>| -> Vec<(String, String)> {
            let sums = files.into_iter().map(|file| (file.suffix, file.sha256));
            sums.collect()
        };
        let whole = sums(made(&job));
        assert_eq!(whole.len(), if per_speaker { 3 } else { 1 });
        for deaths in [&[7_350][..], &[600, 5_500, 10_200], &[12_970]] {
            for &at_ms in deaths {
                die(&job, at_ms);
            }
            let kept = std::fs::metadata(part(folder.path())).unwrap().len();
            let expected = (deaths.last().unwrap() / 200 - 1) * 200 * 32;
            assert!(kept >= expected, "{kept} bytes are left, not {expected}");
            assert_eq!(sums(made(&job)), whole, "{deaths:?}");
        }
    }
}

#[test]
fn what_is_concealed_behind_a_seam_is_the_same_too() {
    for lost in [60, 140, 900] {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RoomLog::new();
        let ada = Publisher::default();
        let bob = Publisher { id: "PA_2", ..ada };
        speak(&mut log, &ada, 1, &tone(440.0, 0.3, 24));
        speak(&mut log, &bob, 2, &beeps(600.0, 0, 0.5, 24));
        // Nothing of her is decoded again before she comes back.
        let eve = Publisher { id: "PA_3", ..ada };
        log.join(0, &eve);
        log.add_track(0, &eve, 3, TrackSource::Microphone, Codec::Opus);
        log.media(&eve, 3, &tone(1_000.0, 0.2, 24), |ms| {
            !(12_000..21_500).contains(&ms)
        });
        log.lose(20_300..20_300 + lost);
        log.write(folder.path(), 22_000);
        let job = wav_job(folder.path());
        let whole = made(&job)[0].sha256.clone();
        die(&job, 20_100);
        assert_eq!(made(&job)[0].sha256, whole, "{lost} ms are lost");
    }
}

fn part(folder: &Path) -> PathBuf {
    folder.join("render").join("part.wav")
}

#[test]
fn what_is_not_as_it_was_made_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    eventful().write(folder.path(), 8_000);
    let job = wav_job(folder.path());
    let whole = made(&job)[0].sha256.clone();
    for damage in [
        |content: &mut Vec<u8>| content.truncate(content.len() - 7_777),
        |content: &mut Vec<u8>| {
            let length = content.len();
            content[length * 2 / 3..].fill(0);
        },
        |content: &mut Vec<u8>| content[3] ^= 1,
        |content: &mut Vec<u8>| content.clear(),
    ] {
        die(&job, 7_000);
        let mut content = std::fs::read(part(folder.path())).unwrap();
        damage(&mut content);
        std::fs::write(part(folder.path()), &content).unwrap();
        assert_eq!(made(&job)[0].sha256, whole);
    }
    // Another job than the one that died.
    die(&job, 7_000);
    let mut other = job.clone();
    other.settings.per_speaker = true;
    assert_eq!(made(&other)[0].sha256, whole);
}

#[test]
fn speakers_have_files_on_the_clock_of_the_mix() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = two_speakers();
    let bob_again = Publisher {
        id: "PA_2",
        start_ms: 7_000,
        ..Publisher::default()
    };
    log.event(
        5_100,
        crate::log::LogEvent::ParticipantLeft {
            participant: "PA_2".into(),
        },
    );
    speak(&mut log, &bob_again, 3, &tone(1_000.0, 0.2, 2));
    log.write(folder.path(), 10_000);
    let mut job = wav_job(folder.path());
    job.settings.per_speaker = true;
    let files = made(&job);
    let suffixes: Vec<&str> = files.iter().map(|file| file.suffix.as_str()).collect();
    assert_eq!(suffixes, ["", "-pa_1", "-pa_2"]);
    assert_eq!(files[1].path, folder.path().join("output-pa_1.wav"));
    let [mix, ada, bob] = [0, 1, 2].map(|index| samples(&files[index].path));
    assert_eq!(
        (mix.len(), ada.len(), bob.len()),
        (10 * RATE, 10 * RATE, 10 * RATE)
    );
    for (sum, (one, other)) in mix.iter().zip(ada.iter().zip(&bob)) {
        assert!((i32::from(*sum) - i32::from(*one) - i32::from(*other)).abs() <= 1);
    }
    let part = |sound: &[i16], from: usize, to: usize| sound[from * RATE..to * RATE].to_vec();
    assert!(is_silent(&part(&bob, 0, 2)) && is_silent(&bob[5 * RATE + 4_000..7 * RATE]));
    assert!(level(&part(&bob, 3, 5), 1_000.0) > 0.17);
    assert!(level(&part(&bob, 8, 9), 1_000.0) > 0.17);
    assert!(level(&part(&ada, 1, 10), 440.0) > 0.27);
    assert!(level(&part(&ada, 3, 5), 1_000.0) < 0.03);
}

#[test]
fn a_long_recording_goes_on_in_a_second_file() {
    let folder = tempfile::tempdir().unwrap();
    two_speakers().write(folder.path(), 10_000);
    let mut job = wav_job(folder.path());
    job.settings.per_speaker = true;
    let whole: Vec<Vec<i16>> = made(&job).iter().map(|file| samples(&file.path)).collect();
    let most = 3 * RATE as u64 + 1_000;
    let split = |job: &RenderJob| {
        let control = RenderControl::default();
        let work = job.folder.join("render");
        let main = wav::render(job, &control, &work, most).unwrap();
        let further = control.snapshot().further_outputs;
        std::iter::once(main).chain(further).collect::<Vec<_>>()
    };
    let files = split(&job);
    let expected = ["", "-pa_1", "-pa_2"].map(|of| {
        [1, 2, 3, 4].map(|number| match number {
            1 => of.to_owned(),
            number => format!("{of}-{number}"),
        })
    });
    let suffixes: Vec<&String> = files.iter().map(|file| &file.suffix).collect();
    assert_eq!(suffixes, expected.iter().flatten().collect::<Vec<_>>());
    for (index, whole) in whole.iter().enumerate() {
        let parts = files[4 * index..4 * index + 4].iter();
        let joined: Vec<i16> = parts.flat_map(|file| samples(&file.path)).collect();
        assert!(joined == *whole, "{index}");
    }
}

#[test]
fn a_recording_of_nothing_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    RoomLog::new().write(folder.path(), 0);
    let files = made(&wav_job(folder.path()));
    assert_eq!((files[0].size_bytes, files[0].duration_ms), (44, 0));
    assert!(samples(&files[0].path).is_empty());
}
