//! A rooms process of its own, with publishers on the loopback interface and captures.

mod ending;
mod ice;
mod limits;
mod process;
mod publisher;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tapedeck_pipelines::control::{
    Command, RoomStatus, RoomsSnapshot, WhipAnswer, WhipMedia, WhipRefusal, WhipRequest,
};
use tapedeck_pipelines::job::RoomsSettings;
use tapedeck_pipelines::log::{Codec, TrackKind, TrackSource};
use tapedeck_pipelines::sources::whip::WhipSource;
use tapedeck_pipelines::sources::{Publication, SourceEvent, SourceFrame, TrackId};
use tokio::time::timeout;

use process::{Rooms, publish, settings};
use publisher::{Publisher, SIZE};

/// Set in the child process of the tests below.
const CHILD: &str = "TAPEDECK_TEST_ROOMS";

const ROOM: &str = "studio";

/// What has to happen takes no longer, even on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// The child process of the tests below; without the variable it is no test.
#[test]
fn rooms_child() -> ExitCode {
    match std::env::var_os(CHILD) {
        Some(_) => tapedeck_pipelines::rooms::run(),
        None => ExitCode::SUCCESS,
    }
}

fn room<'a>(snapshot: &'a RoomsSnapshot, name: &str) -> Option<&'a RoomStatus> {
    snapshot.rooms.iter().find(|room| room.name == name)
}

/// The next event that is no media.
async fn event(source: &mut WhipSource) -> SourceEvent {
    loop {
        match timeout(SOON, source.next()).await.expect("an event") {
            SourceEvent::Frame(_) | SourceEvent::SenderReport { .. } => {}
            event => return event,
        }
    }
}

/// The next frame of a track that is as wanted.
async fn frame(
    source: &mut WhipSource,
    id: &TrackId,
    wanted: impl Fn(&SourceFrame) -> bool,
) -> SourceFrame {
    let looking = async {
        loop {
            match source.next().await {
                SourceEvent::Frame(frame) if frame.id == *id && wanted(&frame) => return frame,
                SourceEvent::Ended(reason) => panic!("it ended: {reason:?}"),
                _ => {}
            }
        }
    };
    timeout(SOON, looking).await.expect("a frame")
}

/// Waits until a camera is published.
async fn camera(source: &mut WhipSource) -> Publication {
    loop {
        if let SourceEvent::TrackPublished(track) = event(source).await
            && track.kind == TrackKind::Video
        {
            return track;
        }
    }
}

#[tokio::test]
async fn a_publisher_is_recorded_from_a_key_frame_on_until_it_leaves() {
    let mut rooms = Rooms::start(settings()).await;
    let (publisher, offer) = Publisher::new().await;
    let (session, answer) = rooms
        .post(ROOM, "ana", WhipMedia::Camera, &offer)
        .await
        .unwrap();
    // Who is answered finds the room.
    let snapshot = rooms.now().await;
    let status = room(&snapshot, ROOM).expect("a room");
    assert!(status.id.starts_with("RM_"), "{}", status.id);
    assert_eq!(status.participants[0].name, "ANA");
    assert!(!snapshot.udp.is_empty() && !snapshot.tcp.is_empty());

    let mut publisher = publisher;
    publisher.accept(&answer).await;
    publisher.connected().await;
    let (mut source, joined) = rooms.record(ROOM).await;
    assert_eq!(joined.room_id, status.id);
    let SourceEvent::ParticipantJoined(ana) = event(&mut source).await else {
        panic!("nobody there");
    };
    assert_eq!((ana.identity.as_str(), ana.name.as_str()), ("ana", "ANA"));
    let camera = camera(&mut source).await;
    assert_eq!(camera.source, TrackSource::Camera);
    assert_eq!(camera.participant, ana.id);
    let first = frame(&mut source, &camera.id, |_| true).await;
    let key = if first.keyframe {
        first
    } else {
        frame(&mut source, &camera.id, |frame| frame.keyframe).await
    };
    assert_eq!((key.codec, key.clock_rate), (Codec::Vp8, 90_000));
    let next = frame(&mut source, &camera.id, |_| true).await;
    assert_eq!(next.rtp.wrapping_sub(key.rtp), 2_970);

    let snapshot = rooms
        .until(|now| {
            room(now, ROOM).is_some_and(|room| {
                room.captures == 1
                    && room.participants[0]
                        .tracks
                        .iter()
                        .all(|track| track.frames > 10)
            })
        })
        .await;
    let tracks = &room(&snapshot, ROOM).unwrap().participants[0].tracks;
    let video = tracks.iter().find(|track| track.kind == "video").unwrap();
    assert_eq!(
        (video.codec.as_str(), video.source.as_str()),
        ("vp8", "camera")
    );
    assert_eq!((video.width, video.height), (SIZE.0.into(), SIZE.1.into()));
    assert!(video.bytes > 10_000 && video.id.starts_with("TR_"));
    assert!(tracks.iter().any(|track| track.codec == "opus"));

    assert_eq!(rooms.delete(&session).await, WhipAnswer::Deleted);
    publisher.closed().await;
    let mut told = Vec::new();
    while !matches!(told.last(), Some(SourceEvent::ParticipantLeft { .. })) {
        told.push(event(&mut source).await);
    }
    let unpublished = |event: &&SourceEvent| matches!(event, SourceEvent::TrackUnpublished { .. });
    assert_eq!(told.iter().filter(unpublished).count(), 2, "{told:?}");
    let again = WhipRequest::Delete {
        room: ROOM.to_owned(),
        session: session.name,
    };
    assert_eq!(rooms.refused(again).await.0, WhipRefusal::UnknownSession);
    // The room stays while it is recorded.
    let left = rooms.now().await;
    assert_eq!(room(&left, ROOM).unwrap().participants, []);
    source.leave();
    rooms.until(|now| now.rooms.is_empty()).await;
}

