//! Rooms processes that are not there, vanish or hang, and captures that are too slow.

use super::*;

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
async fn a_capture_that_comes_after_a_new_rooms_process_waits_for_publishers_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("media.sock");
    let mut rooms = Rooms::start(&socket);
    let known = Known {
        room_id: "RM_1".to_owned(),
        participants: vec![Participant {
            id: "PA_1".to_owned(),
            identity: "alice".to_owned(),
            name: String::new(),
        }],
        was_disconnected: false,
    };
    let (joined, _) = tokio::join!(
        WhipSource::join(&socket, "studio", known, SOON),
        rooms.admit(nobody("RM_2"))
    );
    let (mut source, _) = joined.unwrap();
    let names = up_to(&mut source, "ParticipantLeft").await;
    assert_eq!(names, ["Interrupted", "ParticipantLeft"]);
    let mut back = alice("RM_2", ["TR_v", "TR_a"]);
    back.participants[0].id = "PA_2".to_owned();
    for track in &mut back.tracks {
        track.participant = "PA_2".to_owned();
    }
    rooms.server.tell("studio", &MediaEvent::Room(back));
    rooms.send("studio", AUDIO, false, b"after");
    let names = up_to(&mut source, "Restored").await;
    assert!(names.contains(&"ParticipantJoined".to_owned()), "{names:?}");
    assert_eq!(next_frame(&mut source).await.payload, b"after"[..]);
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
        WhipSource::join(&socket, "studio", Known::default(), patience),
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
        within(
            limit,
            WhipSource::join(&absent, "a", Known::default(), SOON)
        ),
        within(
            limit,
            WhipSource::join(&silent, "a", Known::default(), SOON)
        ),
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
