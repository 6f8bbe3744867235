//! WAV files as other programs read them.

use std::path::Path;
use std::process::Command;

/// Samples in a second.
const RATE: f64 = 16_000.0;
/// Bytes of the header.
const HEADER: usize = 44;

/// Seconds that Python's `wave`, ffprobe and sox find in a file, which must be the same. One that
/// grows meanwhile must be copied before.
///
/// # Panics
/// They differ, one of them complains, or it is no WAV for speech recognition.
pub fn wav_seconds(path: &Path) -> f64 {
    let script = "import sys, wave; w = wave.open(sys.argv[1]); n = w.getnframes(); \
                  assert (w.getnchannels(), w.getsampwidth(), w.getframerate()) == (1, 2, 16000); \
                  assert len(w.readframes(n)) == 2 * n; print(n / 16000)";
    let by_python = seconds(Command::new("python3").args(["-c", script]).arg(path));
    let entries = "-v warning -show_entries stream=duration -of csv=p=0";
    let by_ffprobe = seconds(Command::new("ffprobe").args(entries.split(' ')).arg(path));
    let by_sox = seconds(Command::new("soxi").arg("-D").arg(path));
    for by_other in [by_ffprobe, by_sox] {
        assert!(
            (by_other - by_python).abs() < 0.001,
            "python {by_python}, ffprobe {by_ffprobe}, sox {by_sox}"
        );
    }
    by_python
}

/// What a program prints as its only word.
fn seconds(command: &mut Command) -> f64 {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    let told = String::from_utf8_lossy(&output.stdout);
    told.trim().parse().expect("a number of seconds")
}

/// The samples of a WAV, 1 for full scale.
pub fn wav_samples(wav: &[u8]) -> Vec<f32> {
    let (pairs, _) = wav.get(HEADER..).unwrap_or_default().as_chunks::<2>();
    let samples = pairs.iter().map(|pair| i16::from_le_bytes(*pair));
    samples.map(|sample| f32::from(sample) / 32_768.0).collect()
}

/// The amplitude of a tone in samples.
pub fn amplitude(samples: &[f32], pitch: f64) -> f64 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let angle = std::f64::consts::TAU * pitch * index as f64 / RATE;
        sine += f64::from(*sample) * angle.sin();
        cosine += f64::from(*sample) * angle.cos();
    }
    2.0 * f64::hypot(sine, cosine) / samples.len() as f64
}
