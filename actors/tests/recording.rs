//! A recording from start to file, with processes that do what they should.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use common::*;
use tapedeck_actors::*;
use tapedeck_pipelines::control::EndReason;
use tapedeck_storage::{RecordingStore, Stores};

#[actix_rt::test]
async fn a_recording_is_started_stopped_delivered_and_cleaned_up() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    let started = recorder.start(request("회의실")).await.unwrap();
    assert_eq!(started.state, RecordingState::Active);
    assert_eq!(started.room_id, "RM_rehearsal", "as the capture saw it");
    assert!(started.started_at.is_some());
    assert!(started.name.starts_with("회의실-"), "{}", started.name);
    assert_eq!(
        fixture.manifest_on_disk(&started.id),
        started,
        "on the disk before the answer"
    );

    let live = recorder.live().await.unwrap();
    assert_eq!(live.len(), 1);
    assert!(
        live[0]
            .processes
            .iter()
            .any(|process| process.role == "capture" && process.pid > 0)
    );
    assert!(
        recorder
            .delivered(ListFilter::default())
            .await
            .unwrap()
            .is_empty()
    );

    let stopped = recorder.stop("회의실", None).await.unwrap();
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.end_reason, Some(EndReason::Stopped));
    assert!(stopped.ended_at.is_some() && stopped.completed_at.is_some());
    assert_eq!(fixture.manifest_on_disk(&started.id), stopped);

    let delivered = recorder.delivered(ListFilter::default()).await.unwrap();
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].id, started.id);
    assert_eq!(delivered[0].duration, 1.5);
    let file = stopped.file.unwrap();
    assert_eq!(delivered[0].size, file.size_bytes);
    assert_eq!(
        fixture.store.head(&stopped.name).await.unwrap().size,
        file.size_bytes
    );

    fixture.no_process_left().await;
    wait_until("the folder is cleared", async || {
        (fixture.left(&started.id) == ["manifest.json"] && fixture.sockets().is_empty())
            .then_some(())
    })
    .await;
    assert!(recorder.live().await.unwrap().is_empty());
}

