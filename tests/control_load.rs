//! A hundred control requests in a second while rooms are recorded.

use std::time::{Duration, Instant};

use harness::findings::{Findings, grid};
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use serde_json::json;

const ROOMS: [&str; 3] = ["one", "two", "three"];
const RATE: u32 = 100;
const LENGTH: Duration = Duration::from_secs(30);

/// What is asked in turn: three times a look, then a start that is refused, then a stop likewise.
async fn ask(tapedeck: &Tapedeck, number: u32) -> (u16, u16) {
    let room = ROOMS[number as usize % ROOMS.len()];
    let body = json!({ "roomName": room });
    match number % 10 {
        0..4 => (tapedeck.get("/status").await.status, 200),
        4..6 => (tapedeck.get("/recordings").await.status, 200),
        6 => (tapedeck.get("/v1/recordings?limit=5").await.status, 200),
        7 => (tapedeck.post("/recordings/start", body).await.status, 409),
        8 => {
            let elsewhere = json!({ "roomName": "nowhere" });
            (
                tapedeck.post("/recordings/start", elsewhere).await.status,
                404,
            )
        }
        _ => {
            let elsewhere = json!({ "roomName": "nowhere" });
            (
                tapedeck.post("/recordings/stop", elsewhere).await.status,
                409,
            )
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes 30 s, and the machine for itself"]
async fn a_hundred_requests_a_second_disturb_no_recording() {
    let tapedeck = std::sync::Arc::new(Tapedeck::start_alone(&[]).await);
    let mut publishers = Vec::new();
    let mut started = Vec::new();
    for (index, room) in ROOMS.iter().enumerate() {
        let options = PublisherOptions::new(u32::try_from(index).expect("few"));
        publishers.push(whip::publish(&tapedeck, room, options).await);
        started.push(tapedeck.start_recording(room).await);
    }
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut asked = Vec::new();
    for number in 0.. {
        ticks.tick().await;
        if begun.elapsed() > LENGTH {
            break;
        }
        let tapedeck = tapedeck.clone();
        asked.push(tokio::spawn(async move {
            let sent = Instant::now();
            let (status, expected) = ask(&tapedeck, number).await;
            (number, status, expected, sent.elapsed())
        }));
    }
    let mut latencies = Vec::new();
    for asked in asked {
        let (number, status, expected, latency) = asked.await.expect("it is answered");
        assert_eq!(status, expected, "request {number}");
        latencies.push(latency);
    }
    latencies.sort();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    println!(
        "{} requests in {:.1} s: median {:?}, 99 of 100 within {:?}, all within {:?}",
        latencies.len(),
        begun.elapsed().as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert!(
        latencies.len() > (RATE * 25) as usize,
        "{}",
        latencies.len()
    );

    let end = tapedeck.position(&started[0]);
    for (index, recording) in started.iter().enumerate() {
        let told = tapedeck
            .get(&format!("/status/{}", recording.id))
            .await
            .body;
        assert_eq!(told["gaps"], json!([]), "{told}");
        let stopped = tapedeck.stop_recording(ROOMS[index]).await;
        let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
        found.assert_heard(&publishers[index].options, 1.0, end - 2.0, 1);
        found.assert_seen(0, 1.0, end - 2.0, 1);
    }
}
