//! Flash-and-beep media, encoded once and sent again and again.
//!
//! Content time is in seconds. Whenever it is whole, the picture turns white for
//! [`VideoFormat::flash_frames`] frames and a beep of [`BEEP_SECONDS`] begins.

mod audio;
mod pattern;
mod video;

pub use audio::{AudioLoop, BEEP_SECONDS, OPUS_FRAME_SECONDS};
pub use pattern::{Pattern, paint};
pub use video::{VideoCodec, VideoFormat, VideoLoop};

use std::sync::Arc;

/// The length of a video loop, s of content time.
pub const LOOP_SECONDS: u32 = 5;

/// One encoded frame or packet.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    pub data: Arc<[u8]>,
    pub keyframe: bool,
}

/// Test media cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// GStreamer lacks an element, or it does not work.
    #[error(
        "{what} cannot be encoded by GStreamer: {reason}; are its plugins of the prerequisites installed?"
    )]
    Encoder {
        /// `VP8`, …
        what: &'static str,
        reason: String,
    },
}

/// Feeds raw buffers through a GStreamer pipeline that has an `appsrc name=input` and an
/// `appsink name=output`, and returns what comes out in order.
fn run_pipeline(description: &str, buffers: Vec<RawBuffer>) -> Result<Vec<EncodedFrame>, String> {
    use gstreamer as gst;
    use gstreamer::prelude::*;

    gst::init().map_err(|error| error.to_string())?;
    let pipeline = gst::parse::launch(description)
        .map_err(|error| error.to_string())?
        .downcast::<gst::Pipeline>()
        .map_err(|_| "not a pipeline".to_owned())?;
    let element = |name: &str| {
        pipeline
            .by_name(name)
            .ok_or_else(|| format!("no element {name}"))
    };
    let input = element("input")?
        .downcast::<gstreamer_app::AppSrc>()
        .map_err(|_| "input is no appsrc".to_owned())?;
    let output = element("output")?
        .downcast::<gstreamer_app::AppSink>()
        .map_err(|_| "output is no appsink".to_owned())?;
    pipeline
        .set_state(gst::State::Playing)
        .map_err(|error| error.to_string())?;
    let feeder = std::thread::spawn(move || {
        for raw in buffers {
            let mut buffer = gst::Buffer::from_mut_slice(raw.data);
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(gst::ClockTime::from_nseconds(raw.time_ns));
                buffer.set_duration(gst::ClockTime::from_nseconds(raw.duration_ns));
            }
            if input.push_buffer(buffer).is_err() {
                return;
            }
        }
        let _ = input.end_of_stream();
    });
    let mut frames = Vec::new();
    while let Ok(sample) = output.pull_sample() {
        let Some(buffer) = sample.buffer() else {
            continue;
        };
        let map = buffer.map_readable().map_err(|error| error.to_string())?;
        frames.push(EncodedFrame {
            data: map.as_slice().into(),
            keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        });
    }
    let _ = feeder.join();
    let failure = pipeline
        .bus()
        .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    let _ = pipeline.set_state(gst::State::Null);
    match failure.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
        _ => Ok(frames),
    }
}

/// A raw picture or piece of sound.
struct RawBuffer {
    data: Vec<u8>,
    time_ns: u64,
    duration_ns: u64,
}

#[cfg(test)]
mod tests;