#[actix_rt::test]
async fn the_room_is_left_only_when_the_file_is_listed() {
    let fixture = Fixture::with(|_| {}, 2).await;
    let started = fixture.start("room+room-ends").await;
    fixture
        .wait_for(&started.id, RecordingState::Uploading)
        .await;
    let live = fixture.recorder.live().await.unwrap();
    assert!(
        live[0]
            .processes
            .iter()
            .any(|process| process.role == "capture"),
        "capture is still in the room"
    );
    fixture
        .wait_for(&started.id, RecordingState::Complete)
        .await;
    assert_eq!(fixture.delivered().await.len(), 1);
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn recordings_end_by_themselves_and_tell_why() {
    let fixture = Fixture::new().await;
    let room_ends = fixture.start("a+room-ends").await;
    let limited = fixture.start("b+max-duration").await;
    let ended = fixture
        .wait_for(&room_ends.id, RecordingState::Complete)
        .await;
    assert_eq!(ended.end_reason, Some(EndReason::RoomEnded));
    let limited = fixture
        .wait_for(&limited.id, RecordingState::LimitReached)
        .await;
    assert_eq!(limited.end_reason, Some(EndReason::MaxDuration));
    let listed = fixture.delivered().await;
    assert_eq!(listed.len(), 2);
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_second_stop_waits_for_the_same_end() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room+render-slow").await;
    let (first, second) = futures_util::future::join(
        fixture.recorder.stop("room+render-slow", None),
        fixture.recorder.stop("room+render-slow", None),
    )
    .await;
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(
        fixture.recorder.stop("room+render-slow", None).await,
        Err(StopError::NotRecording)
    );
    assert_eq!(
        fixture
            .recorder
            .get(&started.id)
            .await
            .unwrap()
            .unwrap()
            .state,
        RecordingState::Complete
    );
}

#[actix_rt::test]
async fn a_stop_that_takes_long_answers_with_what_is_known() {
    let fixture = Fixture::with(
        |settings| settings.stop_timeout = std::time::Duration::from_millis(500),
        0,
    )
    .await;
    let started = fixture.start("room+render-slow").await;
    let stopped = fixture.stop("room+render-slow").await;
    assert_eq!(stopped.state, RecordingState::Ending);
    fixture
        .wait_for(&started.id, RecordingState::Complete)
        .await;
}

#[actix_rt::test]
async fn the_next_recording_of_a_room_need_not_wait_for_the_render() {
    let fixture = Fixture::with(
        |settings| settings.stop_timeout = std::time::Duration::from_millis(500),
        0,
    )
    .await;
    let first = fixture.start("room+render-slow").await;
    fixture.stop("room+render-slow").await;
    let second = fixture.start("room+render-slow").await;
    assert_ne!(first.id, second.id);
    assert_ne!(first.name, second.name, "also within the same second");
    fixture.wait_for(&first.id, RecordingState::Complete).await;
    fixture.stop("room+render-slow").await;
    fixture.wait_for(&second.id, RecordingState::Complete).await;
}

#[actix_rt::test]
async fn lists_are_newest_first_with_a_cursor() {
    let fixture = Fixture::new().await;
    for room in ["a+room-ends", "b+room-ends", "c+room-ends"] {
        let started = fixture.recorder.start(request(room)).await.unwrap();
        fixture
            .wait_for(&started.id, RecordingState::Complete)
            .await;
    }
    let first = fixture
        .recorder
        .list(ListFilter::default(), None, 2)
        .await
        .unwrap();
    let rooms: Vec<_> = first
        .recordings
        .iter()
        .map(|manifest| manifest.room_name.as_str())
        .collect();
    assert_eq!(rooms, ["c+room-ends", "b+room-ends"]);
    let second = fixture
        .recorder
        .list(ListFilter::default(), first.next_cursor, 2)
        .await
        .unwrap();
    assert_eq!(second.recordings.len(), 1);
    assert_eq!(second.recordings[0].room_name, "a+room-ends");
    assert_eq!(second.next_cursor, None);
    let filter = ListFilter {
        room_name: Some("b+room-ends".into()),
        ..ListFilter::default()
    };
    assert_eq!(fixture.listed_as(filter).await.len(), 1);
    let filter = ListFilter {
        state: Some(RecordingState::Active),
        ..ListFilter::default()
    };
    assert!(fixture.listed_as(filter).await.is_empty());
}

#[actix_rt::test]
async fn deleting_removes_everything_and_is_refused_while_live() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    assert_eq!(
        fixture.recorder.delete(&started.name).await,
        Err(DeleteError::Live)
    );
    fixture.stop("room").await;
    fixture.no_process_left().await;
    fixture.recorder.delete(&started.name).await.unwrap();
    assert!(!fixture.work(&started.id).exists());
    assert!(fixture.recorder.get(&started.id).await.unwrap().is_none());
    assert!(fixture.delivered().await.is_empty());
    assert!(fixture.listed().await.is_empty());
    assert_eq!(
        fixture.recorder.delete(&started.name).await,
        Err(DeleteError::NotFound)
    );
    assert_eq!(
        fixture.recorder.delete("../../data/work").await,
        Err(DeleteError::NotFound)
    );
}

