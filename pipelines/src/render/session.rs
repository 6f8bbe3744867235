use std::path::Path;
use std::time::Duration;

use super::decode::{DecodeError, DecodeWorker, Hands, Suspects, Task};
use super::follower::Follower;
use super::hearing::{decode, pass_over};
use super::observed::Observed;
use super::output::{Encoder, OutputError, Target, verified};
use super::picture::{Compositor, VideoTrack};
use super::room::Room;
use super::seam::Seam;
use super::sound::{Limiter, Quality, RATE, Stereo};
use super::stills::Stills;
use super::timeline::{Placing, Rhythm, SLOTS_PER_PICTURE};
use super::warnings::{warn_damage, warn_decoder, warn_left_out, warn_too_large, warn_unsupported};
use super::{RenderControl, RenderError, identity};
use crate::control::RenderState;
use crate::job::RenderJob;

/// How far sound is ahead of the picture on the way to the encoders, ns. The muxer waits for both:
/// without a lead it can wait for sound while the pictures wait for it.
const SOUND_LEAD_NS: u64 = 100_000_000;
/// How long a decoder may take for what one picture needs before it is given up.
const DECODER_PATIENCE: Duration = Duration::from_secs(20);
/// How long before the place where a render goes on sound is decoded and mixed, so that decoders
/// and limiter are in the state in which they would be, samples.
const SOUND_APPROACH: u64 = 2 * RATE;

/// Samples by which the mix has to be ahead of what is encoded.
const LOOKAHEAD: u64 = Limiter::lookahead(Quality::Full);

/// Makes the fragmented file, going on from what an earlier render left of it if that fits.
///
/// # Errors
/// As [`super::render`].
pub fn make(job: &RenderJob, control: &RenderControl, path: &Path) -> Result<(), RenderError> {
    let mut keep_before_ns = u64::MAX;
    loop {
        let Some(session) = Session::new(job, control, path, keep_before_ns)? else {
            log::info!("the file was complete but for its index");
            return Ok(());
        };
        let seam_ns = session.seam_ns();
        match (session.run(), seam_ns) {
            (Err(RenderError::Output(OutputError::Different)), Some(_)) => {
                log::warn!("begins anew: the encoders code differently from before");
                keep_before_ns = 0;
            }
            (Err(RenderError::Kept), Some(seam_ns)) => {
                log::warn!("goes back: the log ends before what an earlier render left");
                keep_before_ns = seam_ns;
            }
            (result, _) => return result,
        }
    }
}

/// Turns a log into a fragmented MP4, one slot of the time grid after the other.
pub struct Session<'a> {
    job: &'a RenderJob,
    control: &'a RenderControl,
    follower: Follower<'a>,
    room: Room,
    compositor: Compositor,
    encoder: Encoder,
    /// Up to where everything is passed over, as an earlier render made it.
    seam: Option<Seam>,
    worker: DecodeWorker,
    rhythm: Rhythm,
    limiter: Limiter,
    /// Samples mixed so far.
    mixed: u64,
    /// The scene has changed since the last picture.
    rearranged: bool,
    /// The slot of the last encoded picture.
    encoded: Option<u64>,
    stills: Stills,
    observed: Observed,
}

impl<'a> Session<'a> {
    /// Opens the log and starts the encoders. Of an earlier render's file that fits, what lies
    /// before `keep_before_ns` is kept; nothing to do if it is complete.
    fn new(
        job: &'a RenderJob,
        control: &'a RenderControl,
        path: &Path,
        keep_before_ns: u64,
    ) -> Result<Option<Self>, RenderError> {
        let canvas = job.settings.canvas;
        let follower =
            Follower::open(&job.folder.join("log"), control, job.log_is_final, job.gaps)?;
        let compositor = Compositor::new(canvas.width, canvas.height)?;
        let identity = identity(job, follower.log());
        if keep_before_ns == u64::MAX && verified(path, &identity).is_ok_and(|found| found.complete)
        {
            return Ok(None);
        }
        let folder = path.parent().unwrap_or(path);
        let (suspects, hands) = Suspects::read(folder).map_err(|source| RenderError::Folder {
            path: folder.into(),
            source,
        })?;
        let rhythm = Rhythm::new(canvas.frame_rate);
        let seam = Seam::find(path, &identity, &rhythm, keep_before_ns);
        let target = match &seam {
            Some(seam) => {
                let seconds = rhythm.time_of(seam.slot) / 1_000_000_000;
                log::info!("goes on behind the {seconds} s that an earlier render made");
                let point = &seam.point;
                Target::Behind { path, point }
            }
            None => Target::New {
                path,
                identity: &identity,
            },
        };
        let encoder = Encoder::new(&job.settings, Some(compositor.canvas()), target)?;
        let stills = Stills::new(
            &job.folder,
            folder,
            job.settings.thumbnail_interval_s,
            seam.is_some(),
        );
        Ok(Some(Self {
            job,
            control,
            follower,
            room: Room::new(suspects),
            compositor,
            encoder,
            seam,
            worker: DecodeWorker::new(DECODER_PATIENCE, Hands::new(&hands)),
            rhythm,
            limiter: Limiter::new(Quality::Full),
            mixed: 0,
            rearranged: false,
            encoded: None,
            stills,
            observed: Observed::default(),
        }))
    }

