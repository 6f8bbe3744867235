//! Many requests at the same moment.

mod common;

use std::collections::HashSet;

use common::*;
use futures_util::future::join_all;
use tapedeck_actors::*;

#[actix_rt::test]
async fn of_many_starts_at_once_exactly_one_wins() {
    let fixture = Fixture::new().await;
    let starts = (0..20).map(|_| fixture.recorder.start(request("room")));
    let (won, lost): (Vec<_>, Vec<_>) = join_all(starts).await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let id = won[0].as_ref().unwrap().id.clone();
    for error in lost {
        let expected = StartError::AlreadyRecording {
            room_name: "room".into(),
            id: id.clone(),
        };
        assert_eq!(error.unwrap_err(), expected);
    }
    fixture.stop("room").await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_repeated_idempotency_key_answers_with_the_same_recording() {
    let fixture = Fixture::new().await;
    let keyed = || StartRequest {
        idempotency_key: Some("key".into()),
        ..request("room")
    };
    let answers = join_all((0..5).map(|_| fixture.recorder.start(keyed()))).await;
    let ids: HashSet<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().id)
        .collect();
    assert_eq!(ids.len(), 1);
    fixture.stop("room").await;
    fixture.no_process_left().await;

    // Also after it has ended; another request under the key is refused.
    assert!(ids.contains(&fixture.recorder.start(keyed()).await.unwrap().id));
    let other = StartRequest {
        room_name: "other".into(),
        ..keyed()
    };
    assert_eq!(
        fixture.recorder.start(other).await,
        Err(StartError::IdempotencyConflict)
    );
}

#[actix_rt::test]
async fn a_flood_of_questions_is_answered_and_stops_nothing() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    // Far more than any mailbox holds.
    let questions = (0..2_000).map(|_| fixture.recorder.live());
    let stop = fixture.recorder.stop("room", None);
    let (answers, stopped) = futures_util::future::join(join_all(questions), stop).await;
    assert_eq!(answers.len(), 2_000);
    assert_eq!(stopped.unwrap().id, started.id);
}

#[actix_rt::test]
async fn stops_at_once_with_starts_leave_nothing_behind() {
    let fixture = Fixture::new().await;
    for _ in 0..5 {
        let starts = join_all((0..3).map(|_| fixture.recorder.start(request("room"))));
        let stops = join_all((0..3).map(|_| fixture.recorder.stop("room", None)));
        futures_util::future::join(starts, stops).await;
        let _ = fixture.recorder.stop("room", None).await;
    }
    fixture.no_process_left().await;
    for manifest in fixture.listed().await {
        assert!(manifest.state.is_final(), "{:?}", manifest.state);
    }
}
