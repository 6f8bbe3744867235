//! A WHIP client that is not ours.

use std::time::Duration;

use harness::clients::{Browser, WhipPage};
use harness::findings::{Findings, grid};
use harness::tapedeck::Tapedeck;
use harness::wait;

/// How long a browser may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// The first participant of the first room, if there is one.
async fn participant(tapedeck: &Tapedeck) -> Option<serde_json::Value> {
    let rooms = tapedeck.get("/v1/rooms").await.body;
    rooms["rooms"][0]["participants"].get(0).cloned()
}

#[tokio::test]
async fn whip_client_from_npm_is_recorded() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let page = WhipPage::serve(&tapedeck, "studio", "eyevinn").await;
    let browser = Browser::start(&[]);
    let tab = page.open(&browser).await;
    wait::until("media of the client", SOON, || async {
        let log = browser.log().join("\n");
        assert!(!log.contains("cannot publish"), "{log}");
        let tracks = participant(&tapedeck).await?["tracks"].clone();
        let flowing = |track: &serde_json::Value| track["frames"].as_u64() > Some(0);
        (tracks
            .as_array()?
            .iter()
            .filter(|track| flowing(track))
            .count()
            == 2)
            .then_some(())
    })
    .await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 9.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    let placeholder = found.placeholder_seconds(0, 2.0, 9.0);
    assert!(placeholder < 0.5, "{placeholder} s without a picture");
    let frozen = found.tiles[0].frozen(2.0);
    assert!(frozen.is_empty(), "the picture froze: {frozen:?}");
    assert!(found.tiles[0].labelled() > 0.8);
    // Chromium's fake microphone beeps about twice in a second.
    let silences = found.sound.silences(3.0);
    let late = silences.iter().all(|silence| silence.start < 2.0);
    assert!(late, "{silences:?}");

    // It deletes its session.
    tab.evaluate("location.hash = 'end'").await;
    wait::until("its good-bye", SOON, || async {
        participant(&tapedeck).await.is_none().then_some(())
    })
    .await;
}
