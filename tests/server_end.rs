//! How the server ends and who may take its place, over the real program.

use std::process::Command;
use std::time::{Duration, Instant};

use harness::findings::{Findings, grid};
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use harness::wait;

#[tokio::test]
async fn sigterm_finishes_what_runs_if_configured_and_a_second_one_ends_at_once() {
    let mut tapedeck = Tapedeck::start_alone(&[("TAPEDECK_SERVER_ON_SIGTERM", "finish")]).await;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    let end = tapedeck.position(&started);
    tapedeck.terminate();
    let file = std::fs::read_dir(tapedeck.data().join("recordings"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "mp4"))
        .expect("it was delivered before the server ended");
    let found = Findings::of(&file, &grid(1));
    assert!((found.duration() - end).abs() < 1.0, "{}", found.duration());
    assert!(tapedeck.log().contains("all recordings are finished"));
    drop(publisher);

    tapedeck.run().await;
    let _publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(1)).await;
    let again = tapedeck.start_recording("studio").await;
    // A render that is stopped keeps the first signal's work from ever being done.
    tapedeck.wait_until(&again, 2.0).await;
    let renders = tapedeck.children("render");
    stop(&renders, "STOP");
    tapedeck.signal(libc::SIGTERM);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = Instant::now();
    tapedeck.signal(libc::SIGTERM);
    tapedeck.wait_for_exit();
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    stop(&renders, "CONT");
    tapedeck.run().await;
    let ended = tapedeck.wait_for_end(&again.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_server_that_hangs_up_hands_over_and_a_second_one_is_told_who_has_the_folder() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let _publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;

    let mut second = tapedeck.command(&["serve"]);
    second.env("SERVER_PORT", harness::ports::free_port().to_string());
    let refused = second.output().unwrap();
    assert!(!refused.status.success());
    let error = String::from_utf8_lossy(&refused.stderr);
    let port = format!("listens on 127.0.0.1:{}", tapedeck.port);
    for told in ["another server uses it: process ", &port, "since 20"] {
        assert!(error.contains(told), "{error}");
    }

    tapedeck.wait_until(&started, 2.0).await;
    let children = [tapedeck.children("capture"), tapedeck.children("rooms")];
    tapedeck.signal(libc::SIGHUP);
    tapedeck.wait_for_exit();
    assert!(
        tapedeck
            .log()
            .contains("until the next server takes over: 1")
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    tapedeck.run().await;
    wait::until("the recording", Duration::from_secs(10), || async {
        let status = tapedeck.get("/status").await.body;
        status.to_string().contains(&started.id).then_some(())
    })
    .await;
    assert_eq!(
        [tapedeck.children("capture"), tapedeck.children("rooms")],
        children
    );
    tapedeck.wait_until(&started, 5.0).await;
    let end = tapedeck.position(&started);
    tapedeck.stop_recording("studio").await;
    let manifest = std::fs::read(tapedeck.work(&started.id).join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["gaps"], serde_json::json!([]), "{manifest}");
    let listed = tapedeck.listed(&started.id).await.unwrap();
    let found = Findings::of(&tapedeck.file(&listed.name), &grid(1));
    found.assert_seen(0, 1.0, end - 0.5, 1);
    tapedeck.assert_nothing_left().await;
}

fn stop(processes: &[i32], signal: &str) {
    for process in processes {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), process.to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
    }
}
