//! The pictures that a camera sent, decoded.

use std::fs;
use std::process::Command;

use harness::content::Luma;
use harness::media::{VideoFormat, VideoLoop};

use crate::run::BenchError;

/// Decodes the loop that a camera repeats.
///
/// # Errors
/// ffmpeg is missing or gives up.
pub fn pictures(format: VideoFormat) -> Result<Vec<Luma>, BenchError> {
    let folder = tempfile::tempdir().map_err(BenchError::Files)?;
    let file = folder.path().join("loop.ivf");
    let video = VideoLoop::get(format)?;
    fs::write(&file, ivf(&video)).map_err(BenchError::Files)?;
    let decoded = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(&file)
        .args([
            "-fps_mode",
            "passthrough",
            "-vf",
            "extractplanes=y",
            "-pix_fmt",
            "gray",
        ])
        .args(["-f", "rawvideo", "pipe:1"])
        .output()
        .map_err(BenchError::Ffmpeg)?;
    let (width, height) = (format.width as usize, format.height as usize);
    let pictures = decoded.stdout.chunks_exact(width * height);
    Ok(pictures
        .map(|pixels| Luma {
            width,
            height,
            pixels: pixels.to_vec(),
        })
        .collect())
}

/// VP8 frames in the simplest container that ffmpeg reads.
fn ivf(video: &VideoLoop) -> Vec<u8> {
    let VideoFormat {
        width,
        height,
        frame_rate,
        ..
    } = video.format;
    let mut out = b"DKIF\0\0\x20\0VP80".to_vec();
    out.extend((width as u16).to_le_bytes());
    out.extend((height as u16).to_le_bytes());
    for field in [frame_rate, 1, video.frames.len() as u32, 0] {
        out.extend(field.to_le_bytes());
    }
    for (index, frame) in video.frames.iter().enumerate() {
        out.extend((frame.data.len() as u32).to_le_bytes());
        out.extend((index as u64).to_le_bytes());
        out.extend(&*frame.data);
    }
    out
}
