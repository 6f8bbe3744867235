//! What is measured.

use std::fmt;

use clap::ValueEnum;
use harness::media::{Pattern, VideoFormat};
use harness::publisher::PublisherOptions;
use serde::Serialize;
use tapedeck_pipelines::job::OutputFormat;

/// What the cameras show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Picture {
    /// An even colour with a square that wanders.
    Flat,
    /// Texture that moves everywhere, with noise.
    Busy,
}

/// One room and one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    pub publishers: u32,
    pub picture: Picture,
    /// Greatest frame rate of the output.
    pub rate: u32,
    /// Frame rate of the cameras.
    pub camera_rate: u32,
    /// What is made of it.
    pub format: OutputFormat,
}

impl Case {
    /// Every combination.
    pub fn all(
        publishers: &[u32],
        pictures: &[Picture],
        rates: &[u32],
        camera_rate: u32,
    ) -> Vec<Self> {
        let mut cases = Vec::new();
        for &rate in rates {
            for &picture in pictures {
                for &publishers in publishers {
                    cases.push(Self {
                        publishers,
                        picture,
                        rate,
                        camera_rate,
                        format: OutputFormat::Mp4,
                    });
                }
            }
        }
        cases
    }

    /// The same room, recorded as WAV.
    pub fn wav(publishers: u32, camera_rate: u32) -> Self {
        Self {
            publishers,
            picture: Picture::Flat,
            rate: camera_rate,
            camera_rate,
            format: OutputFormat::Wav,
        }
    }

    /// The publishers of the room.
    pub fn options(&self) -> Vec<PublisherOptions> {
        (0..self.publishers)
            .map(|index| PublisherOptions::new(index).with_video(self.format(index)))
            .collect()
    }

    /// What a publisher's camera sends.
    pub fn format(&self, index: u32) -> VideoFormat {
        let pattern = match self.picture {
            Picture::Flat => Pattern::Flat,
            Picture::Busy => Pattern::Busy,
        };
        VideoFormat {
            pattern,
            frame_rate: self.camera_rate,
            keyframe_interval: self.camera_rate,
            ..VideoFormat::vp8((index * 40) as u16)
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let picture = match self.picture {
            Picture::Flat => "flat",
            Picture::Busy => "busy",
        };
        if self.format == OutputFormat::Wav {
            return write!(f, "{} as WAV", self.publishers);
        }
        write!(
            f,
            "{} {picture}, output up to {} frames/s",
            self.publishers, self.rate
        )
    }
}
