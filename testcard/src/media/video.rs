//! Encoded video loops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{EncodedFrame, LOOP_SECONDS, MediaError, Pattern, RawBuffer, paint, run_pipeline};

/// What a publisher encodes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    Vp8,
    /// Constrained baseline, Annex B.
    H264,
}

impl VideoCodec {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H.264",
        }
    }
}

/// A kind of picture; equal formats share one encoded loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    pub codec: VideoCodec,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: u32,
    pub pattern: Pattern,
    /// The colour, degrees.
    pub hue: u16,
    /// Frames from one keyframe to the next.
    pub keyframe_interval: u32,
}

impl VideoFormat {
    /// VP8 640×360 at 15 frames/s with a keyframe each half second.
    pub fn vp8(hue: u16) -> Self {
        Self {
            codec: VideoCodec::Vp8,
            width: 640,
            height: 360,
            frame_rate: 15,
            pattern: Pattern::Flat,
            hue,
            keyframe_interval: 8,
        }
    }

    /// The same in H.264.
    pub fn h264(hue: u16) -> Self {
        Self {
            codec: VideoCodec::H264,
            ..Self::vp8(hue)
        }
    }

    /// How many frames a flash lasts: about a fifteenth of a second, at least one.
    pub fn flash_frames(&self) -> u32 {
        (self.frame_rate / 15).max(1)
    }

    pub(super) fn loop_frames(&self) -> u32 {
        self.frame_rate * LOOP_SECONDS
    }

    /// Bits per second: enough that the picture keeps its shape.
    fn bitrate(&self) -> u32 {
        let pixels_per_second = self.width * self.height * self.frame_rate;
        (pixels_per_second / 5).max(150_000)
    }

    fn encoder(&self) -> String {
        let Self {
            keyframe_interval, ..
        } = self;
        let bitrate = self.bitrate();
        match self.codec {
            VideoCodec::Vp8 => format!(
                "vp8enc deadline=1 cpu-used=4 threads=1 lag-in-frames=0 end-usage=cbr \
                 keyframe-max-dist={keyframe_interval} target-bitrate={bitrate}"
            ),
            VideoCodec::H264 => format!(
                "x264enc tune=zerolatency speed-preset=veryfast threads=1 bframes=0 aud=false \
                 byte-stream=true key-int-max={keyframe_interval} option-string=scenecut=0 \
                 bitrate={} ! \
                 video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au",
                bitrate / 1_000
            ),
        }
    }
}

/// [`LOOP_SECONDS`] of encoded pictures; the first is a keyframe, so that the loop can be repeated.
#[derive(Debug)]
pub struct VideoLoop {
    pub format: VideoFormat,
    pub frames: Vec<EncodedFrame>,
}

static CACHE: Mutex<Option<HashMap<VideoFormat, Arc<VideoLoop>>>> = Mutex::new(None);

impl VideoLoop {
    /// The loop of that format, encoded when it is asked for first.
    ///
    /// # Errors
    /// GStreamer lacks the encoder.
    pub fn get(format: VideoFormat) -> Result<Arc<Self>, MediaError> {
        let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = cache.get_or_insert_default();
        if let Some(known) = cache.get(&format) {
            return Ok(known.clone());
        }
        let encoded = encode(format).map_err(|reason| MediaError::Encoder {
            what: format.codec.name(),
            reason,
        })?;
        Ok(cache.entry(format).or_insert(Arc::new(encoded)).clone())
    }
}

fn encode(format: VideoFormat) -> Result<VideoLoop, String> {
    let VideoFormat {
        width,
        height,
        frame_rate,
        ..
    } = format;
    let description = format!(
        "appsrc name=input format=time caps=video/x-raw,format=I420,width={width},\
         height={height},framerate={frame_rate}/1 max-buffers=4 block=true ! {} ! \
         appsink name=output sync=false max-buffers=100000",
        format.encoder()
    );
    let duration_ns = 1_000_000_000 / u64::from(frame_rate);
    let pictures = (0..format.loop_frames())
        .map(|index| RawBuffer {
            data: paint(&format, index),
            time_ns: u64::from(index) * 1_000_000_000 / u64::from(frame_rate),
            duration_ns,
        })
        .collect();
    let frames = run_pipeline(&description, pictures)?;
    if frames.len() as u32 != format.loop_frames() {
        return Err("not each picture became one frame".to_owned());
    }
    if !frames[0].keyframe {
        return Err("the first frame is no keyframe".to_owned());
    }
    Ok(VideoLoop { format, frames })
}
