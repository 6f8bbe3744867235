//! What reaches whom.

use super::*;

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
