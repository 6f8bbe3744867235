//! A finished file, opened for looking at.

use std::path::{Path, PathBuf};

use tapedeck_pipelines::layout::Rect;
use testcard::content::{SAMPLE_RATE, TileObserver};

use super::decode::Decoder;
use super::probe::{Probe, probe};
use super::{AudioStream, ContentError, Luma, Sound, Tile, VideoStream};

/// A finished file.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    probe: Probe,
}

impl Recording {
    /// Reads what ffprobe tells about a file.
    ///
    /// # Errors
    /// ffprobe is missing or cannot read the file.
    pub fn open(path: &Path) -> Result<Self, ContentError> {
        Ok(Self {
            path: path.to_owned(),
            probe: probe(path)?,
        })
    }

    /// The picture, if there is one.
    pub fn video(&self) -> Option<&VideoStream> {
        self.probe.video.as_ref()
    }

    /// The sound, if there is one.
    pub fn audio(&self) -> Option<&AudioStream> {
        self.probe.audio.as_ref()
    }

    /// From 0 to the end of the longer stream, s.
    pub fn duration(&self) -> f64 {
        let video = self.video().map_or(0.0, |video| video.duration);
        video.max(self.audio().map_or(0.0, |audio| audio.duration))
    }

    /// Whether the header comes before the media data.
    pub fn is_fast_start(&self) -> bool {
        self.probe.fast_start
    }

    /// What keeps the file from playing everywhere, one line each; empty if nothing does. Decodes
    /// the whole file.
    ///
    /// # Errors
    /// ffmpeg is missing or gave up.
    pub fn problems(&self) -> Result<Vec<String>, ContentError> {
        let mut problems = Vec::new();
        if !self.probe.warnings.is_empty() {
            problems.push(format!("ffprobe warns: {}", self.probe.warnings.trim()));
        }
        if !self.is_fast_start() {
            problems.push("the header comes after the media data".to_owned());
        }
        match self.video() {
            Some(video) => problems.extend(video_problems(video)),
            None => problems.push("no picture".to_owned()),
        }
        match self.audio() {
            Some(audio) => problems.extend(audio_problems(audio)),
            None => problems.push("no sound".to_owned()),
        }
        if self.video().is_some() {
            let mut frames = 0;
            let complaints = self.decode_frames(|_, _| frames += 1)?;
            let listed = self.video().map_or(0, |video| video.frame_times.len());
            if frames != listed {
                problems.push(format!("{frames} of {listed} frames decode"));
            }
            problems.extend(complaint("the picture", &complaints));
        }
        if self.audio().is_some() {
            let (_, complaints) = self.decode_sound()?;
            problems.extend(complaint("the sound", &complaints));
        }
        Ok(problems)
    }

    /// What is seen in a rectangle of the picture. For several use [`Recording::tiles`].
    ///
    /// # Errors
    /// There is no picture, or ffmpeg gave up.
    pub fn tile(&self, rect: Rect) -> Result<Tile, ContentError> {
        let mut tiles = self.tiles(&[rect])?;
        tiles.pop().ok_or_else(|| self.missing("video"))
    }

    /// What is seen in several rectangles; decodes once. Each must lie within the picture.
    ///
    /// # Errors
    /// There is no picture, or ffmpeg gave up.
    ///
    /// # Panics
    /// A rectangle is not within the picture.
    pub fn tiles(&self, rects: &[Rect]) -> Result<Vec<Tile>, ContentError> {
        let video = self.video().ok_or_else(|| self.missing("video"))?;
        for rect in rects {
            let inside = rect.x + rect.width <= video.width && rect.y + rect.height <= video.height;
            assert!(
                inside,
                "{rect:?} is not within {}x{}",
                video.width, video.height
            );
        }
        let mut observers: Vec<_> = rects.iter().map(|rect| TileObserver::new(*rect)).collect();
        self.decode_frames(|time, luma| {
            for observer in &mut observers {
                observer.observe(time, &luma.pixels, luma.width);
            }
        })?;
        Ok(observers.into_iter().map(TileObserver::finish).collect())
    }

    /// Calls `look` with the time (s) and the luma of each frame, in order of presentation.
    ///
    /// # Errors
    /// There is no picture, or ffmpeg gave up.
    pub fn for_each_frame(&self, look: impl FnMut(f64, &Luma)) -> Result<(), ContentError> {
        self.decode_frames(look).map(drop)
    }

