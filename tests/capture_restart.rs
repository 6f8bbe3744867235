//! Captures that die in mid recording: the recording goes on in the same file, and tells what it
//! could not see.

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions, whip};
use harness::tapedeck::{Recording, Tapedeck};
use serde_json::Value;

/// How long a capture that was killed may be away, s. Machines of tests are busy.
const AWAY: f64 = 6.0;
/// How long one that hangs is waited for before it is killed, s.
const HUNG: f64 = 15.0;

/// The only gap of a finished recording, s, as `/recordings` tells it.
async fn told_gap(tapedeck: &Tapedeck, id: &str) -> (f64, f64) {
    let gaps = tapedeck.told(id).await["gaps"].clone();
    let restarted = |gap: &&Value| gap["reason"] == "capture_restarted";
    let restarted: Vec<_> = gaps
        .as_array()
        .expect("gaps")
        .iter()
        .filter(restarted)
        .collect();
    assert_eq!(restarted.len(), 1, "{gaps}");
    let seconds = |field: &str| restarted[0][field].as_f64().expect("seconds");
    (seconds("from"), seconds("to"))
}

/// Stops a recording whose capture was lost once, and looks for what `publisher` showed before and
/// after that. It may be away for `longest` seconds.
async fn judge(
    tapedeck: &Tapedeck,
    started: &Recording,
    publisher: &PublisherOptions,
    (killed, back): (f64, f64),
    longest: f64,
) {
    let end = tapedeck.position(started);
    let stopped = tapedeck.stop_recording(&started.room_name).await;
    assert_eq!(stopped.id, started.id);
    let (from, to) = told_gap(tapedeck, &started.id).await;
    println!(
        "killed at {killed:.2} s, seen back at {back:.2} s, gap from {from:.2} s to {to:.2} s"
    );
    // What was not written when it was killed is missing, too.
    assert!((killed - 2.0..killed + 0.3).contains(&from), "{from}");
    assert!((killed..back + 2.0).contains(&to), "{to}");
    assert!(to - from < longest, "away for {:.1} s", to - from);

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    assert!(
        (found.duration() - end).abs() < 0.5,
        "{} s of {end} s",
        found.duration()
    );
    found.assert_seen(0, 1.5, from, 1);
    found.assert_heard(publisher, 1.5, from, 1);
    found.assert_seen(0, to + 1.5, end, 1);
    found.assert_heard(publisher, to + 1.0, end, 1);
    found.assert_in_sync(0, publisher, to + 1.5);
}

#[tokio::test]
async fn a_killed_capture_comes_back_into_its_room() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 6.0).await;
    let killed = tapedeck.position(&started);
    assert_eq!(tapedeck.signal_children("capture", libc::SIGKILL), 1);
    let told = tapedeck.wait_for_restarts(&started.id, 1, "active").await;
    let reason = told["restarts"]["last"]["reason"].as_str();
    assert!(
        reason.is_some_and(|reason| reason.contains("SIGKILL")),
        "{told}"
    );
    let back = tapedeck.position(&started);
    tapedeck.wait_until(&started, back + 8.0).await;
    let away = (killed, back);
    judge(&tapedeck, &started, &publisher.options, away, AWAY).await;
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_capture_that_hangs_in_its_room_is_killed_and_replaced() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    let hung = tapedeck.position(&started);
    assert_eq!(tapedeck.signal_children("capture", libc::SIGSTOP), 1);
    tapedeck.wait_for_restarts(&started.id, 1, "active").await;
    let back = tapedeck.position(&started);
    tapedeck.wait_until(&started, back + 5.0).await;
    let away = (hung, back);
    judge(&tapedeck, &started, &publisher.options, away, HUNG + AWAY).await;
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_capture_of_a_room_of_ours_goes_on_though_the_server_dies_with_it() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let options = PublisherOptions::new(0);
    let publisher = whip::publish(&tapedeck, "studio", options).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 6.0).await;
    let killed = tapedeck.position(&started);
    tapedeck.kill();
    assert_eq!(tapedeck.signal_children("capture", libc::SIGKILL), 1);
    tapedeck.run().await;
    tapedeck.wait_for_restarts(&started.id, 1, "active").await;
    let back = tapedeck.position(&started);
    tapedeck.wait_until(&started, back + 8.0).await;
    let away = (killed, back);
    judge(&tapedeck, &started, &publisher.options, away, AWAY).await;
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_room_that_ends_while_capture_is_away_completes_the_recording() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 5.0).await;
    let killed = tapedeck.position(&started);
    // Stopped, it cannot see the room end.
    assert_eq!(tapedeck.signal_children("capture", libc::SIGSTOP), 1);
    livekit.delete_room("studio").await;
    assert_eq!(tapedeck.signal_children("capture", libc::SIGKILL), 1);
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["endReason"], "room_ended", "{ended}");
    assert_eq!(ended["warnings"][0]["code"], "capture_lost", "{ended}");
    let found = Findings::of(&tapedeck.file(&started.name), &grid(1));
    assert!(found.duration() > killed - 2.0, "{} s", found.duration());
    found.assert_heard(&publisher.options, 1.0, found.duration() - 0.5, 1);
}
