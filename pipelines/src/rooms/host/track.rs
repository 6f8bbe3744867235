use std::time::Instant;

use str0m::media::{Mid, Rid};

use crate::log::{Codec, TrackKind};
use crate::sources::peer::PeerFrame;
use crate::sources::picture_size;

use super::super::keyframe_limit::KeyframeLimit;
use super::super::media::{MediaFrame, TrackNumber};
use super::super::sdp::OfferedTrack;
use super::super::simulcast::{LayerFrame, Simulcast};

/// A track as it is received.
#[derive(Debug)]
pub struct Track {
    pub number: TrackNumber,
    pub mid: Mid,
    pub kind: TrackKind,
    /// Of the frames that came.
    pub codec: Option<Codec>,
    /// Frames for captures.
    pub frames: u64,
    /// Likewise, media bytes.
    pub bytes: u64,
    pub packets_lost: u64,
    simulcast: Option<Simulcast>,
    limit: KeyframeLimit,
}

/// What came of a frame.
#[derive(Debug, Default)]
pub struct Received {
    /// For captures.
    pub frame: Option<MediaFrame>,
    /// What it changed about what is known of the track.
    pub news: News,
    /// A key frame is to be asked for, of this layer.
    pub ask: Option<Rid>,
}

/// What became known of a track.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    pub codec: Option<Codec>,
    /// Pixels of the picture that captures get.
    pub size: Option<(u32, u32)>,
    /// Heights of the simulcast layers, pixels, ascending.
    pub layer_heights: Option<Vec<u32>>,
}

impl Track {
    /// A track that was offered.
    pub fn new(number: TrackNumber, offered: &OfferedTrack) -> Self {
        Self {
            number,
            mid: Mid::from(offered.mid.as_str()),
            kind: offered.kind,
            codec: None,
            frames: 0,
            bytes: 0,
            packets_lost: 0,
            simulcast: (offered.layers.len() > 1).then(Simulcast::default),
            limit: KeyframeLimit::default(),
        }
    }

    /// A frame came.
    pub fn receive(&mut self, frame: PeerFrame, now: Instant) -> Received {
        let mut received = Received::default();
        let is_key = frame.keyframe && self.kind == TrackKind::Video;
        let size = is_key
            .then(|| picture_size(frame.codec, &frame.payload))
            .flatten();
        let mut rtp = frame.rtp;
        let mut contiguous = frame.contiguous;
        if let Some(simulcast) = &mut self.simulcast
            && let Some(rid) = frame.rid
        {
            let before = is_key.then(|| simulcast.heights());
            let decision = simulcast.frame(
                LayerFrame {
                    rid,
                    keyframe: frame.keyframe,
                    rtp,
                    bytes: frame.payload.len(),
                    height: size.map(|(_, height)| height),
                },
                now,
            );
            if before.is_some_and(|before| before != simulcast.heights()) {
                received.news.layer_heights = Some(simulcast.heights());
            }
            received.ask = decision.ask.filter(|_| self.limit.ask(now));
            let Some(forwarded) = decision.forward else {
                return received;
            };
            rtp = forwarded;
            contiguous |= decision.switched;
        }
        if is_key {
            self.limit.came();
        }
        self.frames += 1;
        self.bytes += frame.payload.len() as u64;
        self.packets_lost += frame.packets_lost;
        if self.codec != Some(frame.codec) {
            self.codec = Some(frame.codec);
            received.news.codec = self.codec;
        }
        received.news.size = size;
        received.frame = Some(MediaFrame {
            track: self.number,
            codec: frame.codec,
            clock_rate: frame.clock_rate,
            keyframe: frame.keyframe,
            contiguous,
            rtp,
            packets_lost: u32::try_from(frame.packets_lost).unwrap_or(u32::MAX),
            payload: frame.payload,
        });
        received
    }

    /// The RTP time of a sender report in what captures get; none if they get another layer.
    pub fn report(&mut self, rid: Option<Rid>, rtp: u32, ntp_ns: i64) -> Option<u32> {
        match (&mut self.simulcast, rid) {
            (Some(simulcast), Some(rid)) => simulcast.report(rid, rtp, ntp_ns),
            _ => Some(rtp),
        }
    }

    /// A capture needs a key frame. Returns what to ask for, unless it was asked for just now.
    pub fn ask_keyframe(&mut self, now: Instant) -> Option<Option<Rid>> {
        if self.kind != TrackKind::Video || !self.limit.ask(now) {
            return None;
        }
        match &self.simulcast {
            // Before the first one each layer begins with a key frame by itself.
            Some(simulcast) => simulcast.forwarded().map(Some),
            None => Some(None),
        }
    }

    /// Captures want pictures no larger than this, pixels; none for the largest.
    pub fn want_height(&mut self, height: Option<u32>) {
        if let Some(simulcast) = &mut self.simulcast {
            simulcast.want_height(height);
        }
    }

    /// `low`, `medium` or `high`, where there is a choice.
    pub fn layer(&self) -> &'static str {
        self.simulcast.as_ref().map_or("", Simulcast::name)
    }
}
