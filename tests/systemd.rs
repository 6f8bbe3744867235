//! The unit for systemd, and what systemd does to processes under it and under its default.

use std::fs;
use std::process::Command;
use std::time::Duration;

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use harness::wait;
use storage_testing::skipped;

const UNIT: &str = include_str!("../config/systemd/tapedeck.service");

#[test]
fn the_unit_is_understood() {
    for needed in [
        "KillMode=process",
        "OOMPolicy=continue",
        "Restart=always",
        "Type=notify",
    ] {
        assert!(UNIT.lines().any(|line| line == needed), "{needed}");
    }
    // What outlives the service must not lose its folders or its user.
    for harmful in [
        "PrivateTmp=y",
        "DynamicUser=y",
        "RuntimeDirectory=",
        "PrivateTmp=t",
    ] {
        assert!(
            UNIT.lines().all(|line| !line.starts_with(harmful)),
            "{harmful}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("tapedeck.service");
    // It looks whether the program is there.
    fs::write(&unit, UNIT.replace("/usr/local/bin/tapedeck", "/bin/true")).unwrap();
    match Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output()
    {
        Ok(verified) => {
            let said = String::from_utf8_lossy(&verified.stderr).into_owned();
            let ours: Vec<_> = said
                .lines()
                .filter(|line| line.contains("tapedeck"))
                .collect();
            assert!(verified.status.success() && ours.is_empty(), "{said}");
        }
        Err(_) => skipped("the unit is not verified: systemd-analyze is not installed"),
    }
}

/// `KillMode=process`: only the server gets SIGTERM, and is started again.
#[tokio::test]
async fn a_restart_of_the_service_costs_no_frame() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    let captures = tapedeck.children("capture");
    tapedeck.terminate();
    tokio::time::sleep(Duration::from_secs(1)).await;
    tapedeck.run().await;
    assert_eq!(tapedeck.children("capture"), captures);
    tapedeck.wait_until(&started, 7.0).await;
    let end = tapedeck.position(&started);
    tapedeck.stop_recording("studio").await;
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    let found = Findings::of(&tapedeck.file(&listed.name), &grid(1));
    assert!((found.duration() - end).abs() < 1.0);
    found.assert_heard(&publisher.options, 1.0, end - 0.5, 0);
    found.assert_seen(0, 1.0, end - 0.5, 0);
    tapedeck.assert_nothing_left().await;
}

/// systemd's default, and a container that ends: all get SIGTERM.
#[tokio::test]
async fn when_all_processes_are_told_to_end_the_next_server_resumes_with_a_gap() {
    let livekit = Livekit::start().await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let mut tapedeck = Tapedeck::start(&livekit).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    let before = tapedeck.position(&started);
    for role in ["capture", "render"] {
        for process in tapedeck.children(role) {
            let told = Command::new("kill")
                .args(["-TERM", &process.to_string()])
                .status();
            assert!(told.is_ok_and(|status| status.success()));
        }
    }
    tapedeck.terminate();
    wait::until("the end of all", Duration::from_secs(20), || async {
        let all = ["capture", "render"].map(|role| tapedeck.children(role));
        all.concat().is_empty().then_some(())
    })
    .await;
    tapedeck.run().await;
    let after = tapedeck.position(&started);
    tapedeck.wait_until(&started, after + 6.0).await;
    let end = tapedeck.position(&started);
    tapedeck.stop_recording("studio").await;

    let ended = tapedeck
        .get(&format!("/v1/recordings/{}", started.id))
        .await
        .body;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["endReason"], "stopped", "{ended}");
    let manifest = fs::read(tapedeck.work(&started.id).join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        manifest["gaps"][0]["reason"], "capture_restarted",
        "{manifest}"
    );
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    let found = Findings::of(&tapedeck.file(&listed.name), &grid(1));
    assert!((found.duration() - end).abs() < 1.0, "{}", found.duration());
    for (from, until) in [(1.0, before - 0.5), (after + 3.5, end - 0.5)] {
        found.assert_heard(&publisher.options, from, until, 1);
        found.assert_seen(0, from, until, 1);
    }
    tapedeck.assert_nothing_left().await;
}
