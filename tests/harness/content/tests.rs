use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tapedeck_pipelines::layout::Rect;

use super::*;

const WIDTH: usize = 640;
const HEIGHT: usize = 180;
const FRAME_RATE: usize = 25;
const SECONDS: usize = 8;
const SAMPLE_RATE: usize = 48_000;

const LEFT: Rect = Rect {
    x: 0,
    y: 0,
    width: 320,
    height: 180,
};
const RIGHT: Rect = Rect {
    x: 320,
    y: 0,
    width: 320,
    height: 180,
};

/// A publisher in the synthetic file.
struct Publisher {
    pitch: f64,
    /// Time of the first flash, s; then each second.
    phase: f64,
    /// Sound after picture, s.
    late: f64,
    /// Seconds without a beep.
    silent: Vec<usize>,
    /// Frames in which the picture does not move and does not flash.
    frozen: std::ops::Range<usize>,
}

impl Publisher {
    fn new(pitch: f64, phase: f64, late: f64) -> Self {
        Self {
            pitch,
            phase,
            late,
            silent: Vec::new(),
            frozen: 0..0,
        }
    }

    fn luma(&self, frame: usize, x: usize, y: usize) -> u8 {
        let frame = if self.frozen.contains(&frame) {
            self.frozen.start
        } else {
            frame
        };
        let since = (frame as f64 / FRAME_RATE as f64 - self.phase + 1e-9).rem_euclid(1.0);
        let begun = frame as f64 / FRAME_RATE as f64 + 1e-9 >= self.phase;
        if begun && since < 0.12 {
            return 235;
        }
        60 + ((x + y + 4 * frame) % 64) as u8
    }

    fn sound(&self, time: f64) -> f64 {
        let since = time - self.phase - self.late;
        if since < 0.0 || since % 1.0 >= 0.06 || self.silent.contains(&(since as usize)) {
            return 0.0;
        }
        let since = since % 1.0;
        let fade = (since.min(0.06 - since) / 0.002).min(1.0);
        0.3 * fade * (TAU * self.pitch * since).sin()
    }
}

/// Encodes two publishers side by side.
fn recording(folder: &Path, left: &Publisher, right: &Publisher, gain: f64) -> PathBuf {
    let mut picture = Vec::new();
    for frame in 0..FRAME_RATE * SECONDS {
        for y in 0..HEIGHT {
            picture.extend((0..WIDTH).map(|x| match x {
                0..320 => left.luma(frame, x, y),
                _ => right.luma(frame, x, y),
            }));
        }
        picture.extend(vec![128; WIDTH * HEIGHT / 2]);
    }
    let samples = (0..SAMPLE_RATE * SECONDS).flat_map(|index| {
        let time = index as f64 / SAMPLE_RATE as f64;
        let value = (gain * (left.sound(time) + right.sound(time))) as f32;
        [value, value]
    });
    let sound: Vec<u8> = samples.flat_map(f32::to_le_bytes).collect();
    fs::write(folder.join("picture"), picture).unwrap();
    fs::write(folder.join("sound"), sound).unwrap();
    let output = folder.join("out.mp4");
    let raw = [
        "-v",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
        "-s",
        "640x180",
        "-r",
        "25",
        "-i",
        "picture",
        "-f",
        "f32le",
        "-ar",
        "48000",
        "-ac",
        "2",
        "-i",
        "sound",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-profile:v",
        "high",
        "-x264-params",
        "cabac=1",
        "-bf",
        "0",
        "-c:a",
        "aac",
        "-b:a",
        "128k",
        "-movflags",
        "+faststart",
        "out.mp4",
    ];
    run_ffmpeg(folder, &raw);
    output
}

fn run_ffmpeg(folder: &Path, arguments: &[&str]) {
    let status = Command::new("ffmpeg")
        .current_dir(folder)
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn flashes_and_beeps_of_two_publishers_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let in_sync = Publisher::new(500.0, 0.4, 0.0);
    let late = Publisher {
        silent: vec![2, 5],
        ..Publisher::new(1_100.0, 0.72, 0.040)
    };
    let recording = Recording::open(&recording(folder.path(), &in_sync, &late, 1.0)).unwrap();
    assert_eq!(recording.problems().unwrap(), Vec::<String>::new());
    assert!((recording.duration() - 8.0).abs() < 0.05);
    let video = recording.video().unwrap();
    assert_eq!(
        (video.width, video.height, video.frame_times.len()),
        (640, 180, 200)
    );
    assert!((video.longest_gap() - 0.04).abs() < 1e-3);

    let tiles = recording.tiles(&[LEFT, RIGHT]).unwrap();
    let sound = recording.sound().unwrap();
    assert_eq!(sound.clipped, 0);
    let flashes = tiles[0].flashes();
    assert_eq!(flashes.len(), 8);
    assert!((flashes[0] - 0.4).abs() < 1e-3);
    let found = offsets(&flashes, &sound.beeps(500.0));
    assert!(found.median_ms.abs() < 3.0, "{found:?}");
    assert_eq!((found.flashes_alone, found.beeps_alone), (0, 0));

    let found = offsets(&tiles[1].flashes(), &sound.beeps(1_100.0));
    assert!((found.median_ms - 40.0).abs() < 3.0, "{found:?}");
    assert!(found.p95_ms < 44.0);
    assert_eq!((found.flashes_alone, found.beeps_alone), (2, 0));
    assert_eq!(sound.beeps(1_700.0), Vec::<f64>::new());
}

