use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;

use crate::log::Codec;
use crate::render::sound::Quality;

/// What a decoder is fed with.
#[derive(Clone, Debug)]
pub enum Input {
    /// An encoded frame.
    Frame(Bytes),
    /// Audio of this length is missing; the decoder conceals it, ns.
    Lost(u64),
    /// What comes next has nothing to do with what came before.
    Anew,
}

/// Why a decoder gave no picture or sound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No installed plugin decodes the codec.
    #[error("{0}")]
    Unsupported(String),
    #[error("the decoder failed: {0}")]
    Failed(String),
    /// It did not come back in time and was given up.
    #[error("the decoder hangs and was left behind")]
    Stuck,
}

/// How a codec is decoded: the caps of its frames and descriptions of elements, best first.
struct Recipe {
    caps: &'static str,
    elements: &'static [&'static str],
}

/// One thread per decoder: pushing returns when the frame is decoded. The libav decoder waits for
/// reordered frames unless it is told to be lenient; real-time senders never reorder.
fn recipe(codec: Codec, quality: Quality) -> Option<Recipe> {
    match codec {
        Codec::Vp8 => Some(Recipe {
            caps: "video/x-vp8",
            elements: &["vp8dec threads=1 qos=false"],
        }),
        Codec::H264 => Some(Recipe {
            caps: "video/x-h264,stream-format=byte-stream,alignment=au",
            elements: &[
                "avdec_h264 max-threads=1 qos=false std-compliance=normal output-corrupt=true",
                "openh264dec qos=false",
            ],
        }),
        // One channel is asked for on both sides, or the decoder gives the left one.
        Codec::Opus if quality == Quality::Speech => Some(Recipe {
            caps: "audio/x-opus,channel-mapping-family=0,channels=1,rate=48000",
            elements: &["opusdec plc=true ! capsfilter caps=audio/x-raw,rate=16000,channels=1"],
        }),
        Codec::Opus => Some(Recipe {
            caps: "audio/x-opus,channel-mapping-family=0,channels=2,rate=48000",
            elements: &["opusdec plc=true"],
        }),
        // PCM needs no decoder.
        Codec::Vp9 | Codec::Av1 | Codec::Pcm | Codec::Unknown => None,
    }
}

/// Whether there is a way to decode a codec at all.
pub fn is_supported(codec: Codec) -> bool {
    codec == Codec::Pcm || recipe(codec, Quality::Full).is_some()
}

/// A frame that no decoder survives.
#[cfg(test)]
pub const DEADLY: &[u8] = b"the process dies of this frame";

/// One decoder between a source and a sink of our own. When [`Decoder::push`] returns, everything
/// that the input gives has come out: no queues, threads or markers are needed.
pub struct Decoder {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    input: gst::Pad,
    caps: gst::Caps,
    /// Held for as long as the pipeline pushes into it.
    _output: gst::Pad,
    collected: Arc<Mutex<Collected>>,
    step_ns: u64,
}

#[derive(Default)]
struct Collected {
    caps: Option<gst::Caps>,
    samples: Vec<gst::Sample>,
    time_ns: u64,
}

impl Decoder {
    /// A decoder for a codec.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`] for a codec without a decoder, naming the plugins that have
    /// one.
    pub fn new(codec: Codec) -> Result<Self, DecodeError> {
        Self::of(codec, Quality::Full)
    }

