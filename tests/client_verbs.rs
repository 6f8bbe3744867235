//! `tapedeck recording`: what somebody does at a terminal with a server that runs.

use std::process::{Output, Stdio};

use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::{Tapedeck, command};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

const KEY: &str = "operator-key-of-the-test";

async fn run(tapedeck: &Tapedeck, arguments: &[&str]) -> Output {
    let mut all = vec!["recording"];
    all.extend(arguments);
    let command = Command::from(tapedeck.command(&all)).output();
    command.await.expect("tapedeck runs")
}

/// What it printed, if it succeeded.
async fn said(tapedeck: &Tapedeck, arguments: &[&str]) -> String {
    let output = run(tapedeck, arguments).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// What it complained of.
async fn refused(tapedeck: &Tapedeck, arguments: &[&str], code: i32) -> String {
    let output = run(tapedeck, arguments).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    error
}

#[tokio::test]
async fn a_recording_is_made_watched_and_deleted_from_a_terminal() {
    let tapedeck = Tapedeck::start_alone(&[("TAPEDECK_AUTH_OPERATOR_KEY", KEY)]).await;
    let endpoint = whip::endpoint(&tapedeck, "studio", "alice", "Alice");
    harness::http::install_crypto();
    let publisher = testcard::whip::WhipPublisher::publish(
        endpoint,
        testcard::whip::Route::Udp,
        PublisherOptions::new(0),
    )
    .await
    .expect("it publishes");

    assert_eq!(said(&tapedeck, &["list"]).await.trim(), "no recordings");
    let no_room = refused(&tapedeck, &["start", "nowhere"], 1).await;
    assert!(no_room.contains("room named nowhere"), "{no_room}");

    let mut watch = Command::from(tapedeck.command(&["recording", "watch"]))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("tapedeck runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("its output")).lines();

    let started = said(
        &tapedeck,
        &[
            "start", "studio", "--json", "--width", "320", "--height", "180",
        ],
    )
    .await;
    let started: Value = serde_json::from_str(&started).expect("JSON");
    let id = started["recording"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let name = started["recording"]["name"].as_str().expect("a name");
    let again = refused(&tapedeck, &["start", "studio"], 1).await;
    assert!(again.contains("already"), "{again}");

    let mut told = String::new();
    while !told.contains("active") {
        let line = tokio::time::timeout(std::time::Duration::from_secs(20), lines.next_line());
        let line = line.await.expect("a line in time").expect("text");
        told.push_str(&line.expect("it goes on"));
    }
    assert!(told.contains(&id) && told.contains("studio"), "{told}");
    watch.start_kill().expect("it runs");

    let paused = said(&tapedeck, &["pause", "studio"]).await;
    assert!(paused.contains("paused"), "{paused}");
    let resumed = said(&tapedeck, &["resume", "studio"]).await;
    assert!(resumed.contains("active"), "{resumed}");
    let table = said(&tapedeck, &["list", "--room", "studio"]).await;
    assert!(table.contains(&id) && table.contains("active"), "{table}");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let stopped = said(&tapedeck, &["stop", "studio"]).await;
    assert!(stopped.contains(name), "{stopped}");
    drop(publisher);
    tapedeck_ended(&tapedeck, &id).await;
    // It has finished before anybody looks.
    let seen = said(&tapedeck, &["watch", &id]).await;
    assert!(seen.contains("complete"), "{seen}");

    // The address needs no key.
    let address = said(&tapedeck, &["url", &id]).await;
    let fetched = reqwest::get(address.trim()).await.expect("an answer");
    assert_eq!(fetched.status().as_u16(), 200, "{address}");
    let deleted = said(&tapedeck, &["delete", &id]).await;
    assert!(deleted.contains(name), "{deleted}");
    let gone = refused(&tapedeck, &["delete", name], 1).await;
    assert!(gone.contains("not found"), "{gone}");
}

async fn tapedeck_ended(tapedeck: &Tapedeck, id: &str) {
    harness::wait::until(
        "the file is there",
        std::time::Duration::from_secs(30),
        || async {
            let table = said(tapedeck, &["list", "--state", "complete"]).await;
            table.contains(id).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn a_client_says_what_is_wrong_with_its_server_or_key() {
    let tapedeck = Tapedeck::start_alone(&[("TAPEDECK_AUTH_OPERATOR_KEY", KEY)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (wrong, right) = (folder.path().join("wrong"), folder.path().join("right"));
    std::fs::write(&wrong, "another-key\n").expect("written");
    std::fs::write(&right, format!("{KEY}\n")).expect("written");
    let list = |key: &std::path::Path, server: &str| {
        let mut command = command();
        command
            .args(["recording", "list", "--server", server, "--key-file"])
            .arg(key)
            .current_dir(folder.path());
        Command::from(command).output()
    };
    let server = tapedeck.url("");
    let output = list(&right, &server).await.expect("tapedeck runs");
    assert!(output.status.success(), "{output:?}");

    let nobody = format!("http://127.0.0.1:{}", harness::ports::free_port());
    for (key, server, code, expected) in [
        (&wrong, server.as_str(), 1, "--key-file"),
        (&right, nobody.as_str(), 3, "no server answers"),
        (&right, "studio", 1, "http://HOST:PORT"),
        (
            &folder.path().join("missing"),
            server.as_str(),
            1,
            "cannot be read",
        ),
    ] {
        let output = list(key, server).await.expect("tapedeck runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(KEY) && !error.contains("another-key"));
    }
}
