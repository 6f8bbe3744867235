//! The media socket between the rooms process, of which its server end is played here, and
//! recorders in a room of it.

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
use tapedeck_pipelines::sources::{Joined, SourceEvent, SourceFrame, TrackId};
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
    within(SOON, WhipSource::join(socket, room, Vec::new(), SOON))
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

#[tokio::test]
async fn a_recorder_is_told_who_is_there_and_begins_with_a_key_frame() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let state = alice("RM_1", ["TR_v", "TR_a"]);
    let ((mut source, joined), capture) = tokio::join!(join(&socket, "studio"), rooms.admit(state));
    assert_eq!(joined.room_id, "RM_1");
    assert_eq!(
        up_to(&mut source, "TrackSubscribed").await,
        [
            "ParticipantJoined",
            "TrackPublished",
            "TrackPublished",
            "TrackSubscribed"
        ]
    );
    // It asks by itself, at once.
    let asked = tokio::select! {
        notice = rooms.notice() => notice,
        event = async { next(&mut source).await; next(&mut source).await } => panic!("{event:?}"),
    };
    let track = VIDEO;
    assert_eq!(asked, MediaNotice::KeyFrameWanted { capture, track });
    rooms.send("studio", VIDEO, false, b"refers to what was before");
    rooms.send("studio", AUDIO, false, b"sound");
    rooms.send("studio", VIDEO, true, b"key");
    rooms.send("studio", VIDEO, false, b"delta");
    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.push(next_frame(&mut source).await);
    }
    let seen: Vec<(&str, &[u8], u64)> = frames
        .iter()
        .map(|frame| (&*frame.id, &frame.payload[..], frame.packets_lost))
        .collect();
    assert_eq!(
        seen,
        [
            ("TR_a", &b"sound"[..], 0),
            ("TR_v", b"key", 0),
            ("TR_v", b"delta", 5),
        ]
    );
    assert_eq!(
        (frames[1].codec, frames[1].clock_rate, frames[1].rtp),
        (Codec::Vp8, 90_000, 3_000)
    );
}

#[tokio::test]
async fn requests_reach_the_rooms_process_under_the_number_of_the_track() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let ((mut source, _), capture) = tokio::join!(
        join(&socket, "studio"),
        rooms.admit(alice("RM_1", ["TR_v", "TR_a"]))
    );
    source.set_video_size(&TrackId::from("TR_v"), 640, 360, 15);
    source.request_keyframe(&TrackId::from("TR_unknown"));
    let driving = tokio::spawn(async move {
        loop {
            source.next().await;
        }
    });
    let key_frame = MediaNotice::KeyFrameWanted {
        capture,
        track: VIDEO,
    };
    assert_eq!(rooms.notice().await, key_frame);
    assert_eq!(
        rooms.notice().await,
        MediaNotice::VideoSizeWanted {
            capture,
            track: VIDEO,
            width: 640,
            height: 360,
            frame_rate: 15
        }
    );
    driving.abort();
    assert_eq!(rooms.notice().await, MediaNotice::Left { capture });
    assert_eq!(rooms.server.captures("studio"), 0);
}

#[tokio::test]
async fn each_room_goes_to_its_own_captures() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let mut sources = Vec::new();
    for room in ["studio", "studio", "lobby"] {
        let state = alice("RM_1", ["TR_v", "TR_a"]);
        let ((source, _), _) = tokio::join!(join(&socket, room), rooms.admit(state));
        sources.push(source);
    }
    assert_eq!(rooms.server.captures("studio"), 2);
    rooms.send("studio", AUDIO, false, b"of the studio");
    rooms.send("lobby", AUDIO, false, b"of the lobby");
    let renamed = MediaEvent::ParticipantRenamed {
        id: "PA_1".to_owned(),
        name: "Alice B.".to_owned(),
    };
    rooms.server.tell("studio", &renamed);
    rooms.send("lobby", AUDIO, false, b"of the lobby again");
    for source in &mut sources[..2] {
        assert_eq!(next_frame(source).await.payload, b"of the studio"[..]);
        assert!(matches!(
            next(source).await,
            SourceEvent::ParticipantRenamed { .. }
        ));
    }
    assert_eq!(
        next_frame(&mut sources[2]).await.payload,
        b"of the lobby"[..]
    );
    assert!(matches!(next(&mut sources[2]).await, SourceEvent::Frame(_)));
}

