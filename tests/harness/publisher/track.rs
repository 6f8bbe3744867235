//! A track as LiveKit's signalling knows it.

use livekit_protocol as proto;
use str0m::media::MediaKind;
use testcard::Track;
use testcard::media::{VideoCodec, VideoFormat};
use testcard::track::LAYER_NAMES;

use super::Source;

pub struct PublishedTrack {
    pub source: Source,
    /// The client's id, by which the server finds the track in the offer.
    pub client_id: String,
    /// `TR_…`, once the server told it.
    pub sid: Option<String>,
    pub media: Track,
}

impl PublishedTrack {
    pub fn new(source: Source, media: Track) -> Self {
        Self {
            source,
            client_id: format!("{source:?}-{:08x}", rand::random::<u32>()),
            sid: None,
            media,
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
            r#type: match self.media.kind() {
                MediaKind::Audio => proto::TrackType::Audio,
                MediaKind::Video => proto::TrackType::Video,
            } as i32,
            ..Default::default()
        };
        let formats = self.media.formats();
        if let Some(largest) = formats.last() {
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
        request
    }
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
