//! Renders of what is heard alone: no picture is decoded, drawn or encoded.

use std::path::Path;
use std::time::Duration;

use super::decode::{DecodeWorker, Hands, Suspects};
use super::follower::Follower;
use super::hearing::{decode, pass_over};
use super::observed::Observed;
use super::room::Room;
use super::sound::{Limiter, Quality, Stereo};
use super::warnings::{warn_damage, warn_unsupported};
use super::{RenderControl, RenderError};
use crate::control::RenderState;
use crate::job::RenderJob;
use crate::log::Record;

/// What is mixed at a time, ns. What is heard depends on it, as the log is read so far ahead of it.
const STEP_NS: u64 = 200_000_000;
/// How far the log is read ahead of what is mixed, besides the render's lag, ns.
const LEAD_NS: u64 = 100_000_000;
/// How long a decoder may take for one step before it is given up.
const DECODER_PATIENCE: Duration = Duration::from_secs(20);

/// Where the sound goes.
pub trait SoundSink {
    /// The first sample that is missing: what lies before it is as an earlier render made it, and
    /// is handed over only from [`SoundSession::new`]'s `approach` before it on.
    fn missing_from(&self) -> u64;

    /// Learns from a record in the order of the log.
    fn read(&mut self, _record: &Record) {}

    /// The number of the voice that a participant's sound goes to as well, from 0 on; each new one
    /// is the next number. `position` is the first sample that will be written of it.
    ///
    /// # Errors
    /// There is no place for it.
    fn voice(&mut self, _participant: &str, _position: u64) -> Result<Option<usize>, RenderError> {
        Ok(None)
    }

    /// Takes the samples from `position` on, those of the mix and those of each voice.
    ///
    /// # Errors
    /// They cannot be written, or do not go on from those of an earlier render.
    fn write(
        &mut self,
        position: u64,
        mix: &[Stereo],
        voices: &[&[Stereo]],
    ) -> Result<(), RenderError>;

    /// Bytes so far.
    fn bytes(&self) -> u64;
}

/// Mixes the sound of a log, one step after the other.
pub struct SoundSession<'a, S> {
    control: &'a RenderControl,
    follower: Follower<'a>,
    lag_ns: u64,
    room: Room,
    worker: DecodeWorker,
    quality: Quality,
    /// How long before what is missing sound is decoded, so that decoders and limiters are in the
    /// state in which they would be, samples.
    approach: u64,
    mix: Voice,
    voices: Vec<Voice>,
    /// Samples mixed so far, of which the limiter holds some back.
    mixed: u64,
    observed: Observed,
    sink: S,
}

/// A sum of tracks.
struct Voice {
    limiter: Limiter,
    sum: Vec<Stereo>,
}

impl Voice {
    fn new(quality: Quality) -> Self {
        Self {
            limiter: Limiter::new(quality),
            sum: Vec::new(),
        }
    }

    fn begin(&mut self, count: u64) {
        self.sum.clear();
        self.sum.resize(count as usize, [0.0; 2]);
    }

    fn add(&mut self, sound: &[Stereo]) {
        for (sum, sample) in self.sum.iter_mut().zip(sound) {
            sum[0] += sample[0];
            sum[1] += sample[1];
        }
    }
}

