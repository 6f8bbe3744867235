use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use crate::render::picture::{Canvas, PictureError};

/// How good a picture is, of 100.
const QUALITY: i32 = 80;
/// How long one picture may take.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// Makes JPEGs of a canvas, scaled.
pub struct JpegEncoder {
    converter: gst_video::VideoConverter,
    target: gst_video::VideoInfo,
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
}

impl JpegEncoder {
    /// For canvases that lie in memory as `canvas` tells; pictures are `width` wide.
    ///
    /// # Errors
    /// The encoder is not installed.
    pub fn new(canvas: &gst_video::VideoInfo, width: u32) -> Result<Self, PictureError> {
        let width = width.min(canvas.width()) & !1;
        let height = (width * canvas.height() / canvas.width().max(1)).max(2) & !1;
        // What readers of JPEG files expect, in contrast to video: full range.
        let colours: gst_video::VideoColorimetry = "1:4:0:0".parse().map_err(|e| failed(&e))?;
        let target = gst_video::VideoInfo::builder(canvas.format(), width, height)
            .colorimetry(&colours)
            .fps(canvas.fps())
            .build()
            .map_err(|error| failed(&error))?;
        let mut config = gst_video::VideoConverterConfig::new();
        config.set_threads(1);
        config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
        let converter = gst_video::VideoConverter::new(canvas, &target, Some(config))
            .map_err(|error| failed(&error))?;
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=source format=time ! jpegenc quality={QUALITY} \
             ! appsink name=sink sync=false async=false max-buffers=2"
        ))
        .map_err(|error| failed(&error))?
        .downcast::<gst::Pipeline>()
        .map_err(|_| failed(&"it is no pipeline"))?;
        let source: gst_app::AppSrc = part(&pipeline, "source")?;
        let sink: gst_app::AppSink = part(&pipeline, "sink")?;
        source.set_caps(Some(&target.to_caps().map_err(|error| failed(&error))?));
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| failed(&error))?;
        Ok(Self {
            converter,
            target,
            pipeline,
            source,
            sink,
        })
    }

    /// The canvas as a JPEG.
    ///
    /// # Errors
    /// The encoder fails.
    pub fn encode(&mut self, canvas: &Canvas) -> Result<Vec<u8>, PictureError> {
        let buffer = gst::Buffer::with_size(self.target.size()).map_err(|error| failed(&error))?;
        let mut frame = gst_video::VideoFrame::from_buffer_writable(buffer, &self.target)
            .map_err(|_| failed(&"the buffer is not writable"))?;
        self.converter
            .frame_ref(&canvas.frame(), &mut frame.as_mut_video_frame_ref());
        let mut buffer = frame.into_buffer();
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::ZERO);
        }
        self.source
            .push_buffer(buffer)
            .map_err(|error| failed(&error))?;
        let sample = self
            .sink
            .try_pull_sample(PATIENCE)
            .ok_or_else(|| failed(&"the encoder gives nothing"))?;
        let map = sample
            .buffer()
            .and_then(|buffer| buffer.map_readable().ok());
        Ok(map
            .ok_or_else(|| failed(&"the picture cannot be read"))?
            .to_vec())
    }
}

impl Drop for JpegEncoder {
    fn drop(&mut self) {
        // It has nothing to write.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Width and height that a JPEG's frame header tells, pixels (ITU-T T.81, B.2.2).
pub fn size(picture: &[u8]) -> Option<(u32, u32)> {
    let mut rest = picture.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let (marker, body) = rest.split_at_checked(4)?;
        let length = usize::from(u16::from_be_bytes([marker[2], marker[3]]));
        if marker[0] != 0xff || length < 2 {
            return None;
        }
        // SOF0 to SOF2: baseline, extended, progressive.
        if matches!(marker[1], 0xc0..=0xc2) {
            let side = |at: usize| {
                Some(u32::from(u16::from_be_bytes([
                    *body.get(at)?,
                    *body.get(at + 1)?,
                ])))
            };
            return Some((side(3)?, side(1)?));
        }
        rest = body.get(length - 2..)?;
    }
}

fn part<T: IsA<gst::Element>>(pipeline: &gst::Pipeline, name: &str) -> Result<T, PictureError> {
    let element = pipeline.by_name(name);
    let element = element.and_then(|element| element.downcast().ok());
    element.ok_or_else(|| failed(&format!("{name} is missing")))
}

fn failed(detail: &dyn std::fmt::Display) -> PictureError {
    PictureError::new(
        "make a JPEG (jpegenc is in gstreamer1.0-plugins-good)",
        detail,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_scaled_and_one_after_the_other_is_made() {
        gst::init().unwrap();
        let canvas = Canvas::new(1_280, 720).unwrap();
        let mut encoder = JpegEncoder::new(canvas.info(), 480).unwrap();
        for _ in 0..3 {
            let picture = encoder.encode(&canvas).unwrap();
            assert_eq!(size(&picture), Some((480, 270)));
            assert!(picture.ends_with(&[0xff, 0xd9]), "it is whole");
        }
        let small = Canvas::new(320, 180).unwrap();
        let picture = JpegEncoder::new(small.info(), 480).unwrap().encode(&small);
        assert_eq!(size(&picture.unwrap()), Some((320, 180)));
        assert_eq!(size(b"no picture"), None);
    }
}
