//! An MP4 without picture.

use std::fs::File;
use std::path::Path;

use super::follower::Follower;
use super::mp4::{ResumePoint, resume_point};
use super::output::{AAC_FRAME, Encoder, Identity, OutputError, Target, verified};
use super::sound::{Quality, RATE, Stereo};
use super::sound_session::{SoundSession, SoundSink};
use super::{RenderControl, RenderError, identity};
use crate::job::RenderJob;

/// How long before what is missing sound is decoded, so that decoders and limiter are in the state
/// in which they were and the encoder has what it begins with, samples.
const APPROACH: u64 = 3 * RATE;
/// What is shorter is rendered anew, samples.
const WORTH_KEEPING: u64 = 3 * RATE;

/// Makes the fragmented file, going on from what an earlier render left of it if that fits.
///
/// # Errors
/// As [`super::render`].
pub fn make(job: &RenderJob, control: &RenderControl, path: &Path) -> Result<(), RenderError> {
    let log = job.folder.join("log");
    let folder = path.parent().unwrap_or(path);
    let mut keep_before_ns = u64::MAX;
    loop {
        let follower = Follower::open(&log, control, job.log_is_final, job.gaps)?;
        let identity = identity(job, follower.log());
        if keep_before_ns == u64::MAX && verified(path, &identity).is_ok_and(|found| found.complete)
        {
            return Ok(());
        }
        let point = earlier(path, &identity, keep_before_ns);
        let kept = point.as_ref().map_or(0, |point| point.sound_end.0);
        let target = match &point {
            Some(point) => {
                let seconds = kept / RATE;
                log::info!("goes on behind the {seconds} s that an earlier render made");
                Target::Behind { path, point }
            }
            None => Target::New {
                path,
                identity: &identity,
            },
        };
        let sink = EncodedSound {
            encoder: Encoder::new(&job.settings, None, target)?,
            kept,
        };
        let quality = Quality::Full;
        let session = SoundSession::new(job, control, follower, folder, quality, APPROACH, sink)?;
        let result = session.run().and_then(|(sink, samples)| {
            // A file of nothing would be none.
            Ok(sink.encoder.finish(samples.max(AAC_FRAME))?)
        });
        match result {
            Err(RenderError::Output(OutputError::Different)) if kept > 0 => {
                log::warn!("begins anew: the encoder codes differently from before");
                keep_before_ns = 0;
            }
            Err(RenderError::Kept) if kept > 0 => {
                log::warn!("goes back: the log ends before what an earlier render left");
                keep_before_ns = (u128::from(kept) * 1_000_000_000 / u128::from(RATE)) as u64;
            }
            result => return result,
        }
    }
}

/// What can be kept of an earlier render's file.
fn earlier(path: &Path, identity: &Identity, before_ns: u64) -> Option<ResumePoint> {
    // Whatever cannot be read is made anew.
    let found = verified(path, identity).ok()?;
    let file = File::open(path).ok()?;
    let point = resume_point(path, &file, found.length, 0, before_ns).ok()??;
    let (samples, timescale) = point.sound_end;
    let fits = u64::from(timescale) == RATE && samples.is_multiple_of(AAC_FRAME);
    (fits && samples >= WORTH_KEEPING).then_some(point)
}

/// Sound on its way into the file.
struct EncodedSound {
    encoder: Encoder,
    /// Samples of an earlier render.
    kept: u64,
}

impl SoundSink for EncodedSound {
    fn missing_from(&self) -> u64 {
        self.kept
    }

    fn write(
        &mut self,
        position: u64,
        mix: &[Stereo],
        _voices: &[&[Stereo]],
    ) -> Result<(), RenderError> {
        Ok(self.encoder.sound(position, mix)?)
    }

    fn bytes(&self) -> u64 {
        self.encoder.bytes()
    }
}
