//! Rooms of our own: the rooms process is there when somebody publishes, and found again.

mod common;

use std::time::Duration;

use common::*;
use futures_util::future::join_all;
use tapedeck_actors::*;
use tapedeck_pipelines::control::{WhipAnswer, WhipRefusal, WhipRequest};

fn patch(session: &str) -> WhipRequest {
    WhipRequest::Patch {
        room: "room".into(),
        session: session.into(),
        if_match: None,
        fragment: "a=ice-ufrag:x".into(),
    }
}

fn delete(session: &str) -> WhipRequest {
    WhipRequest::Delete {
        room: "room".into(),
        session: session.into(),
    }
}

fn is_unknown_session(answer: &Result<WhipAnswer, RoomsError>) -> bool {
    matches!(answer, Ok(WhipAnswer::Refused { reason, .. }) if *reason == WhipRefusal::UnknownSession)
}

async fn identities(recorder: &Recorder) -> Vec<String> {
    let participants = recorder
        .rooms()
        .await
        .into_iter()
        .flat_map(|room| room.participants);
    participants
        .map(|participant| participant.identity)
        .collect()
}

#[actix_rt::test]
async fn the_first_publisher_starts_the_process_and_those_after_it_share_it() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    assert_eq!(recorder.rooms().await, []);
    assert!(recorder.rooms_process().await.is_none());

    let answers = join_all((0..20).map(|number| {
        let identity = format!("publisher {number}");
        async move { recorder.whip(publish("room", &identity)).await }
    }))
    .await;
    let mut sessions: Vec<_> = answers.into_iter().map(session_of).collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 20);
    assert_eq!(fixture.rooms_starts(), 1, "all share one start");
    let pids = fixture.rooms_processes();
    assert_eq!(pids.len(), 1);

    wait_until("all are seen", async || {
        (identities(recorder).await.len() == 20).then_some(())
    })
    .await;
    let usage = recorder.rooms_process().await.unwrap();
    assert_eq!((usage.role, usage.pid), ("rooms", pids[0]));
    assert!(usage.memory_bytes > 0);

    assert_eq!(
        recorder.whip(patch(&sessions[0])).await,
        Ok(WhipAnswer::Trickled)
    );
    assert_eq!(
        recorder.whip(delete(&sessions[0])).await,
        Ok(WhipAnswer::Deleted)
    );
    assert!(is_unknown_session(
        &recorder.whip(delete(&sessions[0])).await
    ));
    fixture.finish().await;
    assert!(fixture.rooms_processes().is_empty());
}

#[actix_rt::test]
async fn who_only_asks_for_a_session_starts_nothing() {
    let fixture = Fixture::new().await;
    for request in [patch("0123"), delete("0123")] {
        assert!(is_unknown_session(&fixture.recorder.whip(request).await));
    }
    assert_eq!(fixture.rooms_starts(), 0);
    assert!(fixture.sockets().is_empty());
}

#[actix_rt::test]
async fn a_process_that_cannot_start_tells_why() {
    let fixture = Fixture::with(|settings| settings.rooms.max_publishers = 0, 0).await;
    // Publishers that come back at once are answered, but do not start it each time.
    let mut tries = 0;
    while tries < fixture.rooms_starts() + 20 {
        let error = fixture
            .recorder
            .whip(publish("room", "ann"))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, RoomsError::NotRunning(why) if why.contains("no port is free, as the test says")),
            "{error:?}"
        );
        tries += 1;
        assert!(tries < 1_000, "it is started each time");
    }
    assert!(fixture.rooms_starts() >= 2, "it is tried again");
    assert_eq!(fixture.recorder.rooms().await, []);

    let fixture = Fixture::with(
        |settings| settings.executable = "/nowhere/tapedeck".into(),
        0,
    )
    .await;
    let error = fixture
        .recorder
        .whip(publish("room", "ann"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, RoomsError::NotRunning(why) if why.contains("cannot be started")),
        "{error:?}"
    );
}

#[actix_rt::test]
async fn one_that_was_killed_is_started_by_the_next_publisher() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    let session = fixture.publish("room", "ann").await;
    kill(fixture.rooms_processes()[0]);
    fixture.no_process_left().await;
    assert!(is_unknown_session(&recorder.whip(patch(&session)).await));
    assert_eq!(recorder.rooms().await, []);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(fixture.rooms_starts(), 1, "nobody needs it");
    assert!(fixture.sockets().is_empty());

    fixture.publish("room", "bob").await;
    assert_eq!(identities(recorder).await, ["bob"]);
    fixture.finish().await;
}

#[actix_rt::test]
async fn one_that_ends_just_now_does_not_lose_a_publisher() {
    let fixture = Fixture::new().await;
    session_of(
        fixture
            .recorder
            .whip(publish("room+ends-once", "ann"))
            .await,
    );
    assert_eq!(fixture.rooms_starts(), 2);
    fixture.finish().await;
}

