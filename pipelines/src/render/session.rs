use std::path::Path;
use std::time::Duration;

use super::decode::{DecodeError, DecodeWorker, Task};
use super::follower::Follower;
use super::output::Encoder;
use super::picture::Compositor;
use super::room::Room;
use super::sound::{LOOKAHEAD, Limiter, RATE, Stereo};
use super::timeline::{Rhythm, SLOTS_PER_PICTURE};
use super::{RenderControl, RenderError};
use crate::control::RenderState;
use crate::job::RenderJob;
use crate::log::{TrackInfo, TrackKind};

/// How far sound is ahead of the picture on the way to the encoders, ns. The muxer waits for both:
/// without a lead it can wait for sound while the pictures wait for it.
const SOUND_LEAD_NS: u64 = 100_000_000;
/// How long a decoder may take for what one picture needs before it is given up.
const DECODER_PATIENCE: Duration = Duration::from_secs(20);

/// Turns a log into a fragmented MP4, one slot of the time grid after the other.
pub struct Session<'a> {
    job: &'a RenderJob,
    control: &'a RenderControl,
    follower: Follower<'a>,
    room: Room,
    compositor: Compositor,
    encoder: Encoder,
    worker: DecodeWorker,
    rhythm: Rhythm,
    limiter: Limiter,
    /// Samples mixed so far.
    mixed: u64,
    /// The scene has changed since the last picture.
    rearranged: bool,
    /// The slot of the last encoded picture.
    encoded: Option<u64>,
}

impl<'a> Session<'a> {
    /// Opens the log and starts the encoders.
    pub fn new(
        job: &'a RenderJob,
        control: &'a RenderControl,
        fragmented: &Path,
    ) -> Result<Self, RenderError> {
        let canvas = job.settings.canvas;
        let follower =
            Follower::open(&job.folder.join("log"), control, job.log_is_final, job.gaps)?;
        let compositor = Compositor::new(canvas.width, canvas.height)?;
        let encoder = Encoder::new(&job.settings, compositor.canvas(), fragmented)?;
        Ok(Self {
            job,
            control,
            follower,
            room: Room::default(),
            compositor,
            encoder,
            worker: DecodeWorker::new(DECODER_PATIENCE),
            rhythm: Rhythm::new(canvas.frame_rate),
            limiter: Limiter::default(),
            mixed: 0,
            rearranged: false,
            encoded: None,
        })
    }

