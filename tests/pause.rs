//! Recordings that are paused on request.

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions, whip};
use harness::tapedeck::{Recording, Tapedeck};
use serde_json::{Value, json};

/// The pauses of a finished recording as `/recordings` tells them.
async fn told_pauses(tapedeck: &Tapedeck, id: &str) -> Vec<Value> {
    let recording = tapedeck.told(id).await;
    let pauses = recording["pauses"].as_array().expect("pauses").clone();
    // A pause is no gap. Behind it the picture stands still until the publisher's next key frame.
    for gap in recording["gaps"].as_array().expect("gaps") {
        let [from, to] = ["from", "to"].map(|end| gap[end].as_f64().expect("a time"));
        let follows = |pause: &Value| (from - pause["at"].as_f64().expect("a time")).abs() < 0.1;
        let is_expected = gap["reason"] == "key_frame_awaited" && to - from < 1.0;
        assert!(is_expected && pauses.iter().any(follows), "{recording}");
    }
    pauses
}

/// Lets a recording of 5 s pause for 6 s and go on for 7 s; then stops it and looks at the file.
async fn pause_and_judge(tapedeck: &mut Tapedeck, publisher: &PublisherOptions, restart: bool) {
    let started: Recording = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 5.0).await;
    let paused = tapedeck.ask("pause", &started).await;
    assert_eq!(paused["status"], "paused");
    let at = paused["pauses"][0]["at"].as_f64().expect("a time");
    let paused_at = tapedeck.position(&started);
    let on_disk = std::fs::read(tapedeck.work(&started.id).join("manifest.json"));
    let on_disk: Value = serde_json::from_slice(&on_disk.expect("a manifest")).expect("JSON");
    assert_eq!(on_disk["state"], "paused", "before the answer");
    assert_eq!(tapedeck.ask("pause", &started).await["status"], "paused");

    if restart {
        tapedeck.wait_until(&started, paused_at + 2.0).await;
        tapedeck.kill();
        tapedeck.signal_children("capture", libc::SIGKILL);
        tapedeck.run().await;
        tapedeck.wait_for_restarts(&started.id, 1, "paused").await;
    }
    tapedeck.wait_until(&started, paused_at + 6.0).await;
    let resumed = tapedeck.ask("resume", &started).await;
    assert_eq!(resumed["status"], "active");
    let resumed_at = tapedeck.position(&started);
    tapedeck.wait_until(&started, resumed_at + 7.0).await;
    let end = tapedeck.position(&started) - (resumed_at - paused_at);
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);
    let pauses = told_pauses(tapedeck, &started.id).await;
    assert_eq!(pauses.len(), 1, "{pauses:?}");
    let told = pauses[0]["to"].as_f64().expect("an end")
        - pauses[0]["from"].as_f64().expect("a beginning");
    assert!(
        (told / 1e3 - (resumed_at - paused_at)).abs() < 1.0,
        "{told} ms"
    );

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    println!(
        "paused at {at:.2} s for {:.2} s, {:.2} s of {end:.2} s",
        told / 1e3,
        found.duration()
    );
    assert!(
        (found.duration() - end).abs() < 0.8,
        "the pause is left out"
    );
    found.assert_seen(0, 1.0, at, 1);
    found.assert_heard(publisher, 1.0, at, 1);
    // A key frame is awaited.
    found.assert_seen(0, at + 1.5, end, 1);
    found.assert_heard(publisher, at + 1.0, end, 1);
    found.assert_in_sync(0, publisher, at + 1.5);
}

#[tokio::test]
async fn a_paused_recording_goes_on_in_sync() {
    let livekit = Livekit::start().await;
    let mut tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    pause_and_judge(&mut tapedeck, &publisher.options, false).await;
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_pause_outlives_capture_and_server() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    pause_and_judge(&mut tapedeck, &publisher.options, true).await;
}

#[tokio::test]
async fn a_paused_recording_can_be_stopped() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let nothing = tapedeck
        .post("/recordings/pause", json!({ "roomName": "studio" }))
        .await;
    assert_eq!(nothing.status, 409, "{}", nothing.body);
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    let paused = tapedeck.ask("pause", &started).await;
    let at = paused["pauses"][0]["at"].as_f64().expect("a time");
    tapedeck.wait_until(&started, at + 4.0).await;
    let stopped = tapedeck.stop_recording("studio").await;
    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    assert!(
        (found.duration() - at).abs() < 0.5,
        "{} s of {at} s",
        found.duration()
    );
    found.assert_heard(&publisher.options, 1.0, at - 0.3, 1);
    let pauses = told_pauses(&tapedeck, &started.id).await;
    assert_eq!(pauses.len(), 1);
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}
