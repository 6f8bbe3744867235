//! What a publisher sends.

use crate::media::{VideoCodec, VideoFormat};

/// A participant and its media.
#[derive(Clone, Debug)]
pub struct PublisherOptions {
    pub identity: String,
    /// The displayed name.
    pub name: String,
    /// The beep, Hz.
    pub pitch: u32,
    /// When it flashes and beeps: this long after each whole second of the wall clock, s.
    pub phase: f64,
    pub microphone: bool,
    pub camera: Option<CameraOptions>,
    pub screen_share: Option<CameraOptions>,
    /// How much faster than the wall clock the microphone's sample clock runs, parts per million.
    /// Flash and beep stay together; only the RTP times of the sound drift.
    pub audio_clock_drift_ppm: f64,
}

/// A picture to send.
#[derive(Clone, Copy, Debug)]
pub struct CameraOptions {
    pub format: VideoFormat,
    /// Also half and a quarter of the size.
    pub simulcast: bool,
}

impl CameraOptions {
    /// One layer of that format.
    pub fn new(format: VideoFormat) -> Self {
        Self {
            format,
            simulcast: false,
        }
    }

    /// The layers, smallest first.
    pub fn layers(&self) -> Vec<VideoFormat> {
        let divisors: &[u32] = if self.simulcast { &[4, 2, 1] } else { &[1] };
        divisors
            .iter()
            .map(|divisor| VideoFormat {
                width: self.format.width / divisor / 2 * 2,
                height: self.format.height / divisor / 2 * 2,
                ..self.format
            })
            .collect()
    }
}

impl PublisherOptions {
    /// Publisher `index` (0 to 8) of a room: own identity, pitch, phase and colour; VP8 640×360 at
    /// 15 frames/s and Opus.
    pub fn new(index: u32) -> Self {
        Self {
            identity: format!("publisher-{index}"),
            name: format!("Publisher {index}"),
            pitch: 400 + 200 * index,
            phase: f64::from(index) * 0.11,
            microphone: true,
            camera: Some(CameraOptions::new(VideoFormat::vp8((index * 40) as u16))),
            screen_share: None,
            audio_clock_drift_ppm: 0.0,
        }
    }

    /// With another identity and displayed name.
    pub fn called(mut self, identity: &str, name: &str) -> Self {
        identity.clone_into(&mut self.identity);
        self.named(name)
    }

    /// With another displayed name.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The camera sends that format.
    pub fn with_video(mut self, format: VideoFormat) -> Self {
        self.camera = Some(CameraOptions::new(format));
        self
    }

    /// The camera sends H.264.
    pub fn with_h264(mut self) -> Self {
        if let Some(camera) = &mut self.camera {
            camera.format.codec = VideoCodec::H264;
        }
        self
    }

    /// The camera sends three layers.
    pub fn with_simulcast(mut self) -> Self {
        if let Some(camera) = &mut self.camera {
            camera.simulcast = true;
        }
        self
    }

    /// Microphone only.
    pub fn audio_only(mut self) -> Self {
        self.camera = None;
        self
    }

    /// Camera only.
    pub fn video_only(mut self) -> Self {
        self.microphone = false;
        self
    }

    /// What pictures are encoded with; all of them alike.
    pub fn video_codec(&self) -> VideoCodec {
        self.camera
            .or(self.screen_share)
            .map_or(VideoCodec::Vp8, |camera| camera.format.codec)
    }
}