    /// Renders to the log's end.
    pub fn run(mut self) -> Result<(), RenderError> {
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
            self.tell(next);
            if last.is_some() {
                break;
            }
        }
        self.encoder.finish()?;
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
        if let Some(damage) = self.follower.damage().first() {
            let detail = format!(
                "a part of the capture log could not be read, first {} bytes at {} of {}",
                damage.length,
                damage.offset,
                damage.segment.display()
            );
            self.control.warn("log_damaged", "", detail);
        }
        Ok(())
    }

    /// Decodes, mixes and encodes sound up to a point of recording time.
    fn sound(&mut self, until_ns: u64) -> Result<(), RenderError> {
        let until = samples(until_ns) + LOOKAHEAD as u64;
        let Some(count) = until.checked_sub(self.mixed).filter(|&count| count > 0) else {
            return Ok(());
        };
        let (mut tasks, mut numbers) = (Vec::new(), Vec::new());
        let control = self.control;
        self.room
            .each_audio(|number, track, placing| match track.due(until, placing) {
                Ok(Some(task)) => {
                    tasks.push(task);
                    numbers.push(number);
                }
                Ok(None) => {}
                Err(error) => warn_decoder(control, track.info(), &error),
            });
        for (number, outcome) in numbers.into_iter().zip(self.worker.run(tasks)) {
            if let Some(track) = self.room.audio.get_mut(&number)
                && let Some(error) = track.decoded(outcome)
            {
                warn_decoder(self.control, track.info(), &error);
            }
        }
        let mut mix: Vec<Stereo> = vec![[0.0; 2]; count as usize];
        for track in self.room.audio.values_mut() {
            track.mix_into(&mut mix);
        }
        self.room.forget_ended();
        self.limiter.process(&mut mix);
        let early = (LOOKAHEAD as u64).saturating_sub(self.mixed).min(count);
        self.mixed = until;
        Ok(self.encoder.sound(&mix[early as usize..])?)
    }

    /// Draws and encodes the picture of a slot, if there is anything new to see. The `last` one is
    /// encoded in any case and ends where the recording does, ns.
    fn picture(&mut self, slot: u64, last: Option<u64>) -> Result<(), RenderError> {
        let now = self.rhythm.time_of(slot);
        self.rearranged |= self.room.advance(now) && self.compositor.arrange(self.room.scene());
        self.rearranged |= self.compositor.interrupt(self.follower.notice(now));
        self.keep_time();
        let due = self.rhythm.due(slot);
        let mut changed = self.rearranged && self.rhythm.permitted(slot);
        if changed || due || self.would_miss_one(slot) {
            self.rearranged = false;
            self.decode(now + self.rhythm.reach_ns());
            let room = &self.room;
            changed |= self.compositor.draw(|track| room.picture(track))?;
        }
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
            self.encoder
                .picture(self.compositor.canvas(), now, end.saturating_sub(now))?;
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

    /// Decodes what is due by a point of recording time.
    fn decode(&mut self, until_ns: u64) {
        let until = i64::try_from(until_ns).unwrap_or(i64::MAX);
        let control = self.control;
        let (mut tasks, mut numbers): (Vec<Task>, Vec<_>) = (Vec::new(), Vec::new());
        self.room.each_video(|number, track, placing| {
            match track.due(until, placing) {
                Ok(Some(task)) => {
                    tasks.push(task);
                    numbers.push(number);
                }
                Ok(None) => {}
                Err(error) => warn_decoder(control, track.info(), &error),
            }
            if let Some((width, height)) = track.take_too_large() {
                let message = format!(
                    "{}: a picture of {width}x{height} pixels was left out",
                    track.info().id
                );
                control.warn("frame_too_large", &track.info().id, message);
            }
        });
        for (number, outcome) in numbers.into_iter().zip(self.worker.run(tasks)) {
            if let Some(track) = self.room.video.get_mut(&number)
                && let Some(error) = track.decoded(outcome)
            {
                warn_decoder(self.control, track.info(), &error);
            }
        }
    }

    fn tell(&self, position_ns: u64) {
        let (frames, bytes) = (self.encoder.frames(), self.encoder.bytes());
        let lag_ns = self.follower.edge_ns().saturating_sub(position_ns);
        self.control.update(false, |snapshot| {
            snapshot.position_ms = position_ns / 1_000_000;
            snapshot.lag_ms = lag_ns / 1_000_000;
            snapshot.frames = frames;
            snapshot.bytes = bytes;
        });
    }
}

fn samples(time_ns: u64) -> u64 {
    (u128::from(time_ns) * u128::from(RATE) / 1_000_000_000) as u64
}

fn warn_unsupported(control: &RenderControl, info: &TrackInfo) {
    let instead = match info.kind {
        TrackKind::Video => "its tile shows a placeholder",
        TrackKind::Audio => "it is not heard",
    };
    let message = format!(
        "{} of {} is {:?}, which this version does not decode: {instead}; the capture log has it",
        info.id, info.participant, info.codec
    );
    control.warn("unsupported_codec", &info.id, message);
}

fn warn_decoder(control: &RenderControl, info: &TrackInfo, error: &DecodeError) {
    let code = match error {
        DecodeError::Unsupported(_) => "unsupported_codec",
        DecodeError::Failed(_) => "decode_error",
        DecodeError::Stuck => "decoder_stuck",
    };
    control.warn(
        code,
        &info.id,
        format!("{} of {}: {error}", info.id, info.participant),
    );
}