    /// The frame that is shown at `time` seconds; `None` before the first.
    ///
    /// # Errors
    /// There is no picture, or ffmpeg gave up.
    pub fn picture_at(&self, time: f64) -> Result<Option<Luma>, ContentError> {
        let mut shown = None;
        self.decode_frames(|at, luma| {
            if at <= time {
                shown.get_or_insert_with(|| luma.clone()).clone_from(luma);
            }
        })?;
        Ok(shown)
    }

    /// The decoded sound.
    ///
    /// # Errors
    /// There is no sound, or ffmpeg gave up.
    pub fn sound(&self) -> Result<Sound, ContentError> {
        self.decode_sound().map(|(sound, _)| sound)
    }

    fn missing(&self, kind: &'static str) -> ContentError {
        ContentError::Missing {
            path: self.path.clone(),
            kind,
        }
    }

    fn unreadable(&self, source: std::io::Error) -> ContentError {
        ContentError::Read {
            path: self.path.clone(),
            source,
        }
    }

    /// Decodes all frames; returns ffmpeg's complaints.
    fn decode_frames(&self, mut look: impl FnMut(f64, &Luma)) -> Result<String, ContentError> {
        let video = self.video().ok_or_else(|| self.missing("video"))?;
        // extractplanes leaves the values as they are; a conversion to grey would stretch them.
        let arguments = [
            "-map",
            "0:v:0",
            "-fps_mode",
            "passthrough",
            // Times as in the file: a guessed frame rate has no room for varying ones.
            "-enc_time_base",
            "-1",
            "-vf",
            "extractplanes=y",
            "-pix_fmt",
            "gray",
            "-f",
            "rawvideo",
        ];
        let mut decoder = Decoder::start(&self.path, &arguments)?;
        let (width, height) = (video.width as usize, video.height as usize);
        let mut luma = Luma {
            width,
            height,
            pixels: vec![0; width * height],
        };
        let mut times = video.frame_times.iter();
        while decoder
            .read(&mut luma.pixels)
            .map_err(|source| self.unreadable(source))?
        {
            let after_last = video.duration;
            look(*times.next().unwrap_or(&after_last), &luma);
        }
        decoder.finish(&self.path)
    }

    fn decode_sound(&self) -> Result<(Sound, String), ContentError> {
        let audio = self.audio().ok_or_else(|| self.missing("audio"))?;
        let rate = SAMPLE_RATE.to_string();
        let arguments = ["-map", "0:a:0", "-ac", "2", "-ar", &rate, "-f", "f32le"];
        let mut decoder = Decoder::start(&self.path, &arguments)?;
        let bytes = decoder
            .read_to_end()
            .map_err(|source| self.unreadable(source))?;
        let complaints = decoder.finish(&self.path)?;
        let sample = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let stereo = bytes
            .chunks_exact(8)
            .map(|pair| [sample(&pair[..4]), sample(&pair[4..])]);
        // Priming before time 0 is dropped by the decoder.
        Ok((Sound::new(audio.start.max(0.0), stereo), complaints))
    }
}

fn video_problems(video: &VideoStream) -> Vec<String> {
    let mut problems = Vec::new();
    if video.codec != "h264" {
        problems.push(format!("the picture is {}, not h264", video.codec));
    }
    if !["Main", "High"].contains(&video.profile.as_str()) {
        problems.push(format!(
            "the H.264 profile is {}, not Main or High",
            video.profile
        ));
    }
    if video.pixel_format != "yuv420p" {
        problems.push(format!("pixels are {}, not yuv420p", video.pixel_format));
    }
    if !video.frame_times.windows(2).all(|pair| pair[0] < pair[1]) {
        problems.push("two frames have the same time, or none".to_owned());
    }
    if video
        .frame_times
        .first()
        .is_none_or(|first| first.abs() > 1e-3)
    {
        problems.push(format!(
            "the first frame is at {:?}",
            video.frame_times.first()
        ));
    }
    problems
}

fn audio_problems(audio: &AudioStream) -> Vec<String> {
    let mut problems = Vec::new();
    if (audio.codec.as_str(), audio.sample_rate, audio.channels) != ("aac", 48_000, 2) {
        problems.push(format!(
            "the sound is {} with {} channels at {} Hz, not AAC stereo at 48000 Hz",
            audio.codec, audio.channels, audio.sample_rate
        ));
    }
    if audio.longest_gap > 1e-3 {
        problems.push(format!(
            "the sound has a hole of {:.3} s",
            audio.longest_gap
        ));
    }
    problems
}

fn complaint(what: &str, messages: &str) -> Option<String> {
    (!messages.is_empty())
        .then(|| format!("ffmpeg warns when decoding {what}: {}", messages.trim()))
}
