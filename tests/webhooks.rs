//! Receivers are told what becomes of recordings, whatever dies or is away meanwhile.

use std::time::Duration;

use harness::media::VideoFormat;
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use harness::webhooks::{Received, Receiver};
use serde_json::{Value, json};

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
    let refused = refused.iter().find(|it| it["url"] == redirecting.url());
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
