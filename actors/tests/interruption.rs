//! Captures that are lost in mid recording.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::*;
use tapedeck_actors::*;
use tapedeck_pipelines::control::EndReason;
use tokio::time::Instant;

/// Waits until another capture than `before` records, and its gap is told.
async fn is_back(fixture: &Fixture, id: &str, before: u32) -> Manifest {
    wait_until("another capture records", async || {
        let another = process(&fixture.recorder, "capture").await? != before;
        let manifest = fixture.recorder.get(id).await.unwrap()?;
        let told = manifest.state == RecordingState::Active && !manifest.gaps.is_empty();
        (another && told).then_some(manifest)
    })
    .await
}

async fn capture_of(fixture: &Fixture) -> u32 {
    let running = async || process(&fixture.recorder, "capture").await;
    wait_until("capture is known", running).await
}

#[actix_rt::test]
async fn a_killed_capture_is_started_again_and_the_recording_goes_on() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let before = capture_of(&fixture).await;
    kill(before);
    let killed_at = Instant::now();
    let manifest = is_back(&fixture, &started.id, before).await;
    assert!(killed_at.elapsed() < Duration::from_secs(10));
    assert_eq!(manifest.restarts.capture, 1);
    let reason = manifest.restarts.last.unwrap().reason;
    assert!(reason.contains("SIGKILL"), "{reason}");
    assert_eq!(manifest.gaps[0].reason, "capture_restarted");

    let stopped = fixture.stop("room").await;
    assert_eq!(
        (stopped.id, stopped.state),
        (started.id, RecordingState::Complete)
    );
    assert_eq!(stopped.end_reason, Some(EndReason::Stopped));
    assert_eq!(stopped.warnings, []);
    assert_eq!(stopped.gaps, manifest.gaps);
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_capture_of_a_room_of_ours_is_started_again() {
    let fixture = Fixture::new().await;
    fixture.publish("room", "ann").await;
    let started = fixture.record("room").await;
    let before = capture_of(&fixture).await;
    kill(before);
    is_back(&fixture, &started.id, before).await;
    assert_eq!(fixture.stop("room").await.id, started.id);
    fixture.finish().await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_capture_that_hangs_is_replaced() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let before = capture_of(&fixture).await;
    signal(before, Signal::STOP);
    is_back(&fixture, &started.id, before).await;
    assert!(!processes_in(fixture.folder.path()).contains(&before));
    fixture.stop("room").await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_room_that_ended_with_its_capture_completes_the_recording() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let gone = RoomError::Unknown("room".into());
    *fixture.rooms.trouble.lock().unwrap() = Some(gone);
    kill(capture_of(&fixture).await);
    let ended = fixture
        .wait_for(&started.id, RecordingState::Complete)
        .await;
    assert_eq!(ended.end_reason, Some(EndReason::RoomEnded));
    assert_eq!(ended.warnings[0].code, "capture_lost");
    assert_eq!(fixture.delivered().await.len(), 1);
}

#[actix_rt::test]
async fn a_media_server_that_is_away_is_waited_for() {
    let patient = |settings: &mut RecorderSettings| settings.limits.source_lost_timeout_ms = 60_000;
    let fixture = Fixture::with(patient, 0).await;
    let started = fixture.start("room").await;
    let before = capture_of(&fixture).await;
    let away = RoomError::Unreachable("as the test says".into());
    *fixture.rooms.trouble.lock().unwrap() = Some(away);
    let looks = fixture.rooms.looks.load(Ordering::SeqCst);
    kill(before);
    wait_until("it was looked for several times", async || {
        (fixture.rooms.looks.load(Ordering::SeqCst) >= looks + 3).then_some(())
    })
    .await;
    let waiting = fixture.manifest_on_disk(&started.id);
    assert_eq!(waiting.state, RecordingState::Interrupted);
    assert!(matches!(
        fixture.recorder.start(request("room")).await,
        Err(StartError::AlreadyRecording { .. })
    ));
    *fixture.rooms.trouble.lock().unwrap() = None;
    is_back(&fixture, &started.id, before).await;
    fixture.stop("room").await;
}