impl<'a, S: SoundSink> SoundSession<'a, S> {
    /// Of the log that `follower` reads; what concerns the render's processes is kept in `folder`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(
        job: &RenderJob,
        control: &'a RenderControl,
        follower: Follower<'a>,
        folder: &Path,
        quality: Quality,
        approach: u64,
        sink: S,
    ) -> Result<Self, RenderError> {
        let (suspects, hands) = Suspects::read(folder).map_err(|source| RenderError::Folder {
            path: folder.into(),
            source,
        })?;
        Ok(Self {
            control,
            follower,
            lag_ns: job.lag_ms * 1_000_000,
            room: Room::to_be_heard(suspects, quality),
            worker: DecodeWorker::new(DECODER_PATIENCE, Hands::new(&hands)),
            quality,
            approach,
            mix: Voice::new(quality),
            voices: Vec::new(),
            mixed: 0,
            observed: Observed::default(),
            sink,
        })
    }

    /// Mixes to the log's end. Returns the sink and the samples that it got.
    ///
    /// # Errors
    /// As [`super::render`]; [`RenderError::Kept`] if the log ends before what is missing.
    pub fn run(mut self) -> Result<(S, u64), RenderError> {
        self.control
            .update(true, |snapshot| snapshot.state = RenderState::Following);
        let mut finishing = false;
        for step in 1.. {
            let until_ns = step * STEP_NS;
            self.read(until_ns)?;
            let end_ns = self.follower.end_ns();
            if end_ns.is_some() && !finishing {
                finishing = true;
                self.control
                    .update(true, |snapshot| snapshot.state = RenderState::Finishing);
            }
            let now_ns = end_ns.map_or(until_ns, |end| end.min(until_ns));
            self.room.advance(now_ns);
            let until = self.samples(now_ns);
            self.sound(until)?;
            #[cfg(test)]
            self.control.die_if_wanted(now_ns);
            self.tell(now_ns);
            if end_ns.is_some_and(|end| end <= until_ns) {
                if until < self.sink.missing_from() {
                    return Err(RenderError::Kept);
                }
                return Ok((self.sink, until));
            }
        }
        Err(RenderError::Kept)
    }

    fn read(&mut self, until_ns: u64) -> Result<(), RenderError> {
        let (room, control, sink) = (&mut self.room, self.control, &mut self.sink);
        let mixed = self.mixed;
        let limit = until_ns + LEAD_NS + self.lag_ns;
        self.follower.read_until(limit, |record| {
            sink.read(&record);
            if let Some(info) = room.read(record, mixed) {
                warn_unsupported(control, &info);
            }
        })?;
        warn_damage(self.control, self.follower.damage());
        Ok(())
    }

    /// Hands the sink all samples up to `until`.
    fn sound(&mut self, until: u64) -> Result<(), RenderError> {
        let lookahead = Limiter::lookahead(self.quality);
        let until = until + lookahead;
        let count = until.saturating_sub(self.mixed);
        let early = lookahead.saturating_sub(self.mixed).min(count);
        let position = (self.mixed + early).saturating_sub(lookahead);
        let mut voices = Vec::with_capacity(self.room.audio.len());
        for track in self.room.audio.values() {
            voices.push(self.sink.voice(&track.info().participant, position)?);
        }
        let known = voices.iter().flatten().max().map_or(0, |most| most + 1);
        while self.voices.len() < known {
            self.voices.push(Voice::new(self.quality));
        }
        if until + self.approach < self.sink.missing_from() {
            pass_over(&mut self.room, self.control, until, count);
            self.mixed = until;
            return Ok(());
        }
        decode(&mut self.room, &mut self.worker, self.control, until);
        for voice in self.voices.iter_mut().chain([&mut self.mix]) {
            voice.begin(count);
        }
        let mut sound = Vec::new();
        for (track, voice) in self.room.audio.values_mut().zip(voices) {
            sound.clear();
            sound.resize(count as usize, [0.0; 2]);
            track.mix_into(&mut sound);
            self.mix.add(&sound);
            if let Some(voice) = voice.and_then(|voice| self.voices.get_mut(voice)) {
                voice.add(&sound);
            }
        }
        self.room.forget_ended();
        for voice in self.voices.iter_mut().chain([&mut self.mix]) {
            voice.limiter.process(&mut voice.sum);
        }
        self.mixed = until;
        let ready = |voice: &'_ Voice| early as usize..voice.sum.len();
        let voices: Vec<&[Stereo]> = self
            .voices
            .iter()
            .map(|voice| &voice.sum[ready(voice)])
            .collect();
        self.sink
            .write(position, &self.mix.sum[ready(&self.mix)], &voices)
    }

    fn samples(&self, time_ns: u64) -> u64 {
        (u128::from(time_ns) * u128::from(self.quality.rate()) / 1_000_000_000) as u64
    }

    fn tell(&mut self, position_ns: u64) {
        let bytes = self.sink.bytes();
        let kept_ns = u128::from(self.sink.missing_from()) * 1_000_000_000;
        let kept_ns = kept_ns / u128::from(self.quality.rate());
        let position_ns = position_ns.max(kept_ns as u64);
        let reading = self.follower.reading();
        let tracks = self.observed.look(&mut self.room, position_ns);
        self.control.update(false, |snapshot| {
            if let Some(tracks) = tracks {
                snapshot.tracks = tracks;
            }
            snapshot.position_ms = position_ns / 1_000_000;
            reading.tell(snapshot);
            snapshot.bytes = bytes;
        });
    }
}