#[tokio::test]
async fn what_a_recording_needs_is_asked_of_the_publisher() {
    let mut rooms = Rooms::start(settings()).await;
    let (publisher, _) = rooms.publish(ROOM, "ana").await;
    let is_past_its_first = |room: &RoomStatus| {
        let mut tracks = room.participants.iter().flat_map(|someone| &someone.tracks);
        tracks.any(|track| track.kind == "video" && track.frames > 5)
    };
    rooms
        .until(|now| room(now, ROOM).is_some_and(is_past_its_first))
        .await;
    let requests = || publisher.keyframe_requests.load(Ordering::Relaxed);
    assert_eq!(requests(), 0, "nobody records");
    let (mut source, _) = rooms.record(ROOM).await;
    let camera = camera(&mut source).await;
    frame(&mut source, &camera.id, |frame| frame.keyframe).await;
    assert!(requests() >= 1);
    for _ in 0..50 {
        source.request_keyframe(&camera.id);
    }
    frame(&mut source, &camera.id, |frame| frame.keyframe).await;
    assert!(requests() < 10, "{} requests reached it", requests());
}

#[tokio::test]
async fn who_is_heard_no_more_leaves_after_the_configured_time() {
    let mut rooms = Rooms::start(RoomsSettings {
        publisher_timeout_ms: 1_500,
        ..settings()
    })
    .await;
    let (publisher, session) = rooms.publish(ROOM, "ana").await;
    let (_other, _) = rooms.publish(ROOM, "ben").await;
    let (mut source, _) = rooms.record(ROOM).await;
    let since = Instant::now();
    drop(publisher);
    loop {
        if let SourceEvent::ParticipantLeft { .. } = event(&mut source).await {
            break;
        }
    }
    assert!(since.elapsed() >= Duration::from_millis(1_000));
    let snapshot = rooms.now().await;
    let participants = &room(&snapshot, ROOM).unwrap().participants;
    assert_eq!(participants.len(), 1);
    assert_eq!(participants[0].identity, "ben");
    let delete = WhipRequest::Delete {
        room: ROOM.to_owned(),
        session: session.name,
    };
    assert_eq!(rooms.refused(delete).await.0, WhipRefusal::UnknownSession);
}

#[tokio::test]
async fn a_connection_without_media_keeps_nobody_in_the_room() {
    let mut rooms = Rooms::start(RoomsSettings {
        publisher_timeout_ms: 2_000,
        ..settings()
    })
    .await;
    let (mut publisher, _) = rooms.publish(ROOM, "ana").await;
    let (_other, _) = rooms.publish(ROOM, "ben").await;
    publisher.fall_silent().await;
    publisher.closed().await;
    let snapshot = rooms.now().await;
    let participants = &room(&snapshot, ROOM).unwrap().participants;
    assert_eq!(participants.len(), 1, "who sends stays");
    assert_eq!(participants[0].identity, "ben");
}

#[tokio::test]
async fn an_offer_that_nothing_follows_is_forgotten() {
    let mut rooms = Rooms::start(RoomsSettings {
        publisher_timeout_ms: 1_000,
        ..settings()
    })
    .await;
    let (_publisher, offer) = Publisher::new().await;
    rooms
        .post(ROOM, "ana", WhipMedia::Camera, &offer)
        .await
        .unwrap();
    rooms.until(|now| room(now, ROOM).is_some()).await;
    rooms.until(|now| now.rooms.is_empty()).await;
}