#[tokio::test]
async fn a_capture_that_does_not_read_is_disconnected_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let state = alice("RM_1", ["TR_v", "TR_a"]);
    let ((mut slow, _), capture) =
        tokio::join!(join(&socket, "studio"), rooms.admit(state.clone()));
    let ((mut quick, _), _) = tokio::join!(join(&socket, "studio"), rooms.admit(state.clone()));
    let sent = 300u32;
    let reading = tokio::spawn(async move {
        let mut received = 0;
        while received < sent {
            let frame = next_frame(&mut quick).await;
            assert_eq!(frame.payload[..4], received.to_le_bytes());
            received += 1;
        }
        quick
    });
    for index in 0..sent {
        let mut payload = vec![0; 100_000];
        payload[..4].copy_from_slice(&index.to_le_bytes());
        let sending = Instant::now();
        rooms
            .server
            .send_frame("studio", frame(AUDIO, false, payload.into()));
        assert!(sending.elapsed() < Duration::from_secs(1), "it waited");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let _quick = within(SOON, reading).await.unwrap();
    loop {
        match rooms.notice().await {
            MediaNotice::Left { capture: gone } => {
                assert_eq!(gone, capture);
                break;
            }
            MediaNotice::KeyFrameWanted { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rooms.server.captures("studio"), 1);
    // It notices, comes back and tells what it missed.
    let (names, _) = tokio::join!(up_to(&mut slow, "Restored"), rooms.admit(state));
    assert!(names.contains(&"Interrupted".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_frame_that_is_too_large_is_left_out_and_the_next_one_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let state = alice("RM_1", ["TR_v", "TR_a"]);
    let ((mut source, _), _) = tokio::join!(join(&socket, "studio"), rooms.admit(state));
    for length in [MAX_FRAME_BYTES, MAX_FRAME_BYTES + 1, 100, 200] {
        let payload = Bytes::from(vec![7; length]);
        rooms
            .server
            .send_frame("studio", frame(AUDIO, false, payload));
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let frame = next_frame(&mut source).await;
        assert!(frame.payload.iter().all(|byte| *byte == 7));
        seen.push((frame.payload.len(), frame.contiguous));
    }
    assert_eq!(seen, [(MAX_FRAME_BYTES, true), (100, false), (200, true)]);
}

#[tokio::test]
async fn after_a_new_rooms_process_media_is_back_when_somebody_publishes_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let ((mut source, _), _) = tokio::join!(
        join(&socket, "studio"),
        rooms.admit(alice("RM_1", ["TR_v", "TR_a"]))
    );
    rooms.send("studio", AUDIO, false, b"before");
    next_frame(&mut source).await;
    let lost_after = Instant::now();
    drop(rooms);
    assert_eq!(up_to(&mut source, "Interrupted").await, ["Interrupted"]);
    // It goes on trying while there is no rooms process.
    let nothing = tokio::time::timeout(Duration::from_millis(300), source.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let mut rooms = Rooms::start(&socket);
    let (names, _) = tokio::join!(
        up_to(&mut source, "ParticipantLeft"),
        rooms.admit(nobody("RM_2"))
    );
    assert_eq!(
        names,
        ["TrackUnpublished", "TrackUnpublished", "ParticipantLeft"]
    );
    let mut back = alice("RM_2", ["TR_v2", "TR_a2"]);
    back.participants[0].id = "PA_2".to_owned();
    for track in &mut back.tracks {
        track.participant = "PA_2".to_owned();
    }
    let returning = back.participants.remove(0);
    rooms
        .server
        .tell("studio", &MediaEvent::ParticipantJoined(returning));
    for track in back.tracks {
        rooms
            .server
            .tell("studio", &MediaEvent::TrackPublished(track));
    }
    rooms.send("studio", VIDEO, true, b"after");
    let names = up_to(&mut source, "ParticipantJoined").await;
    assert_eq!(names, ["ParticipantJoined"], "media is not back yet");
    let mut events = Vec::new();
    while !matches!(events.last(), Some(SourceEvent::Frame(_))) {
        events.push(next(&mut source).await);
    }
    let restored = events.iter().find_map(|event| match event {
        SourceEvent::Restored {
            media_lost_since,
            settings_lost: true,
        } => *media_lost_since,
        _ => None,
    });
    let since = restored.expect("media is back with the first frame");
    assert!(since <= lost_after + Duration::from_secs(1));
}

#[tokio::test]
async fn after_a_lost_connection_to_the_same_room_everything_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let state = alice("RM_1", ["TR_v", "TR_a"]);
    let ((mut source, _), _) = tokio::join!(join(&socket, "studio"), rooms.admit(state.clone()));
    rooms.send("studio", VIDEO, true, b"before");
    next_frame(&mut source).await;
    drop(rooms);
    let mut rooms = Rooms::start(&socket);
    let (names, _) = tokio::join!(up_to(&mut source, "Restored"), rooms.admit(state));
    // Nobody left, nobody came.
    assert_eq!(names, ["Interrupted", "Restored"]);
    // Pictures begin anew.
    rooms.send("studio", VIDEO, false, b"refers to what was lost");
    rooms.send("studio", VIDEO, true, b"after");
    assert_eq!(next_frame(&mut source).await.payload, b"after"[..]);
}

#[tokio::test]
async fn a_rooms_process_that_does_not_come_back_ends_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let patience = Duration::from_millis(300);
    let (joined, _) = tokio::join!(
        WhipSource::join(&socket, "studio", Vec::new(), patience),
        rooms.admit(nobody("RM_1"))
    );
    let (mut source, _) = joined.unwrap();
    drop(rooms);
    assert_eq!(next(&mut source).await, SourceEvent::Interrupted);
    assert_eq!(
        next(&mut source).await,
        SourceEvent::Ended(EndReason::SourceLost)
    );
    let more = tokio::time::timeout(Duration::from_millis(100), source.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_rooms_process_that_hangs_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let state = encode_event(&MediaEvent::Room(nobody("RM_1"))).unwrap();
        stream.write_all(&state).await.unwrap();
        stream
    };
    let ((mut source, _), _hung) = tokio::join!(join(&socket, "studio"), serving);
    let noticed = within(Duration::from_secs(30), source.next()).await;
    assert_eq!(noticed, SourceEvent::Interrupted);
}

#[tokio::test]
async fn what_is_no_capture_is_shown_the_door_and_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let state = alice("RM_1", ["TR_v", "TR_a"]);
    let ((mut source, _), _) = tokio::join!(join(&socket, "studio"), rooms.admit(state));
    let later = br#"{"request":"subscribe","protocol":2,"room":"studio"}"#;
    let nameless = br#"{"request":"subscribe","protocol":1,"room":""}"#;
    for opening in [&later[..], nameless, b"GET / HTTP/1.1", b"", &[0xff; 100]] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(opening).await.unwrap();
        stream.write_all(b"\n").await.unwrap();
        let mut said = Vec::new();
        // It ends by itself.
        within(SOON, stream.read_to_end(&mut said)).await.unwrap();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("\"refused\""), "{said}");
    }
    rooms.send("studio", AUDIO, false, b"goes on");
    assert_eq!(next_frame(&mut source).await.payload, b"goes on"[..]);
    assert_eq!(rooms.server.captures("studio"), 1);
}

#[tokio::test]
async fn a_recorder_waits_for_a_rooms_process_that_is_starting() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let joining = {
        let socket = socket.clone();
        tokio::spawn(async move { join(&socket, "studio").await.1 })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!joining.is_finished());
    let mut rooms = Rooms::start(&socket);
    rooms.admit(nobody("RM_1")).await;
    assert_eq!(within(SOON, joining).await.unwrap().room_id, "RM_1");
}

#[tokio::test]
async fn why_a_room_cannot_be_had_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.sock");
    let silent = folder.path().join("silent.sock");
    // Takes connections, by its backlog, and says nothing.
    let _listener = UnixListener::bind(&silent).unwrap();
    let limit = Duration::from_secs(30);
    let (unreachable, timeout) = tokio::join!(
        within(limit, WhipSource::join(&absent, "a", Vec::new(), SOON)),
        within(limit, WhipSource::join(&silent, "a", Vec::new(), SOON)),
    );
    let kinds = [unreachable, timeout].map(|failed| failed.err().map(|failure| failure.kind));
    assert_eq!(
        kinds,
        [
            Some(FailureKind::SourceUnreachable),
            Some(FailureKind::SourceTimeout)
        ]
    );
}
