//! The media socket between the rooms process, of which its server end is played here, and
//! recorders in a room of it.

mod lost;
mod room;

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tapedeck_pipelines::control::{EndReason, FailureKind};
use tapedeck_pipelines::log::{Codec, TrackKind, TrackSource};
use tapedeck_pipelines::rooms::media::wire::{MAX_FRAME_BYTES, encode_event};
use tapedeck_pipelines::rooms::media::{
    CaptureId, MediaEvent, MediaFrame, MediaNotice, MediaServer, RoomParticipant, RoomState,
    RoomTrack,
};
use tapedeck_pipelines::sources::whip::WhipSource;
use tapedeck_pipelines::sources::{Joined, Known, Participant, SourceEvent, SourceFrame, TrackId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// What happens at once takes no longer, even on a busy machine.
const SOON: Duration = Duration::from_secs(10);

const VIDEO: u32 = 1;
const AUDIO: u32 = 2;

/// Our side of the media socket.
struct Rooms {
    server: MediaServer,
    notices: mpsc::Receiver<MediaNotice>,
}

impl Rooms {
    fn start(socket: &Path) -> Self {
        let (server, notices) = MediaServer::bind(socket).unwrap();
        Self { server, notices }
    }

    async fn notice(&mut self) -> MediaNotice {
        within(SOON, self.notices.recv()).await.unwrap()
    }

    /// Lets the next capture in.
    async fn admit(&mut self, state: RoomState) -> CaptureId {
        loop {
            if let MediaNotice::Subscribed { capture, .. } = self.notice().await {
                self.server.admit(capture, state);
                return capture;
            }
        }
    }

    fn send(&self, room: &str, track: u32, keyframe: bool, payload: &'static [u8]) {
        self.server
            .send_frame(room, frame(track, keyframe, Bytes::from_static(payload)));
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future)
        .await
        .expect("it did not happen in time")
}

fn frame(track: u32, keyframe: bool, payload: Bytes) -> MediaFrame {
    let is_video = track == VIDEO;
    MediaFrame {
        track,
        codec: if is_video { Codec::Vp8 } else { Codec::Opus },
        clock_rate: if is_video { 90_000 } else { 48_000 },
        keyframe,
        contiguous: true,
        rtp: 3_000,
        packets_lost: 5,
        payload,
    }
}

fn track(number: u32, id: &str) -> RoomTrack {
    let is_video = number == VIDEO;
    RoomTrack {
        track: number,
        id: id.to_owned(),
        participant: "PA_1".to_owned(),
        kind: if is_video {
            TrackKind::Video
        } else {
            TrackKind::Audio
        },
        source: if is_video {
            TrackSource::Camera
        } else {
            TrackSource::Microphone
        },
        codec: None,
        muted: false,
        width: 0,
        height: 0,
        layer_heights: Vec::new(),
    }
}

/// A room in which Alice publishes camera and microphone.
fn alice(room_id: &str, tracks: [&str; 2]) -> RoomState {
    RoomState {
        id: room_id.to_owned(),
        participants: vec![RoomParticipant {
            id: "PA_1".to_owned(),
            identity: "alice".to_owned(),
            name: "Alice".to_owned(),
        }],
        tracks: vec![track(VIDEO, tracks[0]), track(AUDIO, tracks[1])],
    }
}

fn nobody(room_id: &str) -> RoomState {
    RoomState {
        id: room_id.to_owned(),
        ..RoomState::default()
    }
}

async fn join(socket: &Path, room: &str) -> (WhipSource, Joined) {
    within(SOON, WhipSource::join(socket, room, Known::default(), SOON))
        .await
        .unwrap()
}

async fn next(source: &mut WhipSource) -> SourceEvent {
    within(SOON, source.next()).await
}

async fn next_frame(source: &mut WhipSource) -> SourceFrame {
    loop {
        if let SourceEvent::Frame(frame) = next(source).await {
            return frame;
        }
    }
}

/// The names of the events up to the first that is called `last`.
async fn up_to(source: &mut WhipSource, last: &str) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let event = next(source).await;
        let text = format!("{event:?}");
        let name = text.split([' ', '(', '{']).next().unwrap().to_owned();
        names.push(name);
        if names.last().is_some_and(|name| name == last) {
            return names;
        }
    }
}
