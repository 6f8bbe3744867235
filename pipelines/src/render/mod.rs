//! The render process: follows the capture log and makes the output.
//!
//! The render is a function of the log: rendered again, the same picture, sound and times come
//! out. It stays a little behind the live edge, so that late packets and sender reports are known
//! when their time comes, and never drops anything for want of time.

pub mod export;
pub mod labels;
pub mod mp4;

mod audio_only;
mod control;
mod decode;
mod elements;
mod follower;
mod hearing;
mod leaps;
mod observed;
mod output;
mod picture;
mod process;
mod room;
mod seam;
mod session;
mod sound;
mod sound_session;
mod stills;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeline;
mod warnings;
mod wav;

pub use control::RenderControl;
pub use elements::missing_elements;
pub use process::run_job;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;

use crate::control::{OutputFile, RenderState};
use crate::job::{OutputFormat, RenderJob};
use crate::log::LogError;
use output::Identity;

/// Media are not placed earlier than this before their arrival, ns: what the log tells of a
/// track's clock must be known by then.
const HOLD_NS: i64 = 1_000_000_000;

/// Why a recording was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the job is of protocol {0}, newer than this program: start the program that sent it")]
    Protocol(u32),
    #[error("cannot use GStreamer: {0}")]
    Framework(String),
    #[error("cannot read the capture log: {0}")]
    Log(#[from] LogError),
    #[error("cannot use the folder {path}: {source}")]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot listen on {path}: {source}")]
    Socket {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Picture(#[from] picture::PictureError),
    #[error(transparent)]
    Output(#[from] output::OutputError),
    #[error("the log ends before what an earlier render made of it")]
    Kept,
    #[error("cannot finish the file: {0}")]
    Finalise(#[from] mp4::Mp4Error),
}

impl RenderError {
    /// Whether more room on the disk is all that it takes.
    fn is_of_a_full_disk(&self) -> bool {
        let causes =
            std::iter::successors(Some(self as &(dyn std::error::Error + 'static)), |error| {
                error.source()
            });
        let is_full = |error: &std::io::Error| {
            use std::io::ErrorKind::{QuotaExceeded, StorageFull};
            matches!(error.kind(), StorageFull | QuotaExceeded)
        };
        let mut io_errors = causes.filter_map(|error| error.downcast_ref());
        matches!(self, Self::Finalise(mp4::Mp4Error::NoSpace { .. })) || io_errors.any(is_full)
    }
}

/// Renders the log in `job.folder` to `job.output`, following it until it ends. Blocking. Goes on
/// from what an earlier render of the same log with the same settings left unfinished; anything
/// else is written over.
///
/// # Errors
/// The log cannot be read, the encoders fail, or the output cannot be written. The log is never
/// touched: the render can always be repeated.
pub fn render(job: &RenderJob, control: &RenderControl) -> Result<OutputFile, RenderError> {
    let result = render_to_file(job, control);
    match &result {
        Ok(output) => control.update(true, |snapshot| {
            snapshot.state = RenderState::Finished;
            snapshot.lag_ms = 0;
            snapshot.output = Some(output.clone());
        }),
        Err(error) => tell_failure(control, error),
    }
    result
}

fn tell_failure(control: &RenderControl, error: &RenderError) {
    control.update(true, |snapshot| {
        snapshot.state = RenderState::Failed;
        snapshot.failure = Some(error.to_string());
        snapshot.disk_full = error.is_of_a_full_disk();
    });
}

fn render_to_file(job: &RenderJob, control: &RenderControl) -> Result<OutputFile, RenderError> {
    if job.protocol > crate::control::PROTOCOL_VERSION {
        return Err(RenderError::Protocol(job.protocol));
    }
    gst::init().map_err(|error| RenderError::Framework(error.to_string()))?;
    let folder = job.folder.join("render");
    make_folder(&folder)?;
    if let Some(parent) = job.output.parent() {
        make_folder(parent)?;
    }
    match job.settings.format {
        OutputFormat::Mp4 => render_mp4(job, control, &folder),
        OutputFormat::Wav => wav::render(job, control, &folder, wav::MOST_SAMPLES),
    }
}

fn render_mp4(
    job: &RenderJob,
    control: &RenderControl,
    folder: &Path,
) -> Result<OutputFile, RenderError> {
    let fragmented = folder.join("part.mp4");
    if job.settings.audio_only {
        audio_only::make(job, control, &fragmented)?;
    } else {
        session::make(job, control, &fragmented)?;
    }
    if job.poster && !job.settings.audio_only {
        deliver_pictures(job, control, folder);
    }
    let summary = mp4::finalise(&fragmented, &job.output)?;
    tapedeck_failpoints::reached("finalise.done");
    // It can be rendered again, and the finished file takes as much space.
    let removed = std::fs::remove_file(&fragmented).and(output::remove_index(&fragmented));
    if let Err(error) = removed {
        log::warn!("cannot remove {}: {error}", fragmented.display());
    }
    Ok(OutputFile {
        path: job.output.clone(),
        size_bytes: summary.size,
        duration_ms: milliseconds(summary.duration),
        sha256: hexadecimal(&summary.sha256),
        width: summary.width,
        height: summary.height,
        suffix: String::new(),
    })
}

/// A recording is finished without its pictures, too.
fn deliver_pictures(job: &RenderJob, control: &RenderControl, folder: &Path) {
    match stills::deliver(folder, &job.output) {
        Ok(pictures) => control.update(false, |snapshot| snapshot.further_outputs = pictures),
        Err(error) => {
            let message = format!("the recording's pictures cannot be written: {error}");
            control.warn("still_missing", "poster", message);
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that a file depends on.
fn identity(job: &RenderJob, (recording, started_wall_ns): (&str, i64)) -> Identity {
    Identity::from_text(&format!(
        "{} {recording} {started_wall_ns} {:?} {:?} {}",
        env!("CARGO_PKG_VERSION"),
        job.settings,
        job.gaps,
        job.lag_ms
    ))
}

fn make_folder(path: &Path) -> Result<(), RenderError> {
    std::fs::create_dir_all(path).map_err(|source| RenderError::Folder {
        path: path.into(),
        source,
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from((duration.as_nanos() + 500_000) / 1_000_000).unwrap_or(u64::MAX)
}