    /// A decoder for sound of a quality, 16 bits per sample.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn for_sound(codec: Codec, quality: Quality) -> Result<Self, DecodeError> {
        Self::of(codec, quality)
    }

    fn of(codec: Codec, quality: Quality) -> Result<Self, DecodeError> {
        let unsupported = |detail: &str| DecodeError::Unsupported(detail.into());
        let recipe = recipe(codec, quality).ok_or_else(|| {
            unsupported(&format!("{codec:?} video is not decoded by this version"))
        })?;
        let element = recipe
            .elements
            .iter()
            .find_map(|description| gst::parse::bin_from_description(description, true).ok())
            .ok_or_else(|| {
                unsupported(&format!(
                    "no GStreamer plugin decodes {codec:?}: install one of {:?}",
                    recipe.elements
                ))
            })?;
        let step_ns = if codec == Codec::Opus {
            20_000_000
        } else {
            33_000_000
        };
        Self::around(element.upcast(), recipe.caps, step_ns).map_err(DecodeError::Failed)
    }

    pub(super) fn around(element: gst::Element, caps: &str, step_ns: u64) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let caps: gst::Caps = caps.parse().map_err(|error| text(&error))?;
        let pipeline = gst::Pipeline::new();
        pipeline.add(&element).map_err(|error| text(&error))?;
        let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
        let collected = Arc::new(Mutex::new(Collected::default()));
        let input = gst::Pad::builder(gst::PadDirection::Src)
            .name("input")
            .build();
        let output = collecting_pad(&collected).map_err(|error| text(&error))?;
        input.set_active(true).map_err(|error| text(&error))?;
        output.set_active(true).map_err(|error| text(&error))?;
        let sink = element
            .static_pad("sink")
            .ok_or("the decoder has no sink")?;
        let src = element
            .static_pad("src")
            .ok_or("the decoder has no source")?;
        input.link(&sink).map_err(|error| text(&error))?;
        src.link(&output).map_err(|error| text(&error))?;
        let decoder = Self {
            pipeline,
            bus,
            input,
            caps,
            _output: output,
            collected,
            step_ns,
        };
        decoder.begin().map_err(|error| text(&error))?;
        Ok(decoder)
    }

    /// Begins with nothing behind it.
    fn begin(&self) -> Result<(), gst::StateChangeError> {
        self.pipeline.set_state(gst::State::Ready)?;
        self.lock().time_ns = 0;
        self.pipeline.set_state(gst::State::Playing)?;
        self.input.push_event(gst::event::StreamStart::new("track"));
        self.input.push_event(gst::event::Caps::new(&self.caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.input.push_event(gst::event::Segment::new(&segment));
        Ok(())
    }

    /// Decodes; returns what came out, most often one sample.
    pub fn push(&self, input: &Input) -> Result<Vec<gst::Sample>, DecodeError> {
        let duration = match input {
            Input::Frame(_) => self.step_ns,
            Input::Lost(duration) => *duration,
            Input::Anew => 0,
        };
        let time = {
            let mut collected = self.lock();
            let time = collected.time_ns;
            collected.time_ns += duration;
            gst::ClockTime::from_nseconds(time)
        };
        let flow = match input {
            #[cfg(test)]
            Input::Frame(bytes) if bytes.starts_with(DEADLY) => std::process::abort(),
            Input::Frame(bytes) => {
                // A copy: a decoder that keeps its input would keep whole pieces of the log.
                let mut buffer = gst::Buffer::from_mut_slice(bytes.to_vec());
                if let Some(buffer) = buffer.get_mut() {
                    buffer.set_pts(time);
                    buffer.set_duration(gst::ClockTime::from_nseconds(duration));
                }
                self.input.push(buffer).map(|_| ())
            }
            Input::Lost(_) => {
                let gap = gst::event::Gap::builder(time)
                    .duration(gst::ClockTime::from_nseconds(duration))
                    .build();
                self.input.push_event(gap);
                Ok(())
            }
            Input::Anew => {
                let begun = self.begin();
                begun.map_err(|error| DecodeError::Failed(error.to_string()))?;
                Ok(())
            }
        };
        if let Some(message) = self.bus.pop_filtered(&[gst::MessageType::Error])
            && let gst::MessageView::Error(error) = message.view()
        {
            return Err(DecodeError::Failed(error.error().to_string()));
        }
        flow.map_err(|error| DecodeError::Failed(format!("{error:?}")))?;
        let samples = std::mem::take(&mut self.lock().samples);
        Ok(samples)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.collected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A sink that keeps what comes out. Its template takes anything: a template made from the first
/// caps would refuse a change of size.
fn collecting_pad(
    collected: &Arc<Mutex<Collected>>,
) -> Result<gst::Pad, gst::glib::error::BoolError> {
    let template = gst::PadTemplate::new(
        "output",
        gst::PadDirection::Sink,
        gst::PadPresence::Always,
        &gst::Caps::new_any(),
    )?;
    let samples = Arc::clone(collected);
    let caps = Arc::clone(collected);
    Ok(gst::Pad::builder_from_template(&template)
        .name("output")
        .chain_function(move |_, _, buffer| {
            let mut collected = samples.lock().unwrap_or_else(PoisonError::into_inner);
            let mut sample = gst::Sample::builder().buffer(&buffer);
            if let Some(caps) = &collected.caps {
                sample = sample.caps(caps);
            }
            let sample = sample.build();
            collected.samples.push(sample);
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(move |_, _, event| {
            if let gst::EventView::Caps(event) = event.view() {
                let mut collected = caps.lock().unwrap_or_else(PoisonError::into_inner);
                collected.caps = Some(event.caps_owned());
            }
            true
        })
        .build())
}
