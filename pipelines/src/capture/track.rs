//! One published track: what the log knows of it, and the numbers about it.

use crate::control::TrackStatus;
use crate::log::{Codec, TrackInfo, TrackKind, TrackNumber};
use crate::sources::{Publication, SourceFrame, TrackId};

use super::gaps::{Awaited, KEY_FRAME_AWAITED};
use super::timeline::Timeline;

/// How long a track may be waited for to begin with a key frame after a pause, nanoseconds. Longer,
/// and its key frames are not recognised.
const KEYFRAME_WAIT_NS: u64 = 10_000_000_000;

/// A published track.
pub struct Track {
    pub publication: Publication,
    /// As the log knows it; none while its codec is not known.
    pub logged: Option<Logged>,
    pub timeline: Timeline,
    /// The next frame does not follow the one before.
    pub interrupted: bool,
    /// Whether its next frame is awaited: what comes before it is missing.
    pub awaited: Option<Awaited>,
    /// After a pause: until when it may begin with a key frame only, nanoseconds of recording time.
    keyframe_only_until_ns: Option<u64>,
    /// Arrival of the last frame since it was unmuted, nanoseconds of recording time.
    pub last_frame_ns: Option<u64>,
    pub frames: u64,
    pub bytes: u64,
    pub packets_lost: u64,
    pub width: u32,
    pub height: u32,
}

/// A track as the log announced it.
#[derive(Clone, Copy)]
pub struct Logged {
    pub number: TrackNumber,
    pub codec: Codec,
}

impl Track {
    /// A track without frames.
    pub fn new(publication: Publication) -> Self {
        Self {
            publication,
            logged: None,
            timeline: Timeline::default(),
            interrupted: false,
            awaited: None,
            keyframe_only_until_ns: None,
            last_frame_ns: None,
            frames: 0,
            bytes: 0,
            packets_lost: 0,
            width: 0,
            height: 0,
        }
    }

    /// Nothing is taken of it for a while.
    pub fn pause(&mut self) {
        self.interrupted = true;
        self.awaited = None;
        self.last_frame_ns = None;
    }

    /// It goes on after a pause; a picture begins with a key frame then.
    pub fn resume(&mut self, now_ns: u64) {
        self.keyframe_only_until_ns = (self.publication.kind == TrackKind::Video)
            .then(|| now_ns.saturating_add(KEYFRAME_WAIT_NS));
        if self.publication.kind == TrackKind::Video {
            self.await_frame(now_ns, KEY_FRAME_AWAITED);
        }
    }

    /// Its next frame is awaited from now on, unless it is muted.
    pub fn await_frame(&mut self, since_ns: u64, reason: &'static str) {
        self.awaited = (!self.publication.muted).then_some(Awaited { since_ns, reason });
    }

    /// Whether it can go on with this frame.
    pub fn takes_up_with(&mut self, frame: &SourceFrame, now_ns: u64) -> bool {
        let waits = self
            .keyframe_only_until_ns
            .is_some_and(|until_ns| !frame.keyframe && now_ns < until_ns);
        if !waits {
            self.keyframe_only_until_ns = None;
        }
        !waits
    }

    /// For a snapshot; `layer` names the simulcast layer asked for.
    pub fn status(&self, layer: impl Fn(&TrackId) -> String) -> TrackStatus {
        let publication = &self.publication;
        let codec = self.logged.map(|logged| logged.codec).or(publication.codec);
        TrackStatus {
            id: publication.id.to_string(),
            kind: publication.kind.name().to_owned(),
            source: publication.source.name().to_owned(),
            codec: codec.unwrap_or(Codec::Unknown).name().to_owned(),
            width: self.width,
            height: self.height,
            layer: layer(&publication.id),
            muted: publication.muted,
            frames: self.frames,
            bytes: self.bytes,
            packets_lost: self.packets_lost,
        }
    }

    /// How the log announces it, as `logged`.
    pub fn info(&self, logged: Logged, clock_rate: Option<u32>) -> TrackInfo {
        let publication = &self.publication;
        let usual = match publication.kind {
            TrackKind::Audio => 48_000,
            TrackKind::Video => 90_000,
        };
        TrackInfo {
            track: logged.number,
            id: publication.id.to_string(),
            participant: publication.participant.clone(),
            kind: publication.kind,
            source: publication.source,
            codec: logged.codec,
            clock_rate: clock_rate.unwrap_or(usual),
            muted: publication.muted,
        }
    }
}