    /// Where it goes on behind an earlier render, ns.
    fn seam_ns(&self) -> Option<u64> {
        self.seam
            .as_ref()
            .map(|seam| self.rhythm.time_of(seam.slot))
    }

    /// Renders to the log's end.
    fn run(mut self) -> Result<(), RenderError> {
        self.control
            .update(true, |snapshot| snapshot.state = RenderState::Following);
        let mut finishing = false;
        // Even a recording that ended at once has one picture.
        let shortest = self.rhythm.time_of(SLOTS_PER_PICTURE);
        for slot in 0.. {
            let next = self.rhythm.time_of(slot + 1);
            self.read(next)?;
            let end = self.follower.end_ns().map(|end| end.max(shortest));
            if end.is_some() && !finishing {
                finishing = true;
                self.control
                    .update(true, |snapshot| snapshot.state = RenderState::Finishing);
            }
            let last = end.filter(|&end| {
                self.rhythm.permitted(slot) && self.rhythm.time_of(slot + SLOTS_PER_PICTURE) >= end
            });
            if slot % SLOTS_PER_PICTURE == 0 || last.is_some() {
                let ahead = self.rhythm.time_of(slot + SLOTS_PER_PICTURE) + SOUND_LEAD_NS;
                self.sound(end.map_or(ahead, |end| end.min(ahead)))?;
            }
            self.picture(slot, last)?;
            #[cfg(test)]
            self.control.die_if_wanted(next);
            self.tell(next);
            if last.is_some() {
                if self.passes_over(slot) {
                    return Err(RenderError::Kept);
                }
                break;
            }
        }
        self.stills.finish(self.compositor.canvas(), self.control);
        self.encoder.finish(self.mixed.saturating_sub(LOOKAHEAD))?;
        Ok(())
    }

    /// Reads the log to as far beyond `time_ns` as the render stays behind.
    fn read(&mut self, time_ns: u64) -> Result<(), RenderError> {
        let limit = time_ns + SOUND_LEAD_NS + self.job.lag_ms * 1_000_000;
        let (room, control, mixed) = (&mut self.room, self.control, self.mixed);
        self.follower.read_until(limit, |record| {
            if let Some(info) = room.read(record, mixed) {
                warn_unsupported(control, &info);
            }
        })?;
        warn_damage(self.control, self.follower.damage());
        Ok(())
    }

    /// Decodes, mixes and encodes sound up to a point of recording time.
    fn sound(&mut self, until_ns: u64) -> Result<(), RenderError> {
        let until = samples(until_ns) + LOOKAHEAD;
        let Some(count) = until.checked_sub(self.mixed).filter(|&count| count > 0) else {
            return Ok(());
        };
        let wanted_from = self.seam.as_ref().map(|_| self.encoder.first_sample());
        if wanted_from.is_some_and(|wanted| until + SOUND_APPROACH < wanted) {
            pass_over(&mut self.room, self.control, until, count);
            self.mixed = until;
            return Ok(());
        }
        decode(&mut self.room, &mut self.worker, self.control, until);
        let mut mix: Vec<Stereo> = vec![[0.0; 2]; count as usize];
        for track in self.room.audio.values_mut() {
            track.mix_into(&mut mix);
        }
        self.room.forget_ended();
        self.limiter.process(&mut mix);
        let early = LOOKAHEAD.saturating_sub(self.mixed).min(count);
        let position = (self.mixed + early).saturating_sub(LOOKAHEAD);
        self.mixed = until;
        Ok(self.encoder.sound(position, &mix[early as usize..])?)
    }

