//! What of GStreamer a render needs.

use gstreamer as gst;

use super::output::AacEncoder;
use crate::job::VideoEncoder;

/// Elements of every render, and the package of Debian that brings each.
const ALWAYS: [(&str, &str); 6] = [
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("mp4mux", "gstreamer1.0-plugins-good"),
    ("vp8dec", "gstreamer1.0-plugins-good"),
    ("avdec_h264", "gstreamer1.0-libav"),
    ("opusdec", "gstreamer1.0-plugins-base"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
];

/// Elements that are not installed, each with the package that brings it.
///
/// # Errors
/// GStreamer cannot be used at all, and why.
pub fn missing_elements(
    encoder: VideoEncoder,
) -> Result<Vec<(&'static str, &'static str)>, String> {
    gst::init().map_err(|error| error.to_string())?;
    let encoder = match encoder {
        VideoEncoder::X264 => ("x264enc", "gstreamer1.0-plugins-ugly"),
        VideoEncoder::Openh264 => ("openh264enc", "gstreamer1.0-plugins-bad"),
    };
    let mut missing: Vec<_> = ALWAYS
        .into_iter()
        .chain([encoder])
        .filter(|(element, _)| gst::ElementFactory::find(element).is_none())
        .collect();
    if AacEncoder::installed().is_err() {
        missing.push(("voaacenc", "gstreamer1.0-plugins-bad"));
    }
    Ok(missing)
}
