//! `tapedeck render` by hand: another output of a capture log.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tapedeck_actors::Manifest;
use tapedeck_pipelines::control::{OutputFile, PROTOCOL_VERSION};
use tapedeck_pipelines::job::{GapStyle, OutputFormat, OutputSettings, RenderJob};
use tapedeck_pipelines::render::{RenderControl, render};

use super::{Place, refuse};
use crate::config::{Settings, load};
use crate::serve;

/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

/// What to render. Without arguments the process carries out a job of the server.
#[derive(Debug, Args)]
pub struct RenderOptions {
    /// The id of a recording, or its work or log folder. Without it, a job of the server comes on
    /// standard input
    #[arg(value_name = "ID|FOLDER", requires = "output")]
    recording: Option<String>,
    /// The file to make, which must not exist
    #[arg(long, value_name = "FILE", requires = "recording")]
    output: Option<PathBuf>,
    /// The kind of file [default: as recorded]
    #[arg(long, value_enum, requires = "recording")]
    format: Option<Format>,
    /// A WAV for each speaker besides, `FILE-identity.wav`
    #[arg(long, requires = "recording")]
    per_speaker: bool,
    /// An MP4 without picture
    #[arg(long, requires = "recording")]
    audio_only: bool,
    /// Pixels, even [default: as recorded]
    #[arg(long, requires = "recording")]
    width: Option<u32>,
    /// Pixels, even [default: as recorded]
    #[arg(long, requires = "recording")]
    height: Option<u32>,
    /// The most frames in a second [default: as recorded]
    #[arg(long, requires = "recording")]
    framerate: Option<u32>,
    /// Bits per second [default: as recorded]
    #[arg(long, requires = "recording")]
    video_bitrate: Option<u32>,
    /// What to show where nothing was captured [default: recording.gaps of the configuration]
    #[arg(long, value_enum, requires = "recording")]
    gaps: Option<Gaps>,
    /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
    #[arg(long, value_name = "FILE", requires = "recording")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Picture and sound
    Mp4,
    /// All sound for speech recognition: 16 kHz, one channel, 16 bits
    Wav,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Gaps {
    /// A notice and silence
    Notice,
    /// Nothing: the file jumps over it
    Cut,
}

/// Renders a capture log by hand, or carries out the job on standard input.
pub fn run(options: &RenderOptions) -> ExitCode {
    let (Some(recording), Some(output)) = (&options.recording, &options.output) else {
        return tapedeck_pipelines::render::run_job();
    };
    match by_hand(recording, output, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error),
    }
}

fn by_hand(recording: &str, output: &Path, options: &RenderOptions) -> Result<(), String> {
    let work = Place::work(recording, options.config.as_deref())?;
    if output.exists() {
        return Err(format!(
            "{} exists already: name another file",
            output.display()
        ));
    }
    let settings = load(options.config.as_deref())
        .map_err(|error| error.to_string())?
        .settings;
    let output = std::path::absolute(output).map_err(|error| error.to_string())?;
    let beside = output.parent().unwrap_or(Path::new("/"));
    let name = output.file_name().unwrap_or_default();
    // Of its own: the server may be rendering the same log.
    let folder = tempfile::Builder::new()
        .prefix(".tapedeck-render-")
        .tempdir_in(beside)
        .map_err(|error| format!("cannot write to {}: {error}", beside.display()))?;
    let log = match work.join("log") {
        log if log.is_dir() => log,
        _ => work.clone(),
    };
    symlink(&log, folder.path().join("log"))
        .map_err(|error| format!("cannot write to {}: {error}", folder.path().display()))?;
    let job = RenderJob {
        protocol: PROTOCOL_VERSION,
        recording_id: recording.to_owned(),
        room_name: String::new(),
        folder: folder.path().to_owned(),
        socket: None,
        output: folder.path().join(name),
        settings: looks(&work, &settings, options)?,
        lag_ms: settings.recording.render_lag_ms,
        log_is_final: true,
        gaps: match options.gaps {
            Some(Gaps::Notice) => GapStyle::Notice,
            Some(Gaps::Cut) => GapStyle::Cut,
            None => settings.recording.gaps,
        },
        poster: false,
    };
    let control = Arc::new(RenderControl::default());
    tell_progress(control.clone());
    let made = render(&job, &control).map_err(|error| error.to_string())?;
    for warning in control.snapshot().warnings {
        eprintln!("warning: {}: {}", warning.code, warning.message);
    }
    let further = control.snapshot().further_outputs;
    let files: Vec<(&OutputFile, PathBuf)> = further
        .iter()
        .chain([&made])
        .map(|file| (file, beside.join(file.path.file_name().unwrap_or_default())))
        .collect();
    if let Some((_, taken)) = files.iter().find(|(_, place)| place.exists()) {
        return Err(format!(
            "{} exists already: name another file",
            taken.display()
        ));
    }
    for (file, place) in files {
        fs::rename(&file.path, &place)
            .map_err(|error| format!("cannot write {}: {error}", place.display()))?;
        println!("{}", description(file, &place));
    }
    Ok(())
}

