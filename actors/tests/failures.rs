//! What goes wrong, and what clients and disk see of it.

mod common;

use std::time::Duration;

use common::*;
use tapedeck_actors::*;
use tapedeck_pipelines::control::EndReason;

async fn refused_start(room: &str) -> (Fixture, StartError, Manifest) {
    let fixture = Fixture::with(
        |settings| settings.start_timeout = Duration::from_secs(2),
        0,
    )
    .await;
    let error = fixture.recorder.start(request(room)).await.unwrap_err();
    let manifest = fixture.listed().await.remove(0);
    fixture.no_process_left().await;
    let id = manifest.id.clone();
    wait_until("nothing but the manifest is left", async || {
        (fixture.left(&id) == ["manifest.json"] && fixture.sockets().is_empty()).then_some(())
    })
    .await;
    (fixture, error, manifest)
}

#[actix_rt::test]
async fn an_unknown_room_leaves_nothing() {
    let fixture = Fixture::new().await;
    let error = fixture
        .recorder
        .start(request("unknown"))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        StartError::Room(RoomError::Unknown("unknown".into()))
    );
    assert!(fixture.listed().await.is_empty());
    assert!(names(&fixture.folder.path().join("data/work")).is_empty());
}

#[actix_rt::test]
async fn a_capture_that_cannot_join_tells_why() {
    let (_fixture, error, manifest) = refused_start("room+unreachable").await;
    assert!(
        matches!(error, StartError::Room(RoomError::Unreachable(_))),
        "{error:?}"
    );
    assert_eq!(manifest.state, RecordingState::Failed);
    assert!(manifest.error.unwrap().contains("as the script says"));

    let (_fixture, error, _) = refused_start("room+refused").await;
    assert!(
        matches!(error, StartError::Room(RoomError::Refused(_))),
        "{error:?}"
    );
}

#[actix_rt::test]
async fn a_capture_that_hangs_or_dies_before_joining_is_given_up() {
    let (fixture, error, manifest) = refused_start("room+never-joins").await;
    assert!(matches!(error, StartError::Timeout(_)), "{error:?}");
    assert_eq!(manifest.state, RecordingState::Failed);
    // The room is free again.
    assert!(matches!(
        fixture.recorder.start(request("room+never-joins")).await,
        Err(StartError::Timeout(_))
    ));

    let (_fixture, error, _) = refused_start("room+exits-early").await;
    assert!(
        matches!(&error, StartError::Internal(text) if text.contains("exit status")),
        "{error:?}"
    );

    let (_fixture, error, _) = refused_start("room+garbage").await;
    assert!(matches!(error, StartError::Timeout(_)), "{error:?}");
}

#[actix_rt::test]
async fn a_capture_that_dies_before_it_is_in_the_room_costs_the_client_nothing() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room+exits-early-once").await;
    assert_eq!(started.state, RecordingState::Active);
    assert_eq!(started.restarts.capture, 1);
    let stopped = fixture.stop("room+exits-early-once").await;
    assert_eq!(stopped.id, started.id);
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!((stopped.gaps, stopped.warnings), (vec![], vec![]));
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn an_executable_that_is_missing_is_told() {
    let fixture = Fixture::with(
        |settings| settings.executable = "/nowhere/tapedeck".into(),
        0,
    )
    .await;
    let error = fixture.recorder.start(request("room")).await.unwrap_err();
    assert!(
        matches!(&error, StartError::Internal(text) if text.contains("cannot be started")),
        "{error:?}"
    );
}

