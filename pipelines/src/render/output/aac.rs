use gstreamer as gst;

use super::OutputError;
use crate::render::sound::{RATE, Stereo};

/// An AAC encoder of GStreamer.
pub struct AacEncoder {
    /// Its name in GStreamer.
    pub element: &'static str,
    /// Samples of silence that it puts before the sound.
    pub priming: usize,
    /// The sample format that it takes.
    float: bool,
}

/// AAC encoders, the cheapest first.
const AAC_ENCODERS: [AacEncoder; 2] = [
    AacEncoder {
        element: "voaacenc",
        priming: 1_600,
        float: false,
    },
    AacEncoder {
        element: "avenc_aac",
        priming: 1_024,
        float: true,
    },
];

/// Samples in an AAC frame.
pub const AAC_FRAME: u64 = 1_024;

impl AacEncoder {
    /// The cheapest that is installed.
    pub fn installed() -> Result<&'static Self, OutputError> {
        AAC_ENCODERS
            .iter()
            .find(|encoder| gst::ElementFactory::find(encoder.element).is_some())
            .ok_or_else(|| OutputError::Missing {
                action: "encode AAC",
                detail: "neither voaacenc nor avenc_aac is installed".into(),
                package: "gstreamer1.0-plugins-bad or gstreamer1.0-libav",
            })
    }

    /// What it takes.
    pub fn input_caps(&self) -> gst::Caps {
        gst::Caps::builder("audio/x-raw")
            .field("format", if self.float { "F32LE" } else { "S16LE" })
            .field("layout", "interleaved")
            .field("rate", RATE as i32)
            .field("channels", 2)
            .field("channel-mask", gst::Bitmask::new(0x3))
            .build()
    }

    /// Samples in the format that it takes.
    pub fn input_bytes(&self, samples: &[Stereo]) -> Vec<u8> {
        let values = samples.iter().flatten();
        if self.float {
            values.flat_map(|value| value.to_le_bytes()).collect()
        } else {
            values
                .flat_map(|value| ((value * 32_767.0).round() as i16).to_le_bytes())
                .collect()
        }
    }
}
