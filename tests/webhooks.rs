//! Receivers are told what becomes of recordings, whatever dies or is away meanwhile.

use std::time::Duration;

use futures_util::StreamExt as _;
use harness::livekit::{Livekit, LivekitOptions};
use harness::media::VideoFormat;
use harness::ports::free_port;
use harness::publisher::{Publisher, PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use harness::webhooks::{Received, Receiver};
use reqwest::Method;
use serde_json::{Value, json};
use tapedeck_failpoints::VARIABLE;

const STEPS: [&str; 4] = [
    "EGRESS_STARTING",
    "EGRESS_ACTIVE",
    "EGRESS_ENDING",
    "EGRESS_COMPLETE",
];

fn publisher() -> PublisherOptions {
    PublisherOptions::new(0).with_video(VideoFormat {
        width: 160,
        height: 90,
        ..VideoFormat::vp8(0)
    })
}

/// Every step arrived, none before an earlier one; the same event may arrive again.
fn assert_in_order(told: &[Received]) {
    let statuses: Vec<&str> = told.iter().map(Received::status).collect();
    let mut steps = statuses.clone();
    steps.dedup();
    assert_eq!(steps, STEPS, "{statuses:?}");
    for step in STEPS {
        let same = told.iter().filter(|received| received.status() == step);
        let mut ids: Vec<&str> = same.map(Received::id).collect();
        ids.dedup();
        assert_eq!(
            ids.len(),
            1,
            "one step is one event, however often it is sent"
        );
    }
}

async fn webhooks(tapedeck: &Tapedeck, query: &str) -> Vec<Value> {
    let page = tapedeck.get(&format!("/v1/webhooks?{query}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.body["events"].as_array().expect("events").clone()
}

/// Three recordings while one receiver is away for so long and the server is killed again and again.
async fn away_for(away: Duration) {
    let (absent, present, redirecting) = (
        Receiver::start(0).await,
        Receiver::start(200).await,
        Receiver::start(302).await,
    );
    let urls = [absent.url(), present.url(), redirecting.url()].join(",");
    let variables = [
        ("TAPEDECK_WEBHOOKS_URLS", urls.as_str()),
        ("TAPEDECK_WEBHOOKS_RETRY_MAX_S", "1"),
    ];
    let mut tapedeck = Tapedeck::start_alone(&variables).await;
    let came_back = tokio::time::Instant::now() + away;
    let (mut publishers, mut ids) = (Vec::new(), Vec::new());
    for room in ["one", "two", "three"] {
        publishers.push(whip::publish(&tapedeck, room, publisher()).await);
        ids.push(tapedeck.start_recording(room).await.id);
        // At another moment of the next start each time.
        tapedeck.kill();
        tapedeck.run().await;
    }
    for room in ["one", "two"] {
        let stopped = tapedeck.post("/recordings/stop", json!({ "roomName": room }));
        tokio::time::timeout(Duration::from_millis(300), stopped)
            .await
            .ok();
        tapedeck.kill();
        tapedeck.run().await;
    }
    tapedeck.stop_recording("three").await;
    for id in &ids {
        tapedeck.wait_for_end(id).await;
        present.wait_for_end(id, Duration::from_secs(10)).await;
        assert_in_order(&present.told_of(id));
    }
    // Who is there hears of all of it meanwhile.
    assert_eq!(absent.inbox().len(), 0);
    let pending = webhooks(&tapedeck, "state=pending&limit=500").await;
    assert_eq!(pending.len(), 12, "{pending:?}");
    tokio::time::sleep_until(came_back).await;

    absent.answer_with(200);
    for id in &ids {
        absent.wait_for_end(id, Duration::from_secs(20)).await;
        assert_in_order(&absent.told_of(id));
    }
    let read = absent.as_livekit_reads_it();
    let ends: Vec<&Value> = read
        .iter()
        .filter(|event| event["event"] == "egress_ended")
        .collect();
    for (id, room) in ids.iter().zip(["one", "two", "three"]) {
        let end = ends.iter().find(|event| event["recording"] == *id);
        let end = end.expect("an end");
        let file = &end["files"][0];
        let on_disk = tapedeck.get(&format!("/v1/recordings/{id}")).await.body;
        assert_eq!(end["status"], "EGRESS_COMPLETE");
        assert_eq!(
            (&end["room"], &end["composite"]),
            (&json!(room), &json!(room))
        );
        assert_eq!(file["size"], on_disk["sizeBytes"], "{end}");
        let duration_ms = file["duration"].as_u64().expect("a length") / 1_000_000;
        assert_eq!(json!(duration_ms), on_disk["durationMs"], "{end}");
        let name = on_disk["name"].as_str().expect("a name");
        assert!(
            file["name"]
                .as_str()
                .is_some_and(|path| path.ends_with(name)),
            "{end}"
        );
        let started_ms = end["startedAt"].as_u64().expect("a start") / 1_000_000;
        assert_eq!(json!(started_ms), on_disk["startedAtMs"]);
    }
    let first = &absent.inbox()[0];
    assert_eq!(first.content_type, "application/webhook+json");
    assert!(!first.authorization.contains(' '), "no scheme");

    // A redirect is not followed, and stops nobody else.
    assert_eq!(redirecting.inbox().len(), 0);
    let refused = webhooks(&tapedeck, &format!("recordingId={}", ids[0])).await;
    let refused = refused.last().expect("the first event");
    let refused = refused["deliveries"].as_array().expect("deliveries");
    let shown = redirecting.url().replace("?token=hidden", "");
    let refused = refused.iter().find(|it| it["url"] == shown);
    let error = refused.expect("a delivery")["lastError"].as_str();
    assert!(error.is_some_and(|error| error.contains("redirects are not followed")));

    let again = absent.inbox()[0].clone();
    let path = format!("/v1/webhooks/{}/replay", again.id());
    assert_eq!(tapedeck.post(&path, json!({})).await.status, 202);
    let replayed = || async {
        let inbox = absent.inbox();
        let last = inbox.last().filter(|last| last.id() == again.id());
        last.cloned()
    };
    let replayed = harness::wait::until("the replay", Duration::from_secs(5), replayed).await;
    assert_eq!(replayed.body, again.body);
    let log = tapedeck.log();
    assert!(!log.contains("token=hidden") && !log.contains(harness::livekit::API_SECRET));
}

#[tokio::test]
async fn a_receiver_that_is_away_hears_of_everything_though_the_server_is_killed() {
    away_for(Duration::from_secs(8)).await;
}

#[tokio::test]
#[ignore = "takes more than a minute: make soak"]
async fn a_receiver_that_is_away_for_a_minute_hears_of_everything() {
    away_for(Duration::from_secs(60)).await;
}

/// Asks while the server is started again whenever it has ended; returns the answer to a success, or
/// to the second of two stops.
async fn insist(tapedeck: &mut Tapedeck, path: &str) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        tapedeck.run_if_ended();
        let asked = tapedeck
            .request(Method::POST, path)
            .header("idempotency-key", "once")
            .json(&json!({ "roomName": "studio" }));
        if let Ok(answer) = asked.send().await
            && [200, 409].contains(&answer.status().as_u16())
            && let Ok(body) = answer.json().await
        {
            return body;
        }
        assert!(tokio::time::Instant::now() < deadline, "{}", tapedeck.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Records while the server dies once right after it wrote a manifest for the time of that number,
/// before it wrote down what is to be told; whether it came to that.
async fn die_behind_manifest(number: u32) -> bool {
    let receiver = Receiver::start(200).await;
    let marks = tempfile::tempdir().expect("a folder");
    let mark = marks.path().join("died");
    let point = format!("manifest.saved:{number}:{}", mark.display());
    let variables = [
        (
            VARIABLE.expect("the program is built with failpoints"),
            &*point,
        ),
        ("TAPEDECK_WEBHOOKS_URLS", &receiver.url()),
    ];
    let mut tapedeck = Tapedeck::start_alone(&variables).await;
    let _publisher = whip::publish(&tapedeck, "studio", publisher()).await;
    let started = insist(&mut tapedeck, "/recordings/start").await;
    let id = started["recording"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    insist(&mut tapedeck, "/recordings/stop").await;
    for _ in 0..300 {
        tapedeck.run_if_ended();
        let told = receiver.told_of(&id);
        if told.iter().any(|it| it.event["event"] == "egress_ended") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_in_order(&receiver.told_of(&id));
    mark.exists()
}

#[tokio::test]
async fn a_server_that_dies_between_manifest_and_webhook_tells_all_the_same() {
    let deaths: Vec<bool> = futures_util::stream::iter(1..=5)
        .map(die_behind_manifest)
        .buffered(3)
        .collect()
        .await;
    assert_eq!(deaths, [true; 5]);
}

/// The recordings of a room, the newest first.
async fn recordings(tapedeck: &Tapedeck, room: &str) -> Vec<Value> {
    let path = format!("/v1/recordings?roomName={room}");
    let listed = tapedeck.get(&path).await.body;
    listed["recordings"].as_array().expect("a list").clone()
}

async fn wait_for_recordings(tapedeck: &Tapedeck, room: &str, count: usize) -> Value {
    let what = format!("{count} recordings of {room}");
    let live = || async {
        let found = recordings(tapedeck, room).await;
        let newest = found.first().filter(|newest| newest["state"] == "active");
        newest.filter(|_| found.len() == count).cloned()
    };
    harness::wait::until(&what, Duration::from_secs(20), live).await
}

#[tokio::test]
async fn rooms_of_livekit_are_recorded_by_their_names() {
    let (port, media_port) = (free_port(), free_port());
    let url = format!("ws://127.0.0.1:{port}");
    let variables = [
        ("TAPEDECK_AUTO_RECORD_ROOMS", "lesson-*"),
        ("TAPEDECK_AUTO_RECORD_AUDIO_ONLY", "true"),
    ];
    let mut tapedeck = Tapedeck::start_with(&url, &variables).await;
    let options = LivekitOptions {
        webhook_port: Some(tapedeck.port),
        ..LivekitOptions::default()
    };
    let livekit = Livekit::start_on(port, media_port, options).await;

    livekit.create_room("lesson-empty").await;
    let alice = Publisher::join(&livekit, "lesson-1", publisher()).await;
    let other = Publisher::join(&livekit, "other", publisher()).await;
    let begun = wait_for_recordings(&tapedeck, "lesson-1", 1).await;
    assert_eq!(begun["output"]["audioOnly"], true, "{begun}");
    // Who joins later begins no second one, also where another server sits behind the port.
    tapedeck.kill();
    tapedeck.run().await;
    let bob = Publisher::join(&livekit, "lesson-1", PublisherOptions::new(1)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(recordings(&tapedeck, "lesson-1").await.len(), 1);

    tapedeck.stop_recording("lesson-1").await;
    drop(bob);
    tapedeck.kill();
    tapedeck.run().await;
    let carol = Publisher::join(&livekit, "lesson-1", PublisherOptions::new(2)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = recordings(&tapedeck, "lesson-1").await;
    assert_eq!(after.len(), 1, "somebody stopped it: {after:?}");

    // Another session of the room.
    drop((alice, carol));
    livekit.delete_room("lesson-1").await;
    let dave = Publisher::join(&livekit, "lesson-1", PublisherOptions::new(3)).await;
    let next = wait_for_recordings(&tapedeck, "lesson-1", 2).await;
    assert_ne!(next["roomId"], begun["roomId"]);

    // A server that finishes what runs is nobody who wants the room not to be recorded.
    tapedeck.signal(libc::SIGINT);
    tapedeck.wait_for_exit();
    tapedeck.run().await;
    let erin = Publisher::join(&livekit, "lesson-1", PublisherOptions::new(4)).await;
    let again = wait_for_recordings(&tapedeck, "lesson-1", 3).await;
    assert_eq!(next["roomId"], again["roomId"]);

    // Who deletes it is.
    let stopped = tapedeck.stop_recording("lesson-1").await;
    let path = format!("/recordings/{}", stopped.name);
    let delete = tapedeck.request(reqwest::Method::DELETE, &path);
    assert_eq!(tapedeck.send(delete).await.status, 200);
    let frank = Publisher::join(&livekit, "lesson-1", PublisherOptions::new(5)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(recordings(&tapedeck, "lesson-1").await.len(), 2);
    drop((dave, erin, frank));
    for room in ["other", "lesson-empty"] {
        assert_eq!(recordings(&tapedeck, room).await.len(), 0, "{room}");
    }
    drop(other);
}