    /// Draws and encodes the picture of a slot, if there is anything new to see. The `last` one is
    /// encoded in any case and ends where the recording does, ns.
    fn picture(&mut self, slot: u64, last: Option<u64>) -> Result<(), RenderError> {
        let now = self.rhythm.time_of(slot);
        self.rearranged |= self.room.advance(now) && self.compositor.arrange(self.room.scene());
        self.rearranged |= self.compositor.interrupt(self.follower.notice(now));
        self.keep_time();
        let due = self.rhythm.due(slot);
        let passed = self.passes_over(slot);
        let goes_on = self.seam.as_ref().is_some_and(|seam| seam.slot == slot);
        // What was passed over and the next pictures need.
        while goes_on && self.decode(|track, _| track.catch_up()) {}
        let mut changed = goes_on || self.rearranged && self.rhythm.permitted(slot);
        if changed || due || self.would_miss_one(slot) {
            self.rearranged = false;
            let until = i64::try_from(now + self.rhythm.reach_ns()).unwrap_or(i64::MAX);
            if passed {
                self.decode(|track, placing| track.skip(until, placing));
            } else {
                self.decode(|track, placing| track.due(until, placing));
                let room = &self.room;
                changed |= self.compositor.draw(|track| room.picture(track))?;
            }
        }
        if passed {
            if self
                .seam
                .as_ref()
                .is_some_and(|seam| seam.has_picture(slot))
            {
                self.rhythm.made(slot);
                self.encoded = Some(slot);
            }
            return Ok(());
        }
        let (canvas, shows_somebody) = (self.compositor.canvas(), self.compositor.shows_somebody());
        self.stills.see(canvas, now, shows_somebody, self.control);
        if let Some(error) = self.compositor.take_label_error() {
            self.control.warn("labels_missing", "", error.to_string());
        }
        let rate = self.rhythm.slots_per_second();
        let stale = self
            .encoded
            .is_none_or(|encoded| due && slot - encoded >= rate);
        if changed || stale || last.is_some() {
            self.rhythm.made(slot);
            let end = last.unwrap_or_else(|| self.rhythm.time_of(slot + SLOTS_PER_PICTURE));
            // Counted from the first slot, so that no time is rounded in another way.
            let first = self.seam.as_ref().map_or(0, |seam| seam.slot);
            let begin = self.rhythm.time_of(slot - first);
            self.encoder
                .picture(self.compositor.canvas(), begin, end.saturating_sub(now))?;
            self.encoded = Some(slot);
        }
        Ok(())
    }

    /// Lets the rhythm follow the sources.
    fn keep_time(&mut self) {
        let newest = i64::try_from(self.follower.newest_ns()).unwrap_or(i64::MAX);
        let fastest = self.room.fastest(newest);
        self.rhythm.follow(fastest);
        let mut frames = Vec::new();
        self.room.each_video(|_, track, placing| {
            if track.frames_per_second(newest).is_some() {
                frames.extend(track.next_frame(placing));
            }
        });
        self.rhythm.align(&frames);
    }

    /// Whether waiting for the next picture of the rhythm would pass over a frame.
    fn would_miss_one(&mut self, slot: u64) -> bool {
        if !self.rhythm.permitted(slot) {
            return false;
        }
        let reach = self.rhythm.reach_ns();
        let next = self.rhythm.next_due(slot);
        let now = i64::try_from(self.rhythm.time_of(slot) + reach).unwrap_or(i64::MAX);
        let later = i64::try_from(self.rhythm.time_of(next) + reach).unwrap_or(i64::MAX);
        let mut missed = false;
        self.room.each_video(|_, track, placing| {
            missed |= track.pending(now, placing) >= 1 && track.pending(later, placing) >= 2;
        });
        missed
    }

    /// Whether the picture of a slot is an earlier render's.
    fn passes_over(&self, slot: u64) -> bool {
        self.seam.as_ref().is_some_and(|seam| slot < seam.slot)
    }

    /// Decodes what `due` asks for of each video track. Returns whether there was anything.
    fn decode(
        &mut self,
        mut due: impl FnMut(&mut VideoTrack, Placing) -> Result<Option<Task>, DecodeError>,
    ) -> bool {
        let control = self.control;
        let (mut tasks, mut numbers) = (Vec::new(), Vec::new());
        self.room.each_video(|number, track, placing| {
            match due(track, placing) {
                Ok(task) => {
                    numbers.extend(task.iter().map(|_| number));
                    tasks.extend(task);
                }
                Err(error) => warn_decoder(control, track.info(), &error),
            }
            let left_out = track.take_left_out();
            warn_left_out(control, track.info(), left_out);
            let too_large = track.take_too_large();
            warn_too_large(control, track.info(), too_large);
        });
        for (&number, outcome) in numbers.iter().zip(self.worker.run(tasks)) {
            if let Some(track) = self.room.video.get_mut(&number)
                && let Some(error) = track.decoded(outcome)
            {
                warn_decoder(self.control, track.info(), &error);
            }
        }
        !numbers.is_empty()
    }

    fn tell(&mut self, position_ns: u64) {
        let position_ns = position_ns.max(self.seam_ns().unwrap_or(0));
        let (frames, bytes) = (self.encoder.frames(), self.encoder.bytes());
        let reading = self.follower.reading();
        let tracks = self.observed.look(&mut self.room, position_ns);
        self.control.update(false, |snapshot| {
            if let Some(tracks) = tracks {
                snapshot.tracks = tracks;
            }
            snapshot.position_ms = position_ns / 1_000_000;
            reading.tell(snapshot);
            snapshot.frames = frames;
            snapshot.bytes = bytes;
        });
    }
}

fn samples(time_ns: u64) -> u64 {
    (u128::from(time_ns) * u128::from(RATE) / 1_000_000_000) as u64
}
