use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

/// Pixels that are looked at in a row, and rows: a lamp in a dark room is not missed.
const SAMPLES: usize = 48;

/// How much brighter than its darkest pixel the brightest is at least in a picture of which something
/// is seen, of 255.
const CONTRAST: u8 = 32;

/// The brightness of some pixels all over a picture; nothing of formats whose first plane is not
/// brightness in bytes.
pub fn some_luma(frame: &gst_video::VideoFrameRef<&gst::BufferRef>) -> Vec<u8> {
    let info = frame.info();
    let is_luma = info.is_yuv() && info.comp_depth(0) == 8 && info.comp_pstride(0) == 1;
    let Ok(plane) = frame.plane_data(0) else {
        return Vec::new();
    };
    let (width, height) = (info.width() as usize, info.height() as usize);
    let stride = frame.plane_stride()[0].max(0) as usize;
    if !is_luma || stride < width {
        return Vec::new();
    }
    let rows = plane
        .chunks(stride)
        .take(height)
        .step_by((height / SAMPLES).max(1));
    let pixels = rows.flat_map(|row| row.iter().take(width).step_by((width / SAMPLES).max(1)));
    pixels.copied().collect()
}

/// Whether anything is to be told apart in a picture of these brightnesses.
pub fn has_contrast(luma: &[u8]) -> bool {
    let (darkest, brightest) = (luma.iter().min(), luma.iter().max());
    match (darkest, brightest) {
        (Some(darkest), Some(brightest)) => brightest - darkest >= CONTRAST,
        _ => false,
    }
}
