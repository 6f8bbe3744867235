use std::path::PathBuf;
use std::time::Duration;

use super::decode::{DecodeError, DecodeWorker, Task};
use super::follower::Follower;
use super::output::Encoder;
use super::picture::Compositor;
use super::room::Room;
use super::sound::{LOOKAHEAD, Limiter, RATE, Stereo};
use super::timeline::Rhythm;
use super::{RenderControl, RenderError};
use crate::control::RenderState;
use crate::job::RenderJob;
use crate::log::{TrackInfo, TrackKind};

/// How far sound is ahead of the picture on the way to the encoders, ns. The muxer waits for both:
/// without a lead it can wait for sound while the pictures wait for it.
const SOUND_LEAD_NS: u64 = 100_000_000;
/// How long a decoder may take for what one picture needs before it is given up.
const DECODER_PATIENCE: Duration = Duration::from_secs(20);

/// Turns a log into a fragmented MP4, one tick of the canvas's frame rate after the other.
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
    /// The tick of the last encoded picture.
    encoded: Option<u64>,
}

impl<'a> Session<'a> {
    /// Opens the log and starts the encoders.
    pub fn new(
        job: &'a RenderJob,
        control: &'a RenderControl,
        fragmented: &PathBuf,
    ) -> Result<Self, RenderError> {
        let canvas = job.settings.canvas;
        let follower = Follower::open(&job.folder.join("log"), control, job.log_is_final)?;
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
            encoded: None,
        })
    }

    /// Renders to the log's end.
    pub fn run(mut self) -> Result<(), RenderError> {
        self.control
            .update(true, |snapshot| snapshot.state = RenderState::Following);
        let mut finishing = false;
        for tick in 0.. {
            let (now, next) = (self.time_of(tick), self.time_of(tick + 1));
            self.read(next)?;
            if self.follower.end_ns().is_some() && !finishing {
                finishing = true;
                self.control
                    .update(true, |snapshot| snapshot.state = RenderState::Finishing);
            }
            // Even a recording that ended at once has one picture.
            let end = self.follower.end_ns().map(|end| end.max(self.time_of(1)));
            if end.is_some_and(|end| now >= end) {
                break;
            }
            self.sound(end.map_or(next + SOUND_LEAD_NS, |end| end.min(next + SOUND_LEAD_NS)))?;
            let last = end.is_some_and(|end| next >= end);
            self.picture(tick, end.map_or(next, |end| end.min(next)), last)?;
            self.tell(next);
        }
        self.encoder.finish()?;
        Ok(())
    }

    /// Recording time of a tick, ns.
    fn time_of(&self, tick: u64) -> u64 {
        let rate = u64::from(self.job.settings.canvas.frame_rate.max(1));
        tick / rate * 1_000_000_000 + tick % rate * 1_000_000_000 / rate
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
            .each_audio(|number, track, place| match track.due(until, place) {
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

    /// Draws and encodes the picture of a tick, if there is anything new to see.
    fn picture(&mut self, tick: u64, end_ns: u64, last: bool) -> Result<(), RenderError> {
        let now = self.time_of(tick);
        let rearranged = self.room.advance(now) && self.compositor.arrange(self.room.scene());
        let newest = i64::try_from(self.follower.newest_ns()).unwrap_or(i64::MAX);
        self.rhythm.follow(self.room.fastest(newest));
        let mut changed = rearranged;
        if rearranged || self.rhythm.due(tick) || self.would_miss_one(tick) {
            self.decode(now + self.rhythm.reach_ns());
            let room = &self.room;
            changed |= self.compositor.draw(|track| room.picture(track))?;
        }
        if changed {
            self.rhythm.made(tick);
        }
        if let Some(error) = self.compositor.take_label_error() {
            self.control.warn("labels_missing", "", error.to_string());
        }
        let rate = u64::from(self.job.settings.canvas.frame_rate.max(1));
        let stale = self.encoded.is_none_or(|encoded| tick - encoded >= rate);
        if changed || stale || last {
            let duration = end_ns.saturating_sub(now);
            self.encoder
                .picture(self.compositor.canvas(), now, duration)?;
            self.encoded = Some(tick);
        }
        Ok(())
    }

    /// Whether waiting for the next picture of the rhythm would pass over a frame.
    fn would_miss_one(&mut self, tick: u64) -> bool {
        let reach = self.rhythm.reach_ns();
        let next = tick + self.rhythm.ticks_to_next(tick);
        let now = i64::try_from(self.time_of(tick) + reach).unwrap_or(i64::MAX);
        let later = i64::try_from(self.time_of(next) + reach).unwrap_or(i64::MAX);
        let mut missed = false;
        self.room.each_video(|_, track, place| {
            missed |= track.pending(now, place) >= 1 && track.pending(later, place) >= 2;
        });
        missed
    }

    /// Decodes what is due by a point of recording time.
    fn decode(&mut self, until_ns: u64) {
        let until = i64::try_from(until_ns).unwrap_or(i64::MAX);
        let control = self.control;
        let (mut tasks, mut numbers): (Vec<Task>, Vec<_>) = (Vec::new(), Vec::new());
        self.room.each_video(|number, track, place| {
            match track.due(until, place) {
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
        let lag_ns = self.follower.newest_ns().saturating_sub(position_ns);
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
