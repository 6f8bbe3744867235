//! The media server goes away in the middle of a recording.

use std::time::Duration;

use harness::findings::{Findings, grid};
use harness::livekit::{Livekit, LivekitOptions};
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::Tapedeck;
use tapedeck_pipelines::log::inspect;

/// A server that is away for so long and comes back on the same ports: the same recording goes on.
async fn away_for(seconds: f64) {
    let options = LivekitOptions::default();
    let livekit = Livekit::start_with(options).await;
    let (port, media_port) = (livekit.port, livekit.media_port);
    let tapedeck = Tapedeck::start(&livekit).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 5.0).await;
    // Killed, without a word to anybody.
    drop(livekit);
    drop(first);
    let gone = tapedeck.position(&started);
    tapedeck.wait_until(&started, gone + seconds).await;
    let livekit = Livekit::start_on(port, media_port, options).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let back = tapedeck.position(&started);
    // Pauses between attempts have grown to two seconds at most; on a busy machine joining takes
    // its time as well.
    tapedeck.wait_until(&started, back + 9.0).await;
    let path = format!("/v1/recordings/{}", started.id);
    let status = tapedeck.get(&path).await.body;
    assert_eq!(status["state"], "active", "{status}");
    let log = inspect(&tapedeck.work(&started.id)).expect("a log");
    let people = log.participants.iter().filter(|one| one.left_ms.is_none());
    assert_eq!(people.count(), 1, "nobody is there twice: {log:?}");
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    assert!(
        (found.duration() - end).abs() < 0.7,
        "{} s of {end} s: gaps keep their length",
        found.duration()
    );
    found.assert_heard(&publisher.options, 1.0, gone - 0.5, 1);
    found.assert_heard(&publisher.options, end - 4.0, end, 1);
    found.assert_seen(0, end - 4.0, end, 1);
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    let told = log
        .gaps
        .iter()
        .any(|gap| (seconds(gap.from_ms) - gone).abs() < 1.5 && seconds(gap.to_ms) > back - 0.5);
    assert!(told, "{gone} s to {back} s: {:?}", log.gaps);
}

#[tokio::test]
async fn a_server_that_is_away_for_a_second_costs_a_gap() {
    away_for(1.0).await;
}

#[tokio::test]
async fn a_server_that_is_away_for_ten_seconds_costs_a_gap() {
    away_for(10.0).await;
}

#[tokio::test]
#[ignore = "takes more than a minute: make soak"]
async fn a_server_that_is_away_for_a_minute_costs_a_gap() {
    away_for(60.0).await;
}

#[tokio::test]
async fn a_server_that_does_not_come_back_completes_the_recording() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start_with(
        &livekit.ws_url(),
        &[("TAPEDECK_RECORDING_SOURCE_LOST_TIMEOUT_S", "3")],
    )
    .await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 5.0).await;
    let options = publisher.options.clone();
    drop(publisher);
    let gone = tapedeck.position(&started);
    drop(livekit);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["endReason"], "source_lost", "{ended}");
    assert_eq!(ended["state"], "complete", "{ended}");
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    let found = Findings::of(&tapedeck.file(&listed.name), &grid(1));
    found.assert_heard(&options, 1.0, gone - 0.5, 1);
}
