//! Whole renders of synthetic recordings.

mod audio_only;
mod damage;
mod drift;
mod exported;
mod file;
mod gaps;
mod left_out;
mod material;
mod pauses;
mod resumed;
mod room;
mod sound;
mod stills;
mod wav;

use std::path::Path;

use super::testing::{Decoded, RoomLog, job, median, percentile};
use super::{RenderControl, render};
use crate::control::{OutputFile, RenderState};
use crate::job::RenderJob;
use crate::layout::{Rect, arrange};

fn tile(index: usize, of: usize) -> Rect {
    arrange(640, 360, of, 0).participants[index]
}

fn rendered(log: &RoomLog, end_ms: u64) -> (Decoded, OutputFile) {
    let folder = tempfile::tempdir().unwrap();
    log.write(folder.path(), end_ms);
    render_in(folder.path())
}

fn render_in(folder: &Path) -> (Decoded, OutputFile) {
    render_job(&job(folder))
}

fn render_job(job: &RenderJob) -> (Decoded, OutputFile) {
    let control = RenderControl::default();
    let output = render(job, &control).unwrap();
    assert_eq!(control.snapshot().state, RenderState::Finished);
    if let Ok(kept) = std::env::var("TAPEDECK_KEEP_RENDERS") {
        let name = std::thread::current()
            .name()
            .unwrap_or("render")
            .replace("::", "-");
        std::fs::copy(&output.path, Path::new(&kept).join(format!("{name}.mp4"))).unwrap();
    }
    (Decoded::of(&output.path), output)
}

fn assert_in_sync(decoded: &Decoded, tile: Rect, pitch: f32, from: f64, count: usize) {
    let offsets = decoded.offsets(tile, pitch, from);
    assert!(
        offsets.len() >= count,
        "{} flashes with a beep: {offsets:?}",
        offsets.len()
    );
    let magnitudes: Vec<f64> = offsets.iter().map(|offset| offset.abs()).collect();
    println!(
        "median {:.1} ms, p95 {:.1} ms",
        median(&offsets),
        percentile(&magnitudes, 0.95)
    );
    assert!(median(&offsets).abs() < 25.0, "{offsets:?}");
    assert!(percentile(&magnitudes, 0.95) < 45.0, "{offsets:?}");
}