/// A finished file in a line.
fn description(file: &OutputFile, place: &Path) -> String {
    let size = match (file.width, file.height) {
        (0, 0) => String::new(),
        (width, height) => format!("{width}×{height}, "),
    };
    format!(
        "{}: {:.1} s, {size}{} bytes",
        place.display(),
        file.duration_ms as f64 / 1e3,
        file.size_bytes
    )
}

/// What the file looks like: as it was recorded, else as configured, but for what is asked for.
fn looks(
    work: &Path,
    settings: &Settings,
    options: &RenderOptions,
) -> Result<OutputSettings, String> {
    let recorded = fs::read(work.join("manifest.json"))
        .ok()
        .and_then(|json| serde_json::from_slice::<Manifest>(&json).ok())
        .map(|manifest| manifest.output);
    let mut looks = recorded.unwrap_or_else(|| serve::output_settings(settings));
    take_kind(options, &mut looks)?;
    let limits = &settings.limits;
    let canvas = &mut looks.canvas;
    for (name, wanted, bounds, value) in [
        ("--width", options.width, limits.width(), &mut canvas.width),
        (
            "--height",
            options.height,
            limits.height(),
            &mut canvas.height,
        ),
        (
            "--framerate",
            options.framerate,
            limits.framerate(),
            &mut canvas.frame_rate,
        ),
        (
            "--video-bitrate",
            options.video_bitrate,
            limits.video_bitrate(),
            &mut looks.video_bitrate,
        ),
    ] {
        if let Some(wanted) = wanted {
            bounds
                .check(wanted)
                .map_err(|reason| format!("{name} is {wanted}, {reason}"))?;
            *value = wanted;
        }
    }
    Ok(looks)
}

/// What kind of file is made: as it was recorded unless another is asked for.
fn take_kind(options: &RenderOptions, looks: &mut OutputSettings) -> Result<(), String> {
    if let Some(format) = options.format {
        let format = match format {
            Format::Mp4 => OutputFormat::Mp4,
            Format::Wav => OutputFormat::Wav,
        };
        if format != looks.format {
            (looks.per_speaker, looks.audio_only) = (false, false);
        }
        looks.format = format;
    }
    looks.per_speaker |= options.per_speaker;
    looks.audio_only |= options.audio_only;
    match looks.format {
        OutputFormat::Mp4 if looks.per_speaker => {
            Err("--per-speaker is possible with --format wav only".into())
        }
        OutputFormat::Wav if looks.audio_only => {
            Err("--audio-only is possible with --format mp4 only".into())
        }
        _ => Ok(()),
    }
}

/// Tells how far the render is for as long as the process lives.
fn tell_progress(control: Arc<RenderControl>) {
    thread::spawn(move || {
        loop {
            thread::sleep(PROGRESS_EVERY);
            eprintln!("{} s rendered", control.snapshot().position_ms / 1_000);
        }
    });
}
