use std::path::Path;
use std::process::Command;

use crate::layout::Rect;

/// A finished file, decoded by ffmpeg.
pub struct Decoded {
    width: usize,
    pub profile: String,
    /// Time in s and luma of each picture.
    pub pictures: Vec<(f64, Vec<u8>)>,
    /// Left channel, 48 kHz, from file time 0.
    pub sound: Vec<f32>,
}

impl Decoded {
    /// Decodes; panics if a tool says anything.
    pub fn of(path: &Path) -> Self {
        Self {
            sound: sound_of(path),
            ..Self::of_video(path)
        }
    }

    /// Likewise a file without a picture.
    pub fn of_sound(path: &Path) -> Self {
        Self {
            width: 0,
            profile: String::new(),
            pictures: Vec::new(),
            sound: sound_of(path),
        }
    }

    /// Likewise a file without sound.
    pub fn of_video(path: &Path) -> Self {
        let size = probe(path, "stream=width,height", "v:0");
        let mut sides = size
            .lines()
            .next()
            .unwrap()
            .split(',')
            .map(|side| side.parse().unwrap());
        let (width, height): (usize, usize) = (sides.next().unwrap(), sides.next().unwrap());
        let profile = probe(path, "stream=profile", "v:0")
            .trim()
            .trim_end_matches(',')
            .to_owned();
        let times: Vec<f64> = probe(path, "frame=pts_time", "v:0")
            .lines()
            .map(|line| line.trim_end_matches(','))
            .filter(|line| !line.is_empty())
            .map(|line| line.parse().unwrap())
            .collect();
        let luma = ffmpeg(
            path,
            &[
                "-map",
                "0:v",
                "-fps_mode",
                "passthrough",
                "-enc_time_base",
                "1:90000",
                "-f",
                "rawvideo",
                "-pix_fmt",
                "gray",
            ],
        );
        let frames: Vec<&[u8]> = luma.chunks_exact(width * height).collect();
        assert_eq!(frames.len(), times.len(), "every frame decodes");
        let pictures = times
            .into_iter()
            .zip(frames.into_iter().map(<[u8]>::to_vec))
            .collect();
        Self {
            width,
            profile,
            pictures,
            sound: Vec::new(),
        }
    }

    /// Mean luma of the middle of a tile in each picture, with its time.
    pub fn brightness(&self, tile: Rect) -> Vec<(f64, f64)> {
        let [left, width] = [tile.x + tile.width / 4, tile.width / 2].map(|side| side as usize);
        let [top, height] = [tile.y + tile.height / 4, tile.height / 2].map(|side| side as usize);
        let mean = |picture: &[u8]| {
            let rows = picture.chunks_exact(self.width).skip(top).take(height);
            let sum: u64 = rows
                .flat_map(|row| &row[left..left + width])
                .map(|&value| u64::from(value))
                .sum();
            sum as f64 / (width * height) as f64
        };
        self.pictures
            .iter()
            .map(|(time, picture)| (*time, mean(picture)))
            .collect()
    }

    /// When a tile turns white, s.
    pub fn flashes(&self, tile: Rect) -> Vec<f64> {
        let brightness = self.brightness(tile);
        brightness
            .windows(2)
            .filter(|pair| pair[0].1 < 190.0 && pair[1].1 >= 190.0)
            .map(|pair| pair[1].0)
            .collect()
    }

    /// When a tone of a pitch begins, s.
    pub fn beeps(&self, pitch: f32) -> Vec<f64> {
        const HOP: usize = 96;
        const WINDOW: usize = 480;
        let power: Vec<f32> = (0..self.sound.len().saturating_sub(WINDOW) / HOP)
            .map(|hop| goertzel(&self.sound[hop * HOP..hop * HOP + WINDOW], pitch))
            .collect();
        let loudest = power.iter().copied().fold(0.0, f32::max);
        // The window is half full of the tone when a quarter of its power is reached.
        power
            .windows(2)
            .enumerate()
            .filter(|(_, pair)| pair[0] < loudest / 4.0 && pair[1] >= loudest / 4.0)
            .map(|(hop, _)| ((hop + 1) * HOP + WINDOW / 2) as f64 / 48_000.0)
            .fold(Vec::new(), |mut starts: Vec<f64>, start| {
                if starts.last().is_none_or(|last| start - last > 0.3) {
                    starts.push(start);
                }
                starts
            })
    }

    /// Sound after picture for each flash of a tile that has its beep, ms.
    pub fn offsets(&self, tile: Rect, pitch: f32, from: f64) -> Vec<f64> {
        let beeps = self.beeps(pitch);
        self.flashes(tile)
            .into_iter()
            .filter(|flash| *flash >= from)
            .filter_map(|flash| {
                let nearest = beeps
                    .iter()
                    .map(|beep| beep - flash)
                    .min_by(|one, other| one.abs().total_cmp(&other.abs()))?;
                (nearest.abs() < 0.4).then_some(nearest * 1_000.0)
            })
            .collect()
    }
}

/// The sound of a file, 48 kHz, the left of two channels.
pub fn sound_of(path: &Path) -> Vec<f32> {
    ffmpeg(
        path,
        &["-map", "0:a", "-f", "f32le", "-ar", "48000", "-ac", "2"],
    )
    .chunks_exact(8)
    .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    .collect()
}

fn goertzel(window: &[f32], pitch: f32) -> f32 {
    let step = std::f32::consts::TAU * pitch / 48_000.0;
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (index, value) in window.iter().enumerate() {
        real += value * (step * index as f32).cos();
        imaginary += value * (step * index as f32).sin();
    }
    real * real + imaginary * imaginary
}

fn probe(path: &Path, entries: &str, stream: &str) -> String {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "warning",
            "-select_streams",
            stream,
            "-show_entries",
            entries,
        ])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe is needed: apt-get install ffmpeg");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "ffprobe complains"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn ffmpeg(path: &Path, options: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-i"])
        .arg(path)
        .args(options)
        .arg("-")
        .output()
        .expect("ffmpeg is needed: apt-get install ffmpeg");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "ffmpeg complains"
    );
    output.stdout
}

pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