#[actix_rt::test]
async fn a_store_that_is_away_delays_nothing_that_another_has() {
    let folder = tempfile::tempdir().unwrap();
    let main = Arc::new(TroubledStore::new(folder.path()));
    let stores =
        |store: Arc<TroubledStore>| Stores::from(main.clone()).with_source("livekit", store);
    let fixture = Fixture::among(|_| {}, 0, stores).await;
    let (recorder, store) = (&fixture.recorder, &fixture.store);
    let name = fixture.start("room").await.name;
    fixture.stop("room").await;
    fixture.no_process_left().await;
    let foreign = fixture.folder.path().join("recordings/foreign.mp4");
    std::fs::write(&foreign, "film").unwrap();

    main.away.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    for name in [&name, "foreign.mp4"] {
        let size = recorder.library().head(name).await.unwrap().size;
        let read = recorder.library().read(name, 0..size).await;
        assert!(read.is_ok(), "{name}");
    }
    assert!(begun.elapsed() < AWAY_FOR, "{:?}", begun.elapsed());

    // Where it is decides whether it can go.
    main.away.store(false, Ordering::SeqCst);
    store.away.store(true, Ordering::SeqCst);
    let refused = recorder.delete(&name).await;
    assert!(
        matches!(refused, Err(DeleteError::StoreAway(_))),
        "{refused:?}"
    );
    assert_eq!(fixture.listed().await.len(), 1);
    main.away.store(true, Ordering::SeqCst);
    store.away.store(false, Ordering::SeqCst);
    for name in [&name, "foreign.mp4"] {
        recorder.delete(name).await.unwrap();
    }
    assert!(fixture.listed().await.is_empty());
    assert!(store.list().await.unwrap().is_empty());
}

#[actix_rt::test]
async fn a_recording_that_cannot_be_looked_up_whole_is_not_deleted_by_half() {
    let fixture = Fixture::new().await;
    let recordings = fixture.folder.path().join("recordings");
    for name in ["foreign.mp4", "foreign.jpg"] {
        std::fs::write(recordings.join(name), "film").unwrap();
    }
    let described = r#"{"id":"EG_1","name":"foreign.mp4","roomName":"room","roomId":"RM_1",
        "startedAt":1795301608123,"duration":1.0,"size":4,"files":["foreign.jpg"]}"#;
    std::fs::write(recordings.join(".metadata/foreign.json"), described).unwrap();

    fixture.store.cannot_list.store(true, Ordering::SeqCst);
    let refused = fixture.recorder.delete("foreign.mp4").await;
    assert!(
        matches!(refused, Err(DeleteError::StoreAway(_))),
        "{refused:?}"
    );
    assert!(recordings.join("foreign.mp4").exists());
    fixture.store.cannot_list.store(false, Ordering::SeqCst);
    fixture.recorder.delete("foreign.mp4").await.unwrap();
    assert!(!recordings.join("foreign.mp4").exists());
    assert!(!recordings.join("foreign.jpg").exists());
}

#[actix_rt::test]
async fn finishing_stops_and_delivers_all() {
    let fixture = Fixture::new().await;
    let a = fixture.start("a").await;
    let b = fixture.start("b").await;
    fixture
        .recorder
        .finish_all(std::time::Duration::from_secs(60))
        .await;
    for id in [a.id, b.id] {
        assert_eq!(
            fixture.manifest_on_disk(&id).state,
            RecordingState::Complete
        );
    }
    assert!(processes_in(fixture.folder.path()).is_empty());
    assert!(matches!(
        fixture.recorder.start(request("c")).await,
        Err(StartError::Capacity(_))
    ));
}

#[actix_rt::test]
async fn no_secret_reaches_the_disk() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let environment_and_arguments = processes_in(fixture.folder.path()).into_iter().map(|pid| {
        let read = |name| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        [read("cmdline"), read("environ")].concat()
    });
    for text in environment_and_arguments {
        assert!(!String::from_utf8_lossy(&text).contains(TOKEN));
    }
    let manifest =
        std::fs::read_to_string(fixture.work(&started.id).join("manifest.json")).unwrap();
    assert!(!manifest.contains(TOKEN));
    fixture.stop("room").await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn what_is_digested_and_signed_for_a_store_lets_no_session_wait() {
    let fixture = Fixture::new().await;
    fixture.start("room").await;
    fixture.stop("room").await;
    let here = std::thread::current().id();
    let there = fixture.store.thread.lock().unwrap().expect("it was stored");
    assert_ne!(there, here);
}
