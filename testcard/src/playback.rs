//! Plays a finished MP4 with GStreamer as fast as it goes, and tells what is seen and heard. Needs
//! nothing that a recording server does not need itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use tapedeck_pipelines::layout::Rect;

use crate::content::{SAMPLE_RATE, Sound, Tile, TileObserver};

/// How long a decoder may be silent.
const STALL: Duration = Duration::from_secs(20);

/// Time between two looks whether decoding failed.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Why a file cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaybackError {
    /// GStreamer lacks an element.
    #[error(
        "GStreamer cannot play H.264 and AAC: {0}; are its plugins of the prerequisites installed?"
    )]
    Elements(String),
    /// It is damaged, or something else.
    #[error("{path} does not decode: {reason}")]
    Damaged { path: PathBuf, reason: String },
    /// Nothing comes.
    #[error("{path} has no {what} that decodes")]
    Missing { path: PathBuf, what: &'static str },
}

/// A file that was played from beginning to end.
#[derive(Clone, Debug)]
pub struct Playback {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Presentation times of all decoded frames, s.
    pub frame_times: Vec<f64>,
    /// Frames in the file, whether they decode or not.
    pub frames_in_file: u64,
    /// One for each asked rectangle.
    pub tiles: Vec<Tile>,
    pub sound: Sound,
    /// From 0 to the end of the longer stream, s.
    pub duration: f64,
}

impl Playback {
    /// Decodes all of a file. `places` names the rectangles to look at for a picture's width and
    /// height; they must lie within it. Blocks.
    ///
    /// # Errors
    /// It does not decode, or picture or sound are missing.
    pub fn of(path: &Path, places: impl Fn(u32, u32) -> Vec<Rect>) -> Result<Self, PlaybackError> {
        let player = Player::start(path)?;
        let (picture, sound) = std::thread::scope(|scope| {
            let sound = scope.spawn(|| player.sound());
            let picture = player.picture(&places);
            let sound = sound.join();
            (picture, sound)
        });
        let picture = picture?;
        let sound = sound.map_err(|_| player.damaged("the sound's decoder died"))??;
        let sound_end = sound.start + sound.seconds();
        Ok(Self {
            width: picture.width,
            height: picture.height,
            frames_in_file: player.demuxed.load(Ordering::Relaxed),
            tiles: picture
                .observers
                .into_iter()
                .map(TileObserver::finish)
                .collect(),
            frame_times: picture.times,
            duration: picture.end.max(sound_end),
            sound,
        })
    }
}

/// What was seen so far.
#[derive(Default)]
struct Picture {
    width: u32,
    height: u32,
    times: Vec<f64>,
    /// End of the last frame, s.
    end: f64,
    observers: Vec<TileObserver>,
}

