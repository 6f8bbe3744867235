//! The table and the JSON.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use tapedeck_pipelines::job::OutputFormat;

use crate::run::CaseResult;

/// A column: its heading and what it shows.
type Column = (&'static str, fn(&CaseResult) -> String);

const COLUMNS: [Column; 15] = [
    ("publishers", |result| result.case.publishers.to_string()),
    ("picture", |result| match result.case.format {
        OutputFormat::Mp4 => format!("{:?}", result.case.picture).to_lowercase(),
        OutputFormat::Wav => "WAV".into(),
    }),
    ("up to/s", |result| result.case.rate.to_string()),
    ("frames/s", |result| format!("{:.1}", result.frame_rate)),
    ("capture CPU", |result| format!("{:.3}", result.capture.cpu)),
    ("render CPU", |result| format!("{:.3}", result.render.cpu)),
    ("both", |result| {
        format!("{:.3}", result.capture.cpu + result.render.cpu)
    }),
    ("capture MB", |result| megabytes(result.capture.pss_bytes)),
    ("render MB", |result| megabytes(result.render.pss_bytes)),
    ("capture thr", |result| result.capture.threads.to_string()),
    ("render thr", |result| result.render.threads.to_string()),
    ("first frame ms", |result| {
        format!("{:.0}", result.first_frame_ms)
    }),
    ("stop ms", |result| format!("{:.0}", result.stop_ms)),
    ("kbit/s", |result| {
        format!("{:.0}", result.video_bitrate / 1e3)
    }),
    ("SSIM", |result| {
        let mean = result.ssim.map(|ssim| format!("{:.3}", ssim.mean));
        mean.unwrap_or_default()
    }),
];

/// The names of the columns.
pub fn heading() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let line: Vec<String> = names.iter().map(|name| "-".repeat(name.len())).collect();
    format!("| {} |\n| {} |", names.join(" | "), line.join(" | "))
}

/// One case, as wide as the heading.
pub fn row(result: &CaseResult) -> String {
    let cells: Vec<String> = COLUMNS
        .iter()
        .map(|(name, show)| format!("{:>width$}", show(result), width = name.len()))
        .collect();
    format!("| {} |", cells.join(" | "))
}

/// What the figures mean.
pub fn legend() -> &'static str {
    "CPU: seconds of CPU per recorded second, 1.0 is one core. MB: greatest proportional set size. \
     first frame: from sending POST /recordings/start to the first captured frame. stop: from \
     sending POST /recordings/stop to the delivered file. SSIM: recording against the published \
     frames, 1 is the same. The rate of the output follows the cameras."
}

/// Writes all figures, with what the machine is.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, results: &[CaseResult]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "machine": { "processor": processor(), "cores": cores },
        "results": results,
    });
    fs::write(path, serde_json::to_vec_pretty(&document)?)
}

/// The processor's name as Linux tells it; empty if it does not.
fn processor() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = information
        .lines()
        .find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or(String::new(), |(_, name)| name.trim().to_owned())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}
