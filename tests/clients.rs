//! Real clients are recorded, and real players play what comes out.

use std::time::Duration;

use harness::clients::{Chromium, PYTHON_PITCH, PythonPublisher};
use harness::content;
use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::Tapedeck;
use harness::wait;

async fn wait_for_publisher(livekit: &Livekit, log: impl Fn() -> String) {
    let published = wait::until("", Duration::from_secs(60), || async {
        let participants = livekit.participants("studio").await;
        let tracks = participants.first().map(|one| one.tracks.len());
        (tracks == Some(2) || log().contains("cannot publish")).then_some(tracks)
    })
    .await;
    assert_eq!(published, Some(2), "{}", log());
}

#[tokio::test]
async fn python_client_is_recorded() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = PythonPublisher::join(&livekit, "studio", "python");
    wait_for_publisher(&livekit, || publisher.log()).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 14.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    found.assert_seen(0, 3.0, 14.0, 2);
    let beeps = content::after(3.0, &found.sound.beeps(PYTHON_PITCH));
    assert!(beeps.len() >= 9, "{beeps:.2?}");
    let flashes = content::after(5.0, &found.tiles[0].flashes());
    let offsets = content::offsets(&flashes, &beeps);
    println!(
        "python: sound less picture: median {:.1} ms, p95 {:.1} ms (the client's own part is not known)",
        offsets.median_ms, offsets.p95_ms
    );
    assert!(offsets.median_ms.abs() < 150.0, "{offsets:?}");
    assert!(found.tiles[0].labelled() > 0.8);
}

#[tokio::test]
async fn browser_plays_and_seeks_in_a_recording() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let _publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 6.0).await;
    let stopped = tapedeck.stop_recording("studio").await;
    let browser = Chromium::play(&tapedeck.url(&format!("/recordings/{}", stopped.name))).await;
    let said = wait::until("the player", Duration::from_secs(60), || async {
        let log = browser.log();
        let ended = log.contains("player: seeked") || log.contains("player: error");
        ended.then_some(log)
    })
    .await;
    assert!(said.contains("player: opened 1280x720"), "{said}");
    assert!(said.contains("player: seeked"), "{said}");
}

#[tokio::test]
async fn browser_client_is_recorded() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let browser = Chromium::publish(&livekit, "studio", "browser").await;
    wait_for_publisher(&livekit, || browser.log()).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 14.0).await;
    let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
    assert!(status.to_string().contains("\"opus\""), "{status}");
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    let placeholder = found.placeholder_seconds(0, 3.0, 14.0);
    assert!(
        placeholder < 0.5,
        "{placeholder} s without the camera's picture"
    );
    let frozen = found.tiles[0].frozen(2.0);
    assert!(frozen.is_empty(), "the camera's picture froze: {frozen:?}");
    // Chromium's fake microphone beeps about twice in a second.
    let silences = found.sound.silences(3.0);
    assert!(
        silences.iter().all(|silence| silence.start < 3.0),
        "{silences:?}"
    );
}
