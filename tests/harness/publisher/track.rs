//! One published track: its layers, its rhythm, where it is in the peer connection.

use std::sync::Arc;
use std::time::Instant;

use livekit_protocol as proto;
use str0m::Rtc;
use str0m::format::Codec;
use str0m::media::{Frequency, MediaTime, Mid, Rid, Simulcast, SimulcastLayer};

use super::pacing::{ContentClock, Pacer};
use super::{CameraOptions, PublisherOptions, PublisherStats, Source};
use crate::media::{AudioLoop, EncodedFrame, VideoCodec, VideoFormat, VideoLoop};

/// Names of the layers, smallest first, as LiveKit's clients give them.
const LAYER_NAMES: [&str; 3] = ["q", "h", "f"];

/// What is sent.
enum Content {
    Audio(Arc<AudioLoop>),
    /// Layers, smallest first.
    Video(Vec<Arc<VideoLoop>>),
}

pub struct Track {
    pub source: Source,
    /// The client's id, by which the server finds the track in the offer.
    pub client_id: String,
    /// `TR_…`, once the server told it.
    pub sid: Option<String>,
    pub mid: Option<Mid>,
    pub muted: bool,
    content: Content,
    pacer: Pacer,
}

impl Track {
    pub fn microphone(options: &PublisherOptions, clock: ContentClock) -> Self {
        let pacer = Pacer::audio(
            clock,
            options.audio_clock_drift_ppm,
            rand::random(),
            Instant::now(),
        );
        Self::new(
            Source::Microphone,
            Content::Audio(AudioLoop::get(options.pitch)),
            pacer,
        )
    }

    pub fn video(source: Source, camera: &CameraOptions, clock: ContentClock) -> Self {
        let layers = camera.layers().into_iter().map(VideoLoop::get).collect();
        // Encoding may have taken a while.
        let now = Instant::now();
        let pacer = Pacer::video(clock, camera.format.frame_rate, rand::random(), now);
        Self::new(source, Content::Video(layers), pacer)
    }

    fn new(source: Source, content: Content, pacer: Pacer) -> Self {
        Self {
            source,
            client_id: format!("{source:?}-{:08x}", rand::random::<u32>()),
            sid: None,
            mid: None,
            muted: false,
            content,
            pacer,
        }
    }

    pub fn is_audio(&self) -> bool {
        matches!(self.content, Content::Audio(_))
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

    /// What the server is told before the offer.
    pub fn announcement(&self) -> proto::AddTrackRequest {
        let mut request = proto::AddTrackRequest {
            cid: self.client_id.clone(),
            name: format!("{:?}", self.source),
            source: match self.source {
                Source::Microphone => proto::TrackSource::Microphone,
                Source::Camera => proto::TrackSource::Camera,
                Source::ScreenShare => proto::TrackSource::ScreenShare,
            } as i32,
            disable_red: true,
            ..Default::default()
        };
        match &self.content {
            Content::Audio(_) => request.r#type = proto::TrackType::Audio as i32,
            Content::Video(layers) => {
                let formats: Vec<VideoFormat> = layers.iter().map(|layer| layer.format).collect();
                let largest = formats[formats.len() - 1];
                request.r#type = proto::TrackType::Video as i32;
                request.width = largest.width;
                request.height = largest.height;
                request.layers = video_layers(&formats);
                request.simulcast_codecs = vec![proto::SimulcastCodec {
                    codec: match largest.codec {
                        VideoCodec::Vp8 => "vp8",
                        VideoCodec::H264 => "h264",
                    }
                    .to_owned(),
                    cid: self.client_id.clone(),
                    layers: request.layers.clone(),
                    ..Default::default()
                }];
            }
        }
        request
    }

    /// When it wants to send next.
    pub fn next_at(&self) -> Instant {
        self.pacer.next_at()
    }

    /// Sends what is due; nothing while muted, before the connection stands,
    /// or before the track's offer was answered.
    pub fn send_due(
        &mut self,
        rtc: &mut Rtc,
        now: Instant,
        connected: bool,
        stats: &PublisherStats,
    ) -> Result<(), String> {
        use std::sync::atomic::Ordering::Relaxed;

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
    writer
        .write(payload_type, taken, time, frame.data.clone())
        .map_err(|error| error.to_string())?;
    // Only one frame may wait in a track: packets of this one go out before the next is written.
    Ok(())
}

fn video_layers(formats: &[VideoFormat]) -> Vec<proto::VideoLayer> {
    use proto::VideoQuality::{High, Low, Medium};

    let qualities = match formats.len() {
        1 => vec![High],
        2 => vec![Low, High],
        _ => vec![Low, Medium, High],
    };
    formats
        .iter()
        .zip(qualities)
        .enumerate()
        .map(|(index, (format, quality))| proto::VideoLayer {
            quality: quality as i32,
            width: format.width,
            height: format.height,
            bitrate: format.width * format.height * format.frame_rate / 5,
            rid: if formats.len() > 1 {
                LAYER_NAMES[index].to_owned()
            } else {
                String::new()
            },
            spatial_layer: index as i32,
            ..Default::default()
        })
        .collect()
}
