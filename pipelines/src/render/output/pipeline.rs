use gstreamer as gst;
use gstreamer::prelude::*;

use super::OutputError;
use super::aac::AacEncoder;
use crate::job::{self, OutputSettings, VideoEncoder};
use crate::render::picture::Canvas;

/// Ticks of video time in a second: all usual frame rates divide it.
const VIDEO_TIMESCALE: u32 = 90_000;

/// Encoders and muxer between the sources `pictures`, if there is one, and `sound` and the sink `file`.
pub fn build(
    settings: &OutputSettings,
    with_picture: bool,
    aac: &AacEncoder,
) -> Result<gst::Pipeline, OutputError> {
    let video = match with_picture {
        true => video(settings),
        false => String::new(),
    };
    let pipeline = parse(&description(settings, &video, aac))?;
    set_timescale(&pipeline);
    Ok(pipeline)
}

/// One thread encodes 1280×720 at 30 frames/s several times faster than in real time, and costs 6 %
/// less than two that wait for one another (measured).
fn x264_threads(canvas: job::Canvas) -> u32 {
    let pixels_per_second = canvas.width * canvas.height * canvas.frame_rate;
    if pixels_per_second > 1_280 * 720 * 30 {
        2
    } else {
        1
    }
}

/// What becomes of pictures, as text. x264 decides the same on every run only without its buffer model, and
/// is quick and small without looking ahead; B-frames would delay the picture.
fn video(settings: &OutputSettings) -> String {
    let kbits = settings.video_bitrate.div_ceil(1_000).max(1);
    let encoder = match settings.encoder {
        VideoEncoder::X264 => format!(
            "x264enc speed-preset={} bitrate={kbits} bframes=0 rc-lookahead=0 sync-lookahead=0 \
             threads={} sliced-threads=false vbv-buf-capacity=0 key-int-max=100000 \
             option-string=\"cabac=1:8x8dct=1\" \
             ! video/x-h264,profile=high,stream-format=avc",
            settings.x264_preset,
            x264_threads(settings.canvas)
        ),
        VideoEncoder::Openh264 => format!(
            "openh264enc bitrate={} rate-control=bitrate complexity=low gop-size=100000 \
             multi-thread=1 \
             ! video/x-h264,profile=high ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
            settings.video_bitrate
        ),
    };
    format!(
        "appsrc name=pictures format=time is-live=false block=false max-bytes=0 max-buffers=0 \
         ! {encoder} ! mux. "
    )
}

/// The pipeline as text.
fn description(settings: &OutputSettings, video: &str, aac: &AacEncoder) -> String {
    format!(
        "{video}appsrc name=sound format=time is-live=false block=false max-bytes=0 \
         ! {aac} name=aac bitrate={audio_bitrate} ! mux. \
         mp4mux name=mux fragment-duration=1000 fragment-mode=dash-or-mss streamable=true \
         ! appsink name=file sync=false async=false max-buffers=16",
        aac = aac.element,
        audio_bitrate = settings.audio_bitrate,
    )
}

fn parse(description: &str) -> Result<gst::Pipeline, OutputError> {
    gst::parse::launch(description)
        .map_err(|error| OutputError::Missing {
            action: "make the encoders",
            detail: error.to_string(),
            package: "gstreamer1.0-plugins-good, -bad and -ugly, or choose another encoder",
        })?
        .downcast::<gst::Pipeline>()
        .map_err(|_| failure("make the encoders", "they are no pipeline"))
}

/// An element of the pipeline by its name in [`description`].
pub fn element<T: IsA<gst::Element>>(
    pipeline: &gst::Pipeline,
    name: &str,
) -> Result<T, OutputError> {
    pipeline
        .by_name(name)
        .and_then(|element| element.downcast().ok())
        .ok_or_else(|| failure("make the encoders", format!("{name} is missing")))
}

/// Gives the video track ticks that the slots of the time grid fall on; the muxer's own choice
/// for a variable frame rate would round them, and some players take that for jitter.
fn set_timescale(pipeline: &gst::Pipeline) {
    let muxer = pipeline.by_name("mux");
    let pads = muxer.iter().flat_map(|muxer| muxer.sink_pads());
    for pad in pads.filter(|pad| pad.name().starts_with("video")) {
        if pad.has_property("trak-timescale") {
            pad.set_property("trak-timescale", VIDEO_TIMESCALE);
        }
    }
}

/// Caps of the canvas with a variable frame rate, as unchanged pictures are left out.
pub fn picture_caps(canvas: &Canvas) -> Result<gst::Caps, OutputError> {
    let mut caps = canvas
        .info()
        .to_caps()
        .map_err(|error| failure("describe the canvas", error))?;
    if let Some(caps) = caps.get_mut() {
        caps.set("framerate", gst::Fraction::new(0, 1));
    }
    Ok(caps)
}

pub fn failure(action: &'static str, detail: impl std::fmt::Display) -> OutputError {
    OutputError::Pipeline {
        action,
        detail: detail.to_string(),
    }
}
