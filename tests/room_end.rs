//! Recordings that end by themselves.

use std::time::Duration;

use harness::findings::{Findings, grid};
use harness::livekit::{Livekit, LivekitOptions};
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::Tapedeck;
use serde_json::json;

#[tokio::test]
async fn room_closed_by_its_server_completes_the_recording() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 5.0).await;
    livekit.delete_room("studio").await;
    let closed = tapedeck.position(&started);

    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["endReason"], "room_ended", "{ended}");
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    let found = Findings::of(&tapedeck.file(&listed.name), &grid(1));
    assert!(
        (found.duration() - closed).abs() < 1.0,
        "{} s of {closed} s",
        found.duration()
    );
    found.assert_heard(&publisher.options, 1.0, closed, 1);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn last_participant_gone_completes_the_recording() {
    let livekit = Livekit::start_with(LivekitOptions {
        departure_timeout: 2,
        ..Default::default()
    })
    .await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    publisher.leave().await;
    let left = tapedeck.position(&started);

    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["endReason"], "room_ended", "{ended}");
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    assert!(listed.duration > left - 0.5, "{listed:?}");
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn longest_duration_ends_the_recording() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck
        .post(
            "/recordings/start",
            json!({ "roomName": "studio", "maxDuration": 4 }),
        )
        .await
        .recording();
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "limit_reached", "{ended}");
    assert_eq!(ended["endReason"], "max_duration", "{ended}");
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    assert!((listed.duration - 4.0).abs() < 0.3, "{listed:?}");
    assert!(publisher.is_alive(), "the room goes on");
    // The room can be recorded again.
    tapedeck.start_recording("studio").await;
    tapedeck.stop_recording("studio").await;
}

#[tokio::test]
async fn empty_room_ends_the_recording_after_its_time() {
    let livekit = Livekit::start().await;
    livekit.create_room("studio").await;
    let tapedeck = Tapedeck::start_with(
        &livekit.ws_url(),
        &[("TAPEDECK_RECORDING_EMPTY_ROOM_TIMEOUT_S", "3")],
    )
    .await;
    let started = tapedeck.start_recording("studio").await;
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["endReason"], "room_empty", "{ended}");
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    assert!((2.5..6.0).contains(&listed.duration), "{listed:?}");
}

#[tokio::test]
async fn room_says_that_it_is_recorded_until_the_file_is_listed() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let _publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let before = livekit.room("studio").await.expect("the room");
    assert!(!before.active_recording);
    let started = tapedeck.start_recording("studio").await;
    let during = livekit.room("studio").await.expect("the room");
    assert!(
        during.active_recording,
        "it is told as soon as start is answered"
    );
    assert_eq!(during.num_participants, 1, "the recorder is not counted");
    assert_eq!(
        livekit.participants("studio").await.len(),
        1,
        "the recorder is hidden"
    );
    tapedeck.wait_until(&started, 3.0).await;

    let stop = tapedeck.post("/recordings/stop", json!({ "roomName": "studio" }));
    let watch = async {
        loop {
            let listed = tapedeck.listed(&started.id).await.is_some();
            let flag = livekit
                .room("studio")
                .await
                .expect("the room")
                .active_recording;
            if !flag {
                let listed = listed || tapedeck.listed(&started.id).await.is_some();
                assert!(listed, "the room is told off before the file is listed");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (_, ()) = futures_util::join!(stop, watch);
    tapedeck.assert_nothing_left().await;
}