#[actix_rt::test]
async fn a_request_that_was_cut_off_is_repeated_under_its_id() {
    let fixture = Fixture::with(|settings| settings.rooms.max_publishers = 1, 0).await;
    let answer = fixture.recorder.whip(publish("room", "ann")).await;
    // What it answers to a repeated request only.
    assert_eq!(answer, Ok(WhipAnswer::Trickled));
    assert_eq!(fixture.rooms_starts(), 1);
    fixture.finish().await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn one_that_does_not_leave_is_killed() {
    let fixture = Fixture::new().await;
    fixture.publish("room+hangs", "ann").await;
    fixture.recorder.finish_all(Duration::from_secs(30)).await;
    fixture.no_process_left().await;
    assert!(fixture.sockets().is_empty());
}

#[actix_rt::test]
async fn an_offer_that_kills_the_process_is_not_put_to_it_for_ever() {
    let fixture = Fixture::new().await;
    let error = fixture.recorder.whip(publish("room+dies", "mallory")).await;
    assert!(matches!(error, Err(RoomsError::NotRunning(_))), "{error:?}");
    assert_eq!(fixture.rooms_starts(), 2);
    fixture.publish("room", "ann").await;
    fixture.finish().await;
}

#[actix_rt::test]
async fn a_session_description_without_end_is_refused() {
    let fixture = Fixture::new().await;
    let mut request = publish("room", "ann");
    if let WhipRequest::Publish { offer, .. } = &mut request {
        *offer = "\0".repeat(1 << 20);
    }
    let answer = fixture.recorder.whip(request).await;
    assert!(
        matches!(&answer, Ok(WhipAnswer::Refused { reason, .. }) if *reason == WhipRefusal::Malformed),
        "{answer:?}"
    );
    assert_eq!(fixture.rooms_starts(), 0);
}

#[actix_rt::test]
async fn one_that_hangs_is_killed_and_replaced() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    fixture.publish("room+hangs", "ann").await;
    let hung = fixture.rooms_processes();
    wait_until("it was killed", async || {
        (fixture.rooms_processes() != hung).then_some(())
    })
    .await;
    fixture.publish("room", "bob").await;
    assert_eq!(identities(recorder).await, ["bob"]);
    fixture.finish().await;
}

#[actix_rt::test]
async fn publishers_and_recordings_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("publish room").await;
    assert!(server.line().await.contains("Published"));
    server.say("record room").await;
    assert!(server.line().await.contains("Ok"));
    let before = processes_in(&data.join("rooms"));
    server.kill().await;

    let (recorder, _) = next_server(&data).await;
    // At once, though the process has yet to be found.
    let rooms = recorder.rooms().await;
    assert_eq!((rooms.len(), rooms[0].name.as_str()), (1, "room"));
    let session = rooms[0].participants[0].id.clone();
    assert_eq!(
        recorder.whip(patch(&session)).await,
        Ok(WhipAnswer::Trickled)
    );
    assert!(matches!(
        recorder.start(whip_recording("room")).await,
        Err(StartError::AlreadyRecording { .. })
    ));
    session_of(recorder.whip(publish("room", "bob")).await);
    assert_eq!(
        processes_in(&data.join("rooms")),
        before,
        "it is the same process"
    );
    let stopped = recorder.stop("room", None).await.unwrap();
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.warnings, []);
    recorder.finish_all(Duration::from_secs(10)).await;
    wait_until("all processes are gone", async || {
        processes_in(&data).is_empty().then_some(())
    })
    .await;
    assert!(names(&data.join("run")).is_empty());
}

#[actix_rt::test]
async fn an_earlier_servers_process_makes_room_when_its_last_publisher_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("publish room").await;
    assert!(server.line().await.contains("Published"));
    let before = processes_in(&data.join("rooms"));
    server.kill().await;

    let (recorder, _) = next_server(&data).await;
    let session = recorder.rooms().await[0].participants[0].id.clone();
    assert_eq!(
        recorder.whip(delete(&session)).await,
        Ok(WhipAnswer::Deleted)
    );
    // Who comes in this moment is not lost between the two.
    let answers = join_all((0..10).map(|number| {
        let recorder = &recorder;
        async move {
            tokio::time::sleep(Duration::from_millis(number * 40)).await;
            let answer = recorder.whip(publish("room", "bob")).await;
            let session = session_of(answer);
            recorder.whip(delete(&session)).await
        }
    }))
    .await;
    assert!(
        answers
            .iter()
            .all(|answer| *answer == Ok(WhipAnswer::Deleted)),
        "{answers:?}"
    );
    wait_until("the old one is gone", async || {
        processes_in(&data.join("rooms"))
            .iter()
            .all(|pid| !before.contains(pid))
            .then_some(())
    })
    .await;
    session_of(recorder.whip(publish("room", "cleo")).await);
    assert_eq!(processes_in(&data.join("rooms")).len(), 1);
    recorder.finish_all(Duration::from_secs(10)).await;
}