#[actix_rt::test]
async fn a_stop_before_the_first_moment_aborts() {
    let fixture = Fixture::new().await;
    let recorder = fixture.recorder.clone();
    let starting = actix::spawn(async move { recorder.start(request("room+never-joins")).await });
    let stopped = wait_until("there is something to stop", async || {
        fixture.recorder.stop("room+never-joins", None).await.ok()
    })
    .await;
    assert_eq!(stopped.state, RecordingState::Aborted);
    assert_eq!(starting.await.unwrap(), Err(StartError::Stopped));
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn what_a_capture_that_crashes_again_and_again_left_is_delivered() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room+dies-recording").await;
    let ended = fixture.wait_for(&started.id, RecordingState::Failed).await;
    assert_eq!(ended.end_reason, Some(EndReason::CaptureLost));
    assert!(
        ended
            .error
            .as_ref()
            .is_some_and(|error| error.contains("8 times"))
    );
    assert!(
        ended
            .warnings
            .iter()
            .any(|warning| warning.code == "capture_lost" && warning.message.contains("8 times"))
    );
    assert_eq!(ended.restarts.capture, 7);
    assert_eq!(fixture.delivered().await.len(), 1);
    wait_until("the log is not needed any more", async || {
        (fixture.left(&started.id) == ["manifest.json"]).then_some(())
    })
    .await;
    fixture.recorder.delete(&ended.name).await.unwrap();
    assert!(fixture.delivered().await.is_empty());
}

#[actix_rt::test]
async fn a_capture_that_does_not_stop_or_leave_is_killed() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room+hangs-on-stop+ignores-leave").await;
    let stopped = fixture.stop("room+hangs-on-stop+ignores-leave").await;
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.end_reason, Some(EndReason::Stopped));
    assert!(
        stopped
            .warnings
            .iter()
            .any(|warning| warning.code == "capture_lost")
    );

    let other = fixture.start("room+ignores-leave").await;
    fixture.stop("room+ignores-leave").await;
    fixture.no_process_left().await;
    for id in [started.id, other.id] {
        wait_until("it is cleared", async || {
            (fixture.left(&id) == ["manifest.json"]).then_some(())
        })
        .await;
    }
    assert!(fixture.sockets().is_empty());
}

#[actix_rt::test]
async fn a_render_that_dies_is_started_again() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room+render-dies-twice").await;
    let stopped = fixture.stop("room+render-dies-twice").await;
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.id, started.id);
}

#[actix_rt::test]
async fn a_render_that_always_dies_is_given_up_and_the_log_kept() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room+render-always-dies").await;
    let stopped = fixture.stop("room+render-always-dies").await;
    assert_eq!(stopped.state, RecordingState::Failed);
    assert!(stopped.error.unwrap().contains("5 times"));
    fixture.no_process_left().await;
    assert!(fixture.work(&started.id).join("log/000001.tdl").exists());
    // Deleting it is up to the operator.
    fixture.recorder.delete(&started.name).await.unwrap();
    assert!(!fixture.work(&started.id).exists());
}

#[actix_rt::test]
async fn a_store_that_fails_is_tried_until_it_works() {
    let fixture = Fixture::with(
        |settings| settings.stop_timeout = Duration::from_millis(800),
        3,
    )
    .await;
    let started = fixture.start("room").await;
    let stopped = fixture.stop("room").await;
    assert_eq!(stopped.state, RecordingState::Uploading);
    let troubled = wait_until("the trouble is told", async || {
        fixture.recorder.get(&started.id).await.unwrap()?.error
    })
    .await;
    assert!(troubled.contains("as the test says"), "{troubled}");
    assert!(
        fixture.work(&started.id).join("output.mp4").exists(),
        "the only copy is kept"
    );

    let done = fixture
        .wait_for(&started.id, RecordingState::Complete)
        .await;
    assert_eq!(done.error, None);
    assert_eq!(
        fixture.store.puts.load(std::sync::atomic::Ordering::SeqCst),
        4
    );
}

#[actix_rt::test]
async fn a_name_that_was_taken_meanwhile_is_changed() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let taken = fixture.folder.path().join("recordings").join(&started.name);
    std::fs::write(&taken, b"somebody else's film").unwrap();
    let stopped = fixture.stop("room").await;
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_ne!(stopped.name, started.name);
    assert_eq!(std::fs::read(&taken).unwrap(), b"somebody else's film");
}

#[actix_rt::test]
async fn a_full_house_is_told() {
    let fixture = Fixture::with(|settings| settings.max_recordings = 1, 0).await;
    fixture.start("a").await;
    let error = fixture.recorder.start(request("b")).await.unwrap_err();
    assert!(matches!(error, StartError::Capacity(_)), "{error:?}");
    fixture.stop("a").await;
    fixture.start("b").await;
    fixture.stop("b").await;
}