#[test]
fn frozen_pictures_and_clipping_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let frozen = Publisher {
        frozen: 75..125,
        ..Publisher::new(500.0, 0.4, 0.0)
    };
    let moving = Publisher::new(1_100.0, 0.4, 0.0);
    let recording = Recording::open(&recording(folder.path(), &frozen, &moving, 3.0)).unwrap();
    let tiles = recording.tiles(&[LEFT, RIGHT]).unwrap();
    let stretches = tiles[0].frozen(0.5);
    assert_eq!(stretches.len(), 1, "{stretches:?}");
    assert!((stretches[0].start - 3.0).abs() < 0.05 && (stretches[0].end - 4.96).abs() < 0.05);
    assert_eq!(tiles[1].frozen(0.5), []);
    assert!(recording.sound().unwrap().clipped > 100);
    assert_eq!(tiles[1].labelled(), 0.0);
    assert_eq!(tiles[1].placeholders(), []);
}

#[test]
fn placeholders_labels_and_silence_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    // A grey disc on a dark area with white bars below, as a placeholder with a label.
    let filter = "color=c=0x232629:s=320x180:r=25:d=4,\
        drawbox=x=120:y=50:w=80:h=80:color=0x5b6b94:t=fill,\
        drawbox=x=12:y=156:w=60:h=12:color=0xffffff:t=fill,format=yuv420p[v];\
        aevalsrc='0.3*sin(2*PI*440*t)*lt(t,2)':s=48000:d=4,aformat=channel_layouts=stereo[a]";
    run_ffmpeg(
        folder.path(),
        &[
            "-v",
            "error",
            "-filter_complex",
            filter,
            "-map",
            "[v]",
            "-map",
            "[a]",
            "-ar",
            "48000",
            "-t",
            "4",
            "-profile:v",
            "high",
            "out.mp4",
        ],
    );
    let recording = Recording::open(&folder.path().join("out.mp4")).unwrap();
    let tile = recording.tile(LEFT).unwrap();
    assert_eq!(tile.placeholders().len(), 1);
    assert!(tile.placeholders()[0].seconds() > 3.8);
    assert_eq!(tile.labelled(), 1.0);
    let silences = recording.sound().unwrap().silences(0.5);
    assert_eq!(silences.len(), 1);
    assert!((silences[0].start - 2.0).abs() < 0.1, "{silences:?}");
    assert!(
        recording
            .problems()
            .unwrap()
            .iter()
            .any(|line| line.contains("after the media data"))
    );
}

#[test]
fn damaged_files_are_refused_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("nothing.mp4");
    fs::write(&nothing, b"no recording").unwrap();
    assert!(matches!(
        Recording::open(&nothing),
        Err(ContentError::Refused { .. })
    ));

    let publisher = Publisher::new(500.0, 0.4, 0.0);
    let good = recording(folder.path(), &publisher, &publisher, 1.0);
    let mut bytes = fs::read(&good).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0x55);
    let damaged = folder.path().join("damaged.mp4");
    fs::write(&damaged, bytes).unwrap();
    assert_ne!(
        Recording::open(&damaged).unwrap().problems().unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn likeness_is_1_for_equal_pictures_and_less_for_blurred_or_noisy_ones() {
    let publisher = Publisher::new(500.0, 10.0, 0.0);
    let pixels = (0..180 * 320)
        .map(|index| publisher.luma(1, index % 320, index / 320))
        .collect();
    let sharp = Luma {
        width: 320,
        height: 180,
        pixels,
    };
    assert!((ssim(&sharp, &sharp) - 1.0).abs() < 1e-9);
    let blurred = sharp.scaled(40, 24).scaled(320, 180);
    assert!(ssim(&sharp, &blurred) < 0.9);
    let steps = Luma {
        width: 3,
        height: 1,
        pixels: vec![0, 90, 180],
    };
    assert_eq!(steps.scaled(2, 2).pixels, [30, 150, 30, 150]);
    let crop = sharp.crop(Rect {
        x: 300,
        y: 170,
        width: 100,
        height: 100,
    });
    assert_eq!((crop.width, crop.height), (20, 10));
}
