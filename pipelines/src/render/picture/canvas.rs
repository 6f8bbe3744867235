use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::{PictureError, some_luma};
use crate::layout::Rect;
use crate::render::labels::{I420Mut, I420Picture, Overlay};

/// Y, Cb and Cr of the canvas where nothing is.
const BACKGROUND: [u8; 3] = [16, 128, 128];

/// The composed picture: I420, BT.601, limited range.
pub struct Canvas {
    info: gst_video::VideoInfo,
    frame: gst_video::VideoFrame<gst_video::video_frame::Writable>,
}

impl Canvas {
    /// An empty canvas of even sides.
    pub fn new(width: u32, height: u32) -> Result<Self, PictureError> {
        let failed = |detail: &dyn std::fmt::Display| PictureError::new("make the canvas", detail);
        let info = canvas_info(width, height).map_err(|error| failed(&error))?;
        let buffer = gst::Buffer::with_size(info.size()).map_err(|error| failed(&error))?;
        let frame = gst_video::VideoFrame::from_buffer_writable(buffer, &info)
            .map_err(|_| failed(&"the buffer is not writable"))?;
        let mut canvas = Self { info, frame };
        canvas.clear(Rect {
            x: 0,
            y: 0,
            width,
            height,
        });
        Ok(canvas)
    }

    pub fn info(&self) -> &gst_video::VideoInfo {
        &self.info
    }

    /// The canvas as a target of a converter.
    pub fn frame_mut(&mut self) -> &mut gst_video::VideoFrame<gst_video::video_frame::Writable> {
        &mut self.frame
    }

    /// The canvas as a source of a converter.
    pub fn frame(&self) -> gst_video::VideoFrameRef<&gst::BufferRef> {
        self.frame.as_video_frame_ref()
    }

    /// The brightness of some pixels all over the canvas.
    pub fn luma(&self) -> Vec<u8> {
        some_luma(&self.frame())
    }

    /// Copies the canvas into a buffer of the same layout.
    pub fn copy_into(&self, buffer: gst::Buffer) -> Result<gst::Buffer, PictureError> {
        let failed = |detail: &str| PictureError::new("copy the canvas", detail);
        let mut target = gst_video::VideoFrame::from_buffer_writable(buffer, &self.info)
            .map_err(|_| failed("the buffer is not writable"))?;
        self.frame
            .copy(&mut target)
            .map_err(|error| failed(&error.to_string()))?;
        Ok(target.into_buffer())
    }

    /// Empties a part of the canvas.
    pub fn clear(&mut self, place: Rect) {
        for (plane, value) in BACKGROUND.into_iter().enumerate() {
            for row in self.rows(plane as u32, place) {
                row.fill(value);
            }
        }
    }

    /// Draws a picture of the size of its place.
    pub fn draw(&mut self, picture: &I420Picture, place: Rect) {
        let planes = [&picture.y, &picture.u, &picture.v];
        for (plane, data) in planes.into_iter().enumerate() {
            let width = if plane == 0 {
                picture.width
            } else {
                picture.width / 2
            } as usize;
            let sources = data.chunks_exact(width.max(1));
            for (row, source) in self.rows(plane as u32, place).zip(sources) {
                let count = row.len().min(source.len());
                row[..count].copy_from_slice(&source[..count]);
            }
        }
    }

    /// Lays an overlay on the canvas.
    pub fn blend(&mut self, overlay: &Overlay, x: u32, y: u32) {
        let strides = [self.frame.plane_stride()[0], self.frame.plane_stride()[1]];
        let [luma, u, v, _] = self.frame.planes_data_mut();
        let mut planes = I420Mut {
            y: luma,
            u,
            v,
            y_stride: strides[0] as usize,
            chroma_stride: strides[1] as usize,
            width: self.info.width() as usize,
            height: self.info.height() as usize,
        };
        overlay.blend(&mut planes, x, y);
    }

    /// The rows of a place in a plane.
    fn rows(&mut self, plane: u32, place: Rect) -> impl Iterator<Item = &mut [u8]> {
        let stride = self.frame.plane_stride()[plane as usize].max(1) as usize;
        let shift = u32::from(plane > 0);
        let columns = (place.x >> shift) as usize..((place.x + place.width) >> shift) as usize;
        let (top, count) = (
            (place.y >> shift) as usize,
            (place.height >> shift) as usize,
        );
        self.frame
            .plane_data_mut(plane)
            .unwrap_or_default()
            .chunks_mut(stride)
            .skip(top)
            .take(count)
            .filter_map(move |row| row.get_mut(columns.clone()))
    }
}

/// How the canvas lies in memory and what its colours mean.
fn canvas_info(width: u32, height: u32) -> Result<gst_video::VideoInfo, gst::glib::BoolError> {
    let colours: gst_video::VideoColorimetry = "bt601".parse()?;
    gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
        .colorimetry(&colours)
        .build()
}
