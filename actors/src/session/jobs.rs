//! The jobs of a recording's processes.

use std::io;

use tapedeck_pipelines::control::{PROTOCOL_VERSION, Role};
use tapedeck_pipelines::job::{CaptureJob, CaptureLimits, LogSettings, RenderJob, Source};

use crate::folder::DataFolder;
use crate::process::{Launch, subcommand};
use crate::{Manifest, RecorderSettings};

/// The start of a capture process.
///
/// # Errors
/// The job cannot be written as JSON.
pub fn capture(
    manifest: &Manifest,
    source: Source,
    settings: &RecorderSettings,
    folder: &DataFolder,
) -> io::Result<Launch> {
    let sync_interval_ms = u64::try_from(settings.sync_interval.as_millis()).unwrap_or(u64::MAX);
    let job = CaptureJob {
        protocol: PROTOCOL_VERSION,
        recording_id: manifest.id.clone(),
        room_name: manifest.room_name.clone(),
        folder: folder.work(&manifest.id),
        socket: folder.socket(&manifest.id, Role::Capture),
        source,
        canvas: manifest.output.canvas,
        video: manifest.output.has_picture(),
        limits: CaptureLimits {
            max_duration_ms: manifest.max_duration_ms,
            ..settings.limits
        },
        log: LogSettings {
            sync_interval_ms,
            ..LogSettings::default()
        },
    };
    launch(Role::Capture, manifest, &job, settings, folder)
}

/// The start of a render process.
///
/// # Errors
/// The job cannot be written as JSON.
pub fn render(
    manifest: &Manifest,
    log_is_final: bool,
    settings: &RecorderSettings,
    folder: &DataFolder,
) -> io::Result<Launch> {
    let job = RenderJob {
        protocol: PROTOCOL_VERSION,
        recording_id: manifest.id.clone(),
        room_name: manifest.room_name.clone(),
        folder: folder.work(&manifest.id),
        socket: Some(folder.socket(&manifest.id, Role::Render)),
        output: folder.output(&manifest.id, manifest.output.format),
        settings: manifest.output.clone(),
        lag_ms: settings.render_lag_ms,
        log_is_final,
        gaps: settings.gaps,
        poster: true,
    };
    launch(Role::Render, manifest, &job, settings, folder)
}

fn launch(
    role: Role,
    manifest: &Manifest,
    job: &impl serde::Serialize,
    settings: &RecorderSettings,
    folder: &DataFolder,
) -> io::Result<Launch> {
    Ok(Launch {
        subcommand: subcommand(role),
        executable: settings.executable.clone(),
        folder: folder.work(&manifest.id),
        job: Launch::job(job)?,
    })
}
