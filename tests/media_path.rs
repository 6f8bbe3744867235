//! Only the media path fails, signalling stays.

use harness::findings::{Findings, grid};
use harness::livekit::{Livekit, LivekitOptions};
use harness::proxy::{Impairment, UdpProxy};
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::{Recording, Tapedeck};
use harness::wait;
use std::time::Duration;
use tapedeck_pipelines::log::{Body, LogEvent, LogReader, Next};

const BLOCKED: Impairment = Impairment {
    loss: 0.0,
    reorder: 0.0,
    blocked: true,
};

/// The gaps that the log of a running recording tells, s.
fn gaps(tapedeck: &Tapedeck, recording: &Recording) -> Vec<(f64, f64, String)> {
    let folder = tapedeck.work(&recording.id).join("log");
    let mut reader = LogReader::open(&folder).expect("a log");
    let mut found = Vec::new();
    while let Next::Record(record) = reader.next().expect("a readable log") {
        if let Body::Event(LogEvent::Gap {
            from_ns,
            to_ns,
            reason,
        }) = record.body
        {
            found.push((from_ns as f64 / 1e9, to_ns as f64 / 1e9, reason));
        }
    }
    found
}

#[tokio::test]
async fn lost_media_path_is_noticed_restored_and_told() {
    let livekit = Livekit::start_with(LivekitOptions {
        behind_proxy: true,
        departure_timeout: 120,
        ..Default::default()
    })
    .await;
    let media = UdpProxy::start(&livekit, 9);
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;

    // Too short to give the path up.
    let briefly = tapedeck.position(&started);
    media.impair(BLOCKED);
    tapedeck.wait_until(&started, briefly + 3.0).await;
    media.impair(Impairment::default());
    tapedeck.wait_until(&started, briefly + 7.0).await;
    let told = gaps(&tapedeck, &started);
    assert_eq!(told.len(), 1, "{told:?}");
    let (from, to, _) = &told[0];
    assert!(
        (from - briefly).abs() < 1.0 && (to - briefly - 3.0).abs() < 1.0,
        "{told:?} of {briefly} to {}",
        briefly + 3.0
    );

    let lost = tapedeck.position(&started);
    media.impair(BLOCKED);
    let state = || async {
        let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
        status.to_string().contains("reconnecting").then_some(())
    };
    wait::until("that the loss is noticed", Duration::from_secs(15), state).await;
    tapedeck.wait_until(&started, lost + 25.0).await;
    media.impair(Impairment::default());
    let back = tapedeck.position(&started);
    tapedeck.wait_until(&started, back + 15.0).await;
    let told = gaps(&tapedeck, &started);
    println!("{told:?}");
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;

    assert_eq!(told.len(), 2, "{told:?}");
    let (from, to, reason) = &told[1];
    assert_eq!(reason, "connection_lost");
    assert!((from - lost).abs() < 1.0, "{told:?}, lost at {lost}");
    assert!(*to > back && *to < back + 11.0, "{told:?}, back at {back}");
    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    assert!(
        (found.duration() - end).abs() < 0.5,
        "gaps keep their length"
    );
    found.assert_heard(&publisher.options, 1.0, briefly, 1);
    found.assert_heard(&publisher.options, briefly + 4.0, lost, 1);
    found.assert_heard(&publisher.options, to + 1.0, end, 1);
    found.assert_seen(0, to + 1.5, end, 1);
}
