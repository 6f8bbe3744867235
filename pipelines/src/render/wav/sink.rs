use std::io;
use std::path::{Path, PathBuf};

use super::RATE;
use super::kept::{begin, earlier_mix};
use super::sequence::{Part, Sequence};
use super::speakers::{MOST_SPEAKERS, Speakers};
use crate::log::Record;
use crate::render::output::{Identity, OutputError};
use crate::render::sound::Stereo;
use crate::render::sound_session::SoundSink;
use crate::render::{RenderControl, RenderError};

/// Files are cut here where they are gone on with, samples: a step of the mix (200 ms).
const GRID: u64 = RATE / 5;
/// How much of what is there must be made the same again before it is gone on with, samples.
const COMPARED: u64 = RATE;

/// Writes the mix, and each speaker if that is wanted.
pub struct WavSink<'a> {
    control: &'a RenderControl,
    folder: PathBuf,
    most: u64,
    mix: Sequence,
    /// None if speakers are not wanted.
    speakers: Option<Speakers>,
    voices: Vec<Sequence>,
    /// Samples of an earlier render.
    kept: u64,
}

impl<'a> WavSink<'a> {
    /// Goes on with what an earlier render of the same left in `folder`, but for what lies behind
    /// `keep`, or begins anew.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(
        folder: &Path,
        identity: &Identity,
        per_speaker: bool,
        most: u64,
        keep: u64,
        control: &'a RenderControl,
    ) -> io::Result<Self> {
        let mut earlier = earlier_mix(folder, identity, most);
        let kept = earlier.as_ref().map_or(0, Sequence::position).min(keep) / GRID * GRID;
        if kept < COMPARED {
            earlier = None;
        }
        let (mix, kept) = match earlier {
            Some(mut mix) => {
                mix.cut(kept)?;
                (mix, kept)
            }
            None => (begin(folder, identity, most)?, 0),
        };
        Ok(Self {
            control,
            folder: folder.into(),
            most,
            mix,
            speakers: per_speaker.then(Speakers::default),
            voices: Vec::new(),
            kept,
        })
    }

    /// Samples of an earlier render.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// All files, those of the mix first.
    pub fn parts(&self) -> Vec<Part> {
        let all = std::iter::once(&self.mix).chain(&self.voices);
        all.flat_map(Sequence::parts).collect()
    }

    /// Opens the files of a voice, up to where the mix is.
    fn add_voice(&mut self, suffix: &str, position: u64) -> Result<(), RenderError> {
        let voice = if position < self.kept {
            let earlier = Sequence::open(&self.folder, suffix, self.most).ok();
            let earlier = earlier.filter(|voice| voice.position() >= self.kept);
            let mut voice = earlier.ok_or(OutputError::Different)?;
            let cut = voice.cut(self.kept);
            cut.map(|()| voice)
        } else {
            Sequence::create(&self.folder, suffix, self.most, position)
        };
        self.voices
            .push(voice.map_err(|source| unwritten(&self.folder, source))?);
        Ok(())
    }
}

impl SoundSink for WavSink<'_> {
    fn missing_from(&self) -> u64 {
        self.kept
    }

    fn read(&mut self, record: &Record) {
        if let Some(speakers) = &mut self.speakers {
            speakers.read(record);
        }
    }

    fn voice(&mut self, participant: &str, position: u64) -> Result<Option<usize>, RenderError> {
        let Some(speakers) = &mut self.speakers else {
            return Ok(None);
        };
        // The sound of a whole room is nobody's.
        if participant.is_empty() {
            return Ok(None);
        }
        let number = speakers.number(participant);
        let Some(number) = number else {
            let message = format!(
                "more than {MOST_SPEAKERS} people spoke: the others have no file of their own, they \
                 are heard in the mix"
            );
            self.control.warn("too_many_speakers", "", message);
            return Ok(None);
        };
        if number == self.voices.len() {
            let suffix = speakers.suffix(number).to_owned();
            self.add_voice(&suffix, position)?;
        }
        Ok(Some(number))
    }

    fn write(
        &mut self,
        position: u64,
        mix: &[Stereo],
        voices: &[&[Stereo]],
    ) -> Result<(), RenderError> {
        let mixed = pcm(mix);
        if position < self.kept {
            if position + COMPARED >= self.kept {
                let earlier = self.mix.read(position, mixed.len() as u64);
                if earlier.map_err(|source| unwritten(self.mix.path(), source))? != mixed {
                    return Err(OutputError::Different.into());
                }
            }
            return Ok(());
        }
        // The mix is written last: what it has, the others have.
        for (voice, sound) in self.voices.iter_mut().zip(voices) {
            let written = voice.append(&pcm(sound));
            written.map_err(|source| unwritten(voice.path(), source))?;
        }
        let written = self.mix.append(&mixed);
        Ok(written.map_err(|source| unwritten(self.mix.path(), source))?)
    }

    fn bytes(&self) -> u64 {
        let all = std::iter::once(&self.mix).chain(&self.voices);
        all.map(|sequence| sequence.position() * super::SAMPLE_BYTES)
            .sum()
    }
}

fn unwritten(path: &Path, source: io::Error) -> OutputError {
    OutputError::Write {
        path: path.into(),
        source,
    }
}

/// The samples of one channel, as the decoders gave them if nothing was done to them.
fn pcm(sound: &[Stereo]) -> Vec<i16> {
    let value = |sample: &Stereo| (sample[0] * 32_768.0).round() as i16;
    sound.iter().map(value).collect()
}