/// A running pipeline; ends when dropped.
struct Player {
    path: PathBuf,
    pipeline: gst::Pipeline,
    demuxed: Arc<AtomicU64>,
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Player {
    fn start(path: &Path) -> Result<Self, PlaybackError> {
        let elements = |error: &dyn std::fmt::Display| PlaybackError::Elements(error.to_string());
        gst::init().map_err(|error| elements(&error))?;
        let description = format!(
            "filesrc name=file ! qtdemux name=demux \
             demux.video_0 ! queue ! h264parse name=parser ! avdec_h264 ! \
             video/x-raw,format=I420 ! appsink name=picture sync=false max-buffers=4 \
             demux.audio_0 ! queue ! aacparse ! avdec_aac ! audioconvert ! audioresample ! \
             audio/x-raw,format=F32LE,channels=2,rate={SAMPLE_RATE},layout=interleaved ! \
             appsink name=sound sync=false max-buffers=64"
        );
        let pipeline = gst::parse::launch(&description)
            .map_err(|error| elements(&error))?
            .downcast::<gst::Pipeline>()
            .map_err(|_| elements(&"not a pipeline"))?;
        let player = Self {
            path: path.to_owned(),
            pipeline,
            demuxed: Arc::default(),
        };
        player.element("file")?.set_property("location", path);
        let count = player.demuxed.clone();
        if let Some(pad) = player.element("parser")?.static_pad("sink") {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                count.fetch_add(1, Ordering::Relaxed);
                gst::PadProbeReturn::Ok
            });
        }
        player
            .pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| player.damaged("it cannot be opened"))?;
        Ok(player)
    }

    fn element(&self, name: &str) -> Result<gst::Element, PlaybackError> {
        self.pipeline
            .by_name(name)
            .ok_or_else(|| PlaybackError::Elements(format!("no element {name}")))
    }

    fn damaged(&self, reason: &str) -> PlaybackError {
        PlaybackError::Damaged {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }

    fn picture(&self, places: &impl Fn(u32, u32) -> Vec<Rect>) -> Result<Picture, PlaybackError> {
        let mut picture = Picture::default();
        self.for_each("picture", |sample| {
            let (buffer, caps) = (sample.buffer()?, sample.caps()?);
            let info = VideoInfo::from_caps(caps).ok()?;
            if picture.times.is_empty() {
                (picture.width, picture.height) = (info.width(), info.height());
                let places = places(info.width(), info.height());
                picture.observers = places.into_iter().map(TileObserver::new).collect();
            }
            let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &info).ok()?;
            let luma = frame.plane_data(0).ok()?;
            let stride = *frame.plane_stride().first()? as usize;
            let time = stream_time(sample)?;
            for observer in &mut picture.observers {
                observer.observe(time, luma, stride);
            }
            picture.times.push(time);
            picture.end = time + buffer.duration().map_or(0.0, seconds);
            Some(())
        })?;
        Ok(picture)
    }

    fn sound(&self) -> Result<Sound, PlaybackError> {
        let mut start = None;
        let mut samples = Vec::new();
        self.for_each("sound", |sample| {
            start.get_or_insert(stream_time(sample)?);
            let map = sample.buffer()?.map_readable().ok()?;
            samples.extend(map.as_slice().chunks_exact(8).map(|pair| {
                let [a, b, c, d, e, f, g, h] = pair.try_into().unwrap_or_default();
                [
                    f32::from_le_bytes([a, b, c, d]),
                    f32::from_le_bytes([e, f, g, h]),
                ]
            }));
            Some(())
        })?;
        Ok(Sound::new(start.unwrap_or(0.0), samples.into_iter()))
    }

    /// Calls `look` with all that a sink gets.
    fn for_each(
        &self,
        sink: &'static str,
        mut look: impl FnMut(&gst::Sample) -> Option<()>,
    ) -> Result<(), PlaybackError> {
        let element = self.element(sink)?.downcast::<AppSink>();
        let output = element.map_err(|_| self.damaged("no sink"))?;
        let missing = || PlaybackError::Missing {
            path: self.path.clone(),
            what: sink,
        };
        let mut last = Instant::now();
        let mut found = false;
        loop {
            if let Some(sample) = output.try_pull_sample(LOOK) {
                look(&sample).ok_or_else(|| self.damaged("what was decoded cannot be read"))?;
                last = Instant::now();
                found = true;
            } else if output.is_eos() {
                return if found { Ok(()) } else { Err(missing()) };
            } else if let Some(reason) = self.failure() {
                return Err(self.damaged(&reason));
            } else if last.elapsed() > STALL {
                return Err(missing());
            }
        }
    }

    fn failure(&self) -> Option<String> {
        let bus = self.pipeline.bus()?;
        // Peeked, so that both threads find it.
        let message = bus.peek()?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => {
                drop(bus.pop());
                None
            }
        }
    }
}

/// The time of a sample in the file, s.
fn stream_time(sample: &gst::Sample) -> Option<f64> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let time = segment.to_stream_time(sample.buffer()?.pts()?)?;
    Some(seconds(time))
}

fn seconds(time: gst::ClockTime) -> f64 {
    time.nseconds() as f64 / 1e9
}

/// Elements that a recording and its check cannot do without, and the Debian package of each. Of
/// alternatives one is enough.
const ELEMENTS: [(&[&str], &str); 13] = [
    (&["opusenc"], "gstreamer1.0-plugins-base"),
    (&["opusdec"], "gstreamer1.0-plugins-base"),
    (&["audioconvert"], "gstreamer1.0-plugins-base"),
    (&["audioresample"], "gstreamer1.0-plugins-base"),
    (&["vp8enc"], "gstreamer1.0-plugins-good"),
    (&["vp8dec"], "gstreamer1.0-plugins-good"),
    (&["mp4mux"], "gstreamer1.0-plugins-good"),
    (&["aacparse"], "gstreamer1.0-plugins-good"),
    (&["h264parse"], "gstreamer1.0-plugins-bad"),
    (&["x264enc", "openh264enc"], "gstreamer1.0-plugins-ugly"),
    (&["voaacenc", "avenc_aac"], "gstreamer1.0-plugins-bad"),
    (&["avdec_h264"], "gstreamer1.0-libav"),
    (&["avdec_aac"], "gstreamer1.0-libav"),
];

/// What GStreamer lacks here, each with the Debian package that brings it.
pub fn missing_elements() -> Vec<String> {
    if let Err(error) = gst::init() {
        return vec![error.to_string()];
    }
    let is_there = |name: &&str| gst::ElementFactory::find(name).is_some();
    ELEMENTS
        .iter()
        .filter(|(alternatives, _)| !alternatives.iter().any(is_there))
        .map(|(alternatives, package)| format!("{} ({package})", alternatives.join(" or ")))
        .collect()
}
