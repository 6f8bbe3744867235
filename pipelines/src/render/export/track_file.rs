//! A muxer of GStreamer with one track.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrc;

use super::ExportError;
use super::ogg::Filling;
use crate::log::{Codec, Frame, TrackInfo};
use crate::render::decode::coded_size;

/// What may wait for the disk, bytes.
const MOST_WAITING: u64 = 4 << 20;
/// How long the muxer may take to end its file.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// A file with one track. One that is not finished is removed when dropped.
pub struct TrackFile {
    path: PathBuf,
    pipeline: gst::Pipeline,
    source: AppSrc,
    /// Only Ogg.
    filling: Option<Filling>,
    /// Of the last frame, ns.
    last_ns: Option<u64>,
    finished: bool,
}

impl TrackFile {
    /// Begins the file with the track's first frame, from which a decoder can begin. None for a codec
    /// that no file takes.
    ///
    /// # Errors
    /// It is there already, or the muxer cannot be started.
    pub fn create(
        path: &Path,
        info: &TrackInfo,
        first: &Frame,
    ) -> Result<Option<Self>, ExportError> {
        let Some((caps, elements)) = format(info.codec, info.clock_rate, &first.payload) else {
            return Ok(None);
        };
        if path.exists() {
            return Err(ExportError::Exists(path.to_owned()));
        }
        let failed = |detail: String| ExportError::Write {
            path: path.to_owned(),
            detail,
        };
        let description = format!("appsrc name=frames ! {elements} ! filesink name=file");
        let pipeline = gst::parse::launch(&description)
            .map_err(|error| {
                failed(format!(
                    "{error}; install gstreamer1.0-plugins-good and -bad"
                ))
            })?
            .downcast::<gst::Pipeline>()
            .map_err(|_| failed("it is no pipeline".to_owned()))?;
        let source = pipeline
            .by_name("frames")
            .and_then(|element| element.downcast::<AppSrc>().ok())
            .ok_or_else(|| failed("the pipeline has no source".to_owned()))?;
        let sink = pipeline
            .by_name("file")
            .ok_or_else(|| failed("the pipeline has no file".to_owned()))?;
        sink.set_property("location", path);
        source.set_format(gst::Format::Time);
        source.set_caps(Some(&caps));
        source.set_block(true);
        source.set_max_bytes(MOST_WAITING);
        let file = Self {
            path: path.to_owned(),
            pipeline,
            source,
            filling: (info.codec == Codec::Opus).then(Filling::default),
            last_ns: None,
            finished: false,
        };
        file.pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| file.failure(&error.to_string()))?;
        Ok(Some(file))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a frame at recording time `place_ns`, or just behind the one before. Returns where it
    /// is, ns.
    ///
    /// # Errors
    /// The muxer or the disk refuses.
    pub fn write(&mut self, frame: &Frame, place_ns: u64) -> Result<u64, ExportError> {
        let Some(filling) = &mut self.filling else {
            // Containers count in milliseconds.
            let place_ns = place_ns.max(self.last_ns.map_or(0, |last| last + 1_000_000));
            self.last_ns = Some(place_ns);
            self.push(frame.payload.clone(), place_ns, None, !frame.keyframe)?;
            return Ok(place_ns);
        };
        let mut at = place_ns;
        for (packet, place_ns, length_ns) in filling.place(&frame.payload, place_ns) {
            at = place_ns;
            self.push(packet, place_ns, Some(length_ns), false)?;
        }
        Ok(at)
    }

    fn push(
        &self,
        payload: Bytes,
        place_ns: u64,
        length_ns: Option<u64>,
        is_delta: bool,
    ) -> Result<(), ExportError> {
        let mut buffer = gst::Buffer::from_slice(payload);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(place_ns));
            buffer.set_dts(gst::ClockTime::from_nseconds(place_ns));
            buffer.set_duration(length_ns.map(gst::ClockTime::from_nseconds));
            if is_delta {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.source
            .push_buffer(buffer)
            .map(|_| ())
            .map_err(|error| self.failure(&error.to_string()))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The muxer or the disk refuses.
    pub fn finish(mut self) -> Result<(), ExportError> {
        self.source
            .end_of_stream()
            .map_err(|error| self.failure(&error.to_string()))?;
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let ended = self
            .pipeline
            .bus()
            .and_then(|bus| bus.timed_pop_filtered(PATIENCE, &ends));
        match ended.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => {
                self.finished = true;
                Ok(())
            }
            Some(gst::MessageView::Error(error)) => {
                Err(self.write_error(error.error().to_string()))
            }
            _ => Err(self.write_error("the muxer does not end".to_owned())),
        }
    }

    /// What the pipeline says of a failure, or `otherwise`.
    fn failure(&self, otherwise: &str) -> ExportError {
        let said = self
            .pipeline
            .bus()
            .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        let detail = match said.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => otherwise.to_owned(),
        };
        self.write_error(detail)
    }

    fn write_error(&self, detail: String) -> ExportError {
        ExportError::Write {
            path: self.path.clone(),
            detail,
        }
    }
}

impl Drop for TrackFile {
    fn drop(&mut self) {
        // Nothing of ours can be done about a pipeline that does not stop.
        let _ = self.pipeline.set_state(gst::State::Null);
        if !self.finished {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// How frames of a codec are described, and the elements that make a file of them.
fn format(codec: Codec, clock_rate: u32, first: &[u8]) -> Option<(gst::Caps, &'static str)> {
    let sized = |name: &str| {
        let size = coded_size(codec, first)?;
        let (width, height) = (i32::try_from(size.width), i32::try_from(size.height));
        let caps = gst::Caps::builder(name)
            .field("width", width.ok()?)
            .field("height", height.ok()?)
            .field("framerate", gst::Fraction::new(0, 1));
        Some(caps.build())
    };
    // WebM's muxer wants a frame rate, which these parsers drop when none is known.
    match codec {
        Codec::Vp8 => Some((sized("video/x-vp8")?, "webmmux")),
        Codec::H264 => Some((
            gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .build(),
            "h264parse ! video/x-h264,stream-format=avc,alignment=au ! matroskamux",
        )),
        Codec::Vp9 => Some((
            gst::Caps::builder("video/x-vp9")
                .field("alignment", "super-frame")
                .build(),
            "vp9parse ! capssetter caps=video/x-vp9,framerate=(fraction)0/1 ! webmmux",
        )),
        Codec::Av1 => Some((
            gst::Caps::builder("video/x-av1")
                .field("stream-format", "obu-stream")
                .field("alignment", "tu")
                .build(),
            "av1parse ! capssetter caps=video/x-av1,framerate=(fraction)0/1 ! webmmux",
        )),
        Codec::Opus => Some((
            gst::Caps::builder("audio/x-opus")
                .field("rate", 48_000)
                .field("channels", 2)
                .field("channel-mapping-family", 0)
                .build(),
            "opusparse ! oggmux",
        )),
        Codec::Pcm => Some((
            gst::Caps::builder("audio/x-raw")
                .field("format", "S16LE")
                .field("layout", "interleaved")
                .field("rate", i32::try_from(clock_rate).ok()?)
                .field("channels", 1)
                .build(),
            // Told which kind of track it gets, or it makes one for video.
            "audio/x-raw ! matroskamux",
        )),
        Codec::Unknown => None,
    }
}
