//! Recordings of rooms of our own.

mod common;

use std::time::Duration;

use common::*;
use tapedeck_actors::*;
use tapedeck_pipelines::control::EndReason;

#[actix_rt::test]
async fn a_room_with_publishers_is_recorded() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    let nobody = recorder.start(whip_recording("room")).await.unwrap_err();
    assert_eq!(nobody, StartError::Room(RoomError::Unknown("room".into())));
    assert_eq!(fixture.rooms_starts(), 0);

    fixture.publish("room", "ann").await;
    let other = recorder.start(whip_recording("other")).await.unwrap_err();
    assert_eq!(other, StartError::Room(RoomError::Unknown("other".into())));
    let ours = fixture.record("room").await;
    assert_eq!(
        (ours.source.as_str(), ours.state),
        ("whip", RecordingState::Active)
    );
    assert!(ours.name.contains("RM_of_ours"), "{}", ours.name);
    assert!(matches!(
        recorder.start(whip_recording("room")).await,
        Err(StartError::AlreadyRecording { .. })
    ));

    // A room of the same name elsewhere is another room.
    let elsewhere = fixture.start("room").await;
    assert_eq!(elsewhere.source, "livekit");
    let stopped = recorder.stop("room", Some(SourceKind::Whip)).await.unwrap();
    assert_eq!(
        (stopped.id, stopped.state),
        (ours.id, RecordingState::Complete)
    );
    assert_eq!(
        recorder.stop("room", Some(SourceKind::Whip)).await,
        Err(StopError::NotRecording)
    );
    assert_eq!(fixture.stop("room").await.id, elsewhere.id);
    let rooms = recorder.rooms().await;
    assert_eq!(rooms[0].participants.len(), 1, "publishers stay");
    fixture.finish().await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn of_two_rooms_of_one_name_the_newest_recording_is_stopped_first() {
    let fixture = Fixture::new().await;
    fixture.publish("room", "ann").await;
    let older = fixture.start("room").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let newer = fixture.record("room").await;
    assert_eq!(fixture.stop("room").await.id, newer.id);
    assert_eq!(fixture.stop("room").await.id, older.id);
    fixture.finish().await;
}

#[actix_rt::test]
async fn an_idempotency_key_counts_for_one_kind_of_room() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    fixture.publish("room", "ann").await;
    let keyed = |request: StartRequest| StartRequest {
        idempotency_key: Some("key".into()),
        ..request
    };
    recorder.start(keyed(whip_recording("room"))).await.unwrap();
    assert_eq!(
        recorder.start(keyed(request("room"))).await,
        Err(StartError::IdempotencyConflict)
    );
    fixture.finish().await;
}

#[actix_rt::test]
async fn a_recording_gets_its_rooms_process_back() {
    let fixture = Fixture::new().await;
    fixture.publish("room", "ann").await;
    let started = fixture.record("room").await;
    for deaths in 1..=2 {
        kill(fixture.rooms_processes()[0]);
        wait_until("it is started again without a publisher", async || {
            (fixture.rooms_starts() == deaths + 1 && !fixture.rooms_processes().is_empty())
                .then_some(())
        })
        .await;
    }
    let stopped = fixture.stop("room").await;
    assert_eq!(
        (stopped.id, stopped.end_reason),
        (started.id, Some(EndReason::Stopped))
    );
    assert_eq!(stopped.warnings, []);
    fixture.finish().await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_server_that_finishes_sends_publishers_away() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    fixture.publish("room", "ann").await;
    let started = fixture.record("room").await;
    recorder.finish_all(Duration::from_secs(60)).await;
    let ended = recorder.get(&started.id).await.unwrap().unwrap();
    assert_eq!(ended.state, RecordingState::Complete);
    assert!(fixture.rooms_processes().is_empty());
    assert!(matches!(
        recorder.whip(publish("room", "bob")).await,
        Err(RoomsError::NotRunning(_))
    ));
    assert_eq!(fixture.rooms_starts(), 1);
    fixture.no_process_left().await;
}
