//! What is in a finished recording: whether it plays everywhere, and what is seen and heard when.
//!
//! Publishers flash white and beep at their own pitch at the same moments (see [`crate::media`]);
//! the checker finds both again in the file, tile by tile and pitch by pitch. ffmpeg decodes here,
//! so that a file is not judged by what wrote it. All times are in
//! seconds of the file. The calls block: inside a runtime use `spawn_blocking`.
//!
//! ```no_run
//! use harness::content::{Recording, after, offsets};
//! use tapedeck_pipelines::layout::arrange;
//!
//! let recording = Recording::open("out.mp4".as_ref())?;
//! assert_eq!(recording.problems()?, Vec::<String>::new());
//! let places = arrange(1280, 720, 2, 0).participants;
//! let tiles = recording.tiles(&places)?;
//! let sound = recording.sound()?;
//! let offsets = offsets(&after(5.0, &tiles[0].flashes()), &after(5.0, &sound.beeps(400.0)));
//! assert!(offsets.median_ms.abs() < 25.0);
//! # Ok::<(), harness::content::ContentError>(())
//! ```

mod decode;
mod luma;
mod probe;
mod recording;
mod wav;

#[cfg(test)]
mod tests;

pub use luma::{Luma, ssim};
pub use probe::{AudioStream, VideoStream};
pub use recording::Recording;
pub use testcard::content::{Offsets, Sound, Stretch, Tile, TileFrame, after, offsets};
pub use wav::{amplitude, wav_samples, wav_seconds};

/// Why a recording could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The program is missing or could not be run.
    #[error("cannot run {program}: {source}; `apt-get install ffmpeg` brings it")]
    Run {
        program: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// The program could not make sense of the file.
    #[error("{program} refuses {path}: {detail}")]
    Refused {
        program: &'static str,
        path: std::path::PathBuf,
        detail: String,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// There is no such stream.
    #[error("{path} has no {kind} stream")]
    Missing {
        path: std::path::PathBuf,
        kind: &'static str,
    },
}