#[tokio::test]
async fn who_publishes_again_takes_its_own_place() {
    let mut rooms = Rooms::start(settings()).await;
    let (mut first, first_session) = rooms.publish(ROOM, "ana").await;
    let (mut source, _) = rooms.record(ROOM).await;
    let before = camera(&mut source).await;
    let (_second, _) = rooms.publish(ROOM, "ana").await;
    first.closed().await;
    let after = camera(&mut source).await;
    assert_eq!(after.participant, before.participant);
    assert_ne!(after.id, before.id);
    frame(&mut source, &after.id, |frame| frame.keyframe).await;
    let gone = rooms
        .patch(&first_session, Some("*"), "a=end-of-candidates\r\n")
        .await;
    assert!(
        matches!(
            gone,
            WhipAnswer::Refused {
                reason: WhipRefusal::UnknownSession,
                ..
            }
        ),
        "{gone:?}"
    );
    // A screen is beside the camera.
    let screen = Publisher::new().await;
    let (_screen, _) = rooms
        .publish_by(screen, ROOM, "ana", WhipMedia::Screen)
        .await;
    let share = camera(&mut source).await;
    assert_eq!(share.source, TrackSource::ScreenShare);
    assert_eq!(share.participant, before.participant);
    let snapshot = rooms.now().await;
    let participants = &room(&snapshot, ROOM).unwrap().participants;
    assert_eq!(participants.len(), 1);
    assert_eq!(participants[0].tracks.len(), 4);
}

#[tokio::test]
async fn rooms_do_not_hear_one_another() {
    let mut rooms = Rooms::start(settings()).await;
    let (_ana, session) = rooms.publish("one", "ana").await;
    let (_ben, _) = rooms.publish("two", "ana").await;
    let (mut source, _) = rooms.record("two").await;
    let camera = camera(&mut source).await;
    frame(&mut source, &camera.id, |frame| frame.keyframe).await;
    let elsewhere = WhipRequest::Delete {
        room: "two".to_owned(),
        session: session.name.clone(),
    };
    assert_eq!(
        rooms.refused(elsewhere).await.0,
        WhipRefusal::UnknownSession
    );
    assert_eq!(rooms.delete(&session).await, WhipAnswer::Deleted);
    frame(&mut source, &camera.id, |_| true).await;
    let snapshot = rooms.now().await;
    assert_eq!(snapshot.rooms.len(), 1);
    assert_eq!(snapshot.rooms[0].name, "two");
}

#[tokio::test]
async fn of_simulcast_layers_the_one_that_is_needed_is_passed_on() {
    let mut rooms = Rooms::start(settings()).await;
    let layers = [("q", 180), ("h", 360), ("f", 720)];
    let publisher = Publisher::with_layers(&layers).await;
    let (_publisher, _) = rooms
        .publish_by(publisher, ROOM, "ana", WhipMedia::Camera)
        .await;
    let (mut source, _) = rooms.record(ROOM).await;
    let mut camera = camera(&mut source).await;
    while camera.layer_heights.len() < 3 {
        if let SourceEvent::TrackUpdated(track) = event(&mut source).await {
            camera = track;
        }
    }
    assert_eq!(camera.layer_heights, [180, 360, 720]);
    // Frames have four bytes per line of the picture.
    let is_of = |height: usize| move |frame: &SourceFrame| frame.payload.len() == height * 4;
    frame(&mut source, &camera.id, is_of(720)).await;
    source.set_video_size(&camera.id, 320, 180, 0);
    let small = frame(&mut source, &camera.id, is_of(180)).await;
    assert!(small.keyframe, "a layer begins with a key frame");
    let mut last = small.rtp;
    for _ in 0..30 {
        let next = frame(&mut source, &camera.id, |_| true).await;
        assert_eq!(next.payload.len(), 180 * 4, "one layer at a time");
        assert_eq!(next.rtp.wrapping_sub(last), 2_970);
        last = next.rtp;
    }
    let snapshot = rooms
        .until(|now| {
            room(now, ROOM).is_some_and(|room| {
                room.participants[0]
                    .tracks
                    .iter()
                    .any(|track| track.layer == "low")
            })
        })
        .await;
    assert_eq!(room(&snapshot, ROOM).unwrap().captures, 1);
    source.set_video_size(&camera.id, 1280, 720, 0);
    let large = frame(&mut source, &camera.id, is_of(720)).await;
    // A second of the publisher's time is one of the recording's, whatever the layer.
    let ahead = large.rtp.wrapping_sub(last);
    assert!((1..900_000).contains(&ahead), "{ahead} ticks");
}
