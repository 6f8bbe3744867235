//! Actors that panic, and what others notice of it: nothing.

use std::time::Duration;

use actix::prelude::*;
use tapedeck_pipelines::control::EndReason;

use crate::common::{Fixture, both_processes, kill, wait_until};
use crate::registry::{RegistryActor, Sessions};
use crate::rooms_process::RoomsActor;
use crate::session::RecordingSession;
use crate::state::StoreActor;
use crate::uploader::UploaderActor;
use crate::{ListFilter, RecordingState};

#[derive(Clone, Message)]
#[rtype(result = "()")]
struct Panic;

macro_rules! panics {
    ($($actor:ty),*) => {$(
        impl Handler<Panic> for $actor {
            type Result = ();

            fn handle(&mut self, _: Panic, _: &mut Self::Context) {
                panic!("a panic that the test asked for");
            }
        }
    )*};
}

panics!(
    RegistryActor,
    RecordingSession,
    StoreActor,
    UploaderActor,
    RoomsActor
);

async fn session(fixture: &Fixture) -> Addr<RecordingSession> {
    let sessions = fixture
        .recorder
        .inner
        .registry
        .send(Sessions)
        .await
        .unwrap()
        .0;
    sessions[0].session.clone()
}

#[actix_rt::test]
async fn a_session_that_panics_is_made_anew_and_keeps_its_processes() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let pids = async || both_processes(&fixture.recorder).await;
    let before = wait_until("both processes run", pids).await;
    for _ in 0..3 {
        let vanished = session(&fixture).await;
        assert!(vanished.send(Panic).await.is_err());
        let after = wait_until("both processes are found again", pids).await;
        assert_eq!(after, before);
    }
    let stopped = fixture.stop("room").await;
    assert_eq!(
        (stopped.id, stopped.state),
        (started.id, RecordingState::Complete)
    );
    assert_eq!(stopped.end_reason, Some(EndReason::Stopped));
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn those_who_wait_for_an_end_do_not_notice_a_panic() {
    let fixture = Fixture::new().await;
    fixture.start("room+render-slow").await;
    let recorder = fixture.recorder.clone();
    let stopping = actix::spawn(async move { recorder.stop("room+render-slow", None).await });
    wait_until("it is ending", async || {
        let filter = ListFilter {
            state: Some(RecordingState::Ending),
            ..ListFilter::default()
        };
        fixture
            .recorder
            .list(filter, None, 1)
            .await
            .unwrap()
            .recordings
            .pop()
    })
    .await;
    assert!(session(&fixture).await.send(Panic).await.is_err());
    assert_eq!(
        stopping.await.unwrap().unwrap().state,
        RecordingState::Complete
    );
}

#[actix_rt::test]
async fn a_registry_that_panics_still_knows_its_sessions() {
    let fixture = Fixture::new().await;
    let started = fixture.start("room").await;
    let before = session(&fixture).await;
    let registry = || fixture.recorder.inner.registry.address();
    assert!(registry().send(Panic).await.is_err());
    assert_eq!(session(&fixture).await, before, "the session goes on");
    // Also when nobody asks: sessions are looked after again.
    assert!(registry().send(Panic).await.is_err());
    assert!(before.send(Panic).await.is_err());
    wait_until("the session is made anew", async || {
        let live = fixture.recorder.live().await.unwrap();
        live.first()?.capture.is_some().then_some(())
    })
    .await;
    assert_eq!(fixture.stop("room").await.id, started.id);
}

#[actix_rt::test]
async fn a_store_actor_and_an_uploader_that_panic_are_made_anew() {
    let fixture = Fixture::with(
        |settings| settings.stop_timeout = Duration::from_secs(30),
        3,
    )
    .await;
    let services = &fixture.recorder.inner.services;
    assert!(services.states.address().send(Panic).await.is_err());
    let started = fixture.start("room").await;
    assert!(services.states.address().send(Panic).await.is_err());
    let recorder = fixture.recorder.clone();
    let stopping = actix::spawn(async move { recorder.stop("room", None).await });
    fixture
        .wait_for(&started.id, RecordingState::Uploading)
        .await;
    assert!(services.uploader.address().send(Panic).await.is_err());
    assert_eq!(
        stopping.await.unwrap().unwrap().state,
        RecordingState::Complete
    );
    assert_eq!(fixture.recorder.ready().await, Ok(()));
}

#[actix_rt::test]
async fn an_actor_of_the_rooms_process_that_panics_finds_the_process_again() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    fixture.publish("room", "ann").await;
    let before = fixture.rooms_processes();
    for identity in ["bob", "cleo"] {
        let actor = recorder.inner.services.sources.rooms.actor.address();
        assert!(actor.send(Panic).await.is_err());
        fixture.publish("room", identity).await;
    }
    assert_eq!(fixture.rooms_processes(), before);
    assert_eq!(recorder.rooms().await[0].participants.len(), 3);

    // Also when nobody asks: a recording needs the process.
    fixture.record("room").await;
    let actor = recorder.inner.services.sources.rooms.actor.address();
    assert!(actor.send(Panic).await.is_err());
    kill(before[0]);
    wait_until("it is started again", async || {
        (fixture.rooms_starts() == 2).then_some(())
    })
    .await;
    fixture.finish().await;
    fixture.no_process_left().await;
}
