//! WAV: all sound mixed for speech recognition, 16 kHz, one channel, 16 bits, and if wanted each
//! speaker besides. Files can be read while they grow; a render that is started again goes on where
//! what it makes is the same to the bit as what is there.

mod file;
mod finish;
mod header;
mod kept;
mod sequence;
mod sink;
mod speakers;

use std::path::Path;

use super::follower::Follower;
use super::output::OutputError;
use super::sound::Quality;
use super::sound_session::SoundSession;
use super::{RenderControl, RenderError, identity};
use crate::control::OutputFile;
use crate::job::RenderJob;
use sequence::Part;
use sink::WavSink;

/// Bytes of a sample.
const SAMPLE_BYTES: u64 = 2;
/// Samples per second.
const RATE: u64 = Quality::Speech.rate();
/// Samples in a file at most: sizes beyond 2 GiB are negative to some programs.
pub const MOST_SAMPLES: u64 = ((2 << 30) - (1 << 20)) / SAMPLE_BYTES;
/// How long before what is missing sound is decoded at first, samples. Where that was not enough
/// for decoders to be in the state in which they were, it is tried from further back.
const APPROACH: u64 = 4 * RATE;
const FURTHER: u64 = 16;
/// What is made anew where a log ends before what was made of it, samples.
const STEP_BACK: u64 = 3 * RATE;

/// Renders the log of a job to `job.output` and files beside it, no longer than `most` samples
/// each. Tells of the further ones in the control's snapshot.
///
/// # Errors
/// As [`super::render`].
pub fn render(
    job: &RenderJob,
    control: &RenderControl,
    folder: &Path,
    most: u64,
) -> Result<OutputFile, RenderError> {
    let parts = make(job, control, folder, most)?;
    let mut files = finish::finish(&parts, &job.output)?;
    if let Err(error) = kept::forget(folder) {
        log::warn!("cannot clear {}: {error}", folder.display());
    }
    let main = files.remove(0);
    control.update(false, |snapshot| snapshot.further_outputs = files);
    Ok(main)
}

/// Makes the files; those of the mix come first.
fn make(
    job: &RenderJob,
    control: &RenderControl,
    folder: &Path,
    most: u64,
) -> Result<Vec<Part>, RenderError> {
    let log = job.folder.join("log");
    let (mut keep, mut approach) = (u64::MAX, APPROACH);
    loop {
        let follower = Follower::open(&log, control, job.log_is_final, job.gaps)?;
        let identity = identity(job, follower.log());
        let sink = WavSink::open(
            folder,
            &identity,
            job.settings.per_speaker,
            most,
            keep,
            control,
        )
        .map_err(|source| RenderError::Folder {
            path: folder.into(),
            source,
        })?;
        let kept = sink.kept();
        if kept > 0 {
            log::info!(
                "goes on behind the {} s that an earlier render made",
                kept / RATE
            );
        }
        let quality = Quality::Speech;
        let session = SoundSession::new(job, control, follower, folder, quality, approach, sink)?;
        match session.run() {
            Ok((sink, _)) => return Ok(sink.parts()),
            Err(RenderError::Output(OutputError::Different)) if kept > 0 => {
                if approach < kept {
                    log::info!("goes further back: the sound is not the same yet");
                    approach = approach.saturating_mul(FURTHER);
                } else {
                    log::warn!("begins anew: what an earlier render made is different");
                    keep = 0;
                }
            }
            Err(RenderError::Kept) if kept > 0 => {
                log::warn!("goes back: the log ends before what an earlier render made");
                keep = kept.saturating_sub(STEP_BACK);
            }
            Err(error) => return Err(error),
        }
    }
}
