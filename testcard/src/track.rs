//! One published track: its layers, its rhythm, where it is in the peer connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use str0m::Rtc;
use str0m::format::Codec;
use str0m::media::{Frequency, MediaKind, MediaTime, Mid, Rid, Simulcast, SimulcastLayer};

use crate::media::{AudioLoop, EncodedFrame, MediaError, VideoCodec, VideoFormat, VideoLoop};
use crate::pacing::{ContentClock, Pacer};
use crate::{CameraOptions, PublisherOptions};

/// Names of the layers, smallest first, as LiveKit's clients give them.
pub const LAYER_NAMES: [&str; 3] = ["q", "h", "f"];

/// What a publisher has done so far.
#[derive(Debug, Default)]
pub struct PublisherStats {
    pub video_frames: AtomicU64,
    pub audio_packets: AtomicU64,
    pub keyframe_requests: AtomicU64,
}

/// What is sent.
enum Content {
    Audio(Arc<AudioLoop>),
    /// Layers, smallest first.
    Video(Vec<Arc<VideoLoop>>),
}

/// A track that is or will be published.
pub struct Track {
    /// Where it is in the peer connection, once it was offered.
    pub mid: Option<Mid>,
    /// Whether nothing is sent, as if it was paused.
    pub muted: bool,
    content: Content,
    pacer: Pacer,
}

impl Track {
    /// The sound of a publisher.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn microphone(options: &PublisherOptions, clock: ContentClock) -> Result<Self, MediaError> {
        let content = Content::Audio(AudioLoop::get(options.pitch)?);
        let (drift, base) = (options.audio_clock_drift_ppm, rand::random());
        let pacer = Pacer::audio(clock, drift, base, Instant::now());
        Ok(Self::new(content, pacer))
    }

    /// A picture of a publisher.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn video(camera: &CameraOptions, clock: ContentClock) -> Result<Self, MediaError> {
        let layers = camera.layers().into_iter().map(VideoLoop::get);
        let layers = layers.collect::<Result<_, _>>()?;
        // Encoding may have taken a while.
        let now = Instant::now();
        let pacer = Pacer::video(clock, camera.format.frame_rate, rand::random(), now);
        Ok(Self::new(Content::Video(layers), pacer))
    }

    fn new(content: Content, pacer: Pacer) -> Self {
        Self {
            mid: None,
            muted: false,
            content,
            pacer,
        }
    }

    pub fn kind(&self) -> MediaKind {
        match self.content {
            Content::Audio(_) => MediaKind::Audio,
            Content::Video(_) => MediaKind::Video,
        }
    }

    /// The layers of a picture, smallest first; none for sound.
    pub fn formats(&self) -> Vec<VideoFormat> {
        match &self.content {
            Content::Audio(_) => Vec::new(),
            Content::Video(layers) => layers.iter().map(|layer| layer.format).collect(),
        }
    }

    /// The simulcast layers for the offer; `None` for a single one.
    pub fn simulcast(&self) -> Option<Simulcast> {
        let layers = self.layer_names();
        (!layers.is_empty()).then(|| Simulcast {
            send: layers
                .iter()
                .map(|name| SimulcastLayer::new(name))
                .collect(),
            recv: vec![],
        })
    }

    fn layer_names(&self) -> &'static [&'static str] {
        match &self.content {
            Content::Video(layers) if layers.len() > 1 => &LAYER_NAMES[..layers.len()],
            _ => &[],
        }
    }

    /// When it wants to send next.
    pub fn next_at(&self) -> Instant {
        self.pacer.next_at()
    }

    /// Sends what is due; nothing while muted, before the connection stands,
    /// or before the track's offer was answered.
    ///
    /// # Errors
    /// The peer connection does not take it; lower-case, says why.
    pub fn send_due(
        &mut self,
        rtc: &mut Rtc,
        now: Instant,
        connected: bool,
        stats: &PublisherStats,
    ) -> Result<(), String> {
        use Ordering::Relaxed;

        while let Some(due) = self.pacer.due(now) {
            let negotiated = self.mid.filter(|mid| rtc.media(*mid).is_some());
            let Some(mid) = negotiated.filter(|_| connected && !self.muted) else {
                continue;
            };
            match &self.content {
                Content::Audio(audio) => {
                    let packet = at(&audio.packets, due.index);
                    let time = MediaTime::new(due.rtp, Frequency::FORTY_EIGHT_KHZ);
                    write(rtc, mid, None, Codec::Opus, due.taken, time, packet)?;
                    stats.audio_packets.fetch_add(1, Relaxed);
                }
                Content::Video(layers) => {
                    let names = self.layer_names();
                    for (layer, video) in layers.iter().enumerate() {
                        let rid = names.get(layer).map(|name| Rid::from(*name));
                        let codec = match video.format.codec {
                            VideoCodec::Vp8 => Codec::Vp8,
                            VideoCodec::H264 => Codec::H264,
                        };
                        let frame = at(&video.frames, due.index);
                        let time = MediaTime::from_90khz(due.rtp);
                        write(rtc, mid, rid, codec, due.taken, time, frame)?;
                        stats.video_frames.fetch_add(1, Relaxed);
                    }
                }
            }
        }
        Ok(())
    }
}

fn at(frames: &[EncodedFrame], index: u64) -> &EncodedFrame {
    &frames[(index % frames.len() as u64) as usize]
}

fn write(
    rtc: &mut Rtc,
    mid: Mid,
    rid: Option<Rid>,
    codec: Codec,
    taken: Instant,
    time: MediaTime,
    frame: &EncodedFrame,
) -> Result<(), String> {
    let writer = rtc.writer(mid).ok_or("the track is not negotiated")?;
    let payload_type = writer
        .payload_params()
        .find(|params| params.spec().codec == codec)
        .map(|params| params.pt())
        .ok_or_else(|| format!("the server does not take {codec:?}"))?;
    let writer = match rid {
        Some(rid) => writer.rid(rid),
        None => writer,
    };
    // Only one frame may wait in a track: packets of this one go out before the next is written.
    writer
        .write(payload_type, taken, time, frame.data.clone())
        .map_err(|error| error.to_string())
}