#[actix_rt::test]
async fn a_media_server_that_stays_away_ends_the_recording() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let away = RoomError::Unreachable("as the test says".into());
    *fixture.rooms.trouble.lock().unwrap() = Some(away);
    kill(capture_of(&fixture).await);
    let ended = fixture
        .wait_for(&started.id, RecordingState::Complete)
        .await;
    assert_eq!(ended.end_reason, Some(EndReason::SourceLost));
    assert!(
        ended.warnings[0].message.contains("as the test says"),
        "{:?}",
        ended.warnings
    );
}

#[actix_rt::test]
async fn an_interrupted_recording_can_be_stopped() {
    let patient = |settings: &mut RecorderSettings| settings.limits.source_lost_timeout_ms = 60_000;
    let fixture = Fixture::with(patient, 0).await;
    let started = fixture.start("room").await;
    *fixture.rooms.trouble.lock().unwrap() = Some(RoomError::Timeout);
    kill(capture_of(&fixture).await);
    fixture
        .wait_for(&started.id, RecordingState::Interrupted)
        .await;
    let stopped = fixture.stop("room").await;
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.end_reason, Some(EndReason::Stopped));
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_server_finds_a_recording_whose_capture_died_with_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("start room").await;
    assert!(server.line().await.contains("Ok"));
    let id = names(&data.join("work")).remove(0);
    // As when the machine is started again.
    let pids = processes_in(&data.join("work"));
    server.kill().await;
    pids.into_iter().for_each(kill);

    let (recorder, store) = next_server(&data).await;
    let manifest = wait_until("the recording goes on", async || {
        let manifest = recorder.get(&id).await.unwrap()?;
        let goes_on = manifest.state == RecordingState::Active && !manifest.gaps.is_empty();
        goes_on.then_some(manifest)
    })
    .await;
    assert_eq!(manifest.restarts.capture, 1);
    let stopped = recorder.stop("room", None).await.unwrap();
    assert_eq!((stopped.id, stopped.state), (id, RecordingState::Complete));
    use tapedeck_storage::RecordingStore;
    assert_eq!(store.list().await.unwrap().len(), 1);
}

#[actix_rt::test]
async fn a_pause_is_told_and_outlives_capture_and_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("start room").await;
    assert!(server.line().await.contains("Ok"));
    server.say("pause room").await;
    assert!(server.line().await.contains("Paused"));
    let id = names(&data.join("work")).remove(0);
    let pids = processes_in(&data.join("work"));
    server.kill().await;
    pids.into_iter().for_each(kill);

    let (recorder, _) = next_server(&data).await;
    let paused = wait_until("it is paused again", async || {
        let manifest = recorder.get(&id).await.unwrap()?;
        let again = manifest.restarts.capture == 1 && manifest.state == RecordingState::Paused;
        again.then_some(manifest)
    })
    .await;
    assert_eq!((paused.pauses.len(), paused.pauses[0].to), (1, None));

    let resumed = recorder.set_paused("room", None, false).await.unwrap();
    assert_eq!(resumed.state, RecordingState::Active);
    assert!(resumed.pauses[0].to.is_some());
    assert_eq!(recorder.get(&id).await.unwrap().unwrap(), resumed);
    recorder.set_paused("room", None, true).await.unwrap();
    let stopped = recorder.stop("room", None).await.unwrap();
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.pauses.len(), 2);
    assert_eq!(
        recorder.set_paused("room", None, true).await,
        Err(PauseError::NotRecording)
    );
}

#[actix_rt::test]
async fn a_capture_of_an_earlier_version_cannot_pause_and_records_on() {
    let fixture = Fixture::new().await;
    fixture.start("room+knows-no-pauses").await;
    let refused = fixture
        .recorder
        .set_paused("room+knows-no-pauses", None, true)
        .await;
    assert!(
        matches!(refused, Err(PauseError::Refused(_))),
        "{refused:?}"
    );
    let stopped = fixture.stop("room+knows-no-pauses").await;
    assert_eq!(stopped.state, RecordingState::Complete);
}
