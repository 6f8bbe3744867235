//! Long and strict tests: `make soak`.

use harness::content::after;
use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::Tapedeck;

/// How long is recorded, s.
const LENGTH: f64 = 600.0;

/// What a child process holds.
#[derive(Debug)]
struct Usage {
    memory_mb: f64,
    /// Open files and sockets.
    descriptors: usize,
}

/// What capture and render hold.
async fn usage(tapedeck: &Tapedeck) -> Vec<Usage> {
    let status = tapedeck.get("/status").await.body;
    let processes = status["sessions"][0]["processes"].as_array().cloned();
    let processes = processes.expect("processes of the session");
    let usage = processes.iter().map(|process| {
        let pid = process["pid"].as_u64().expect("a pid");
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
        Usage {
            memory_mb: process["memoryBytes"].as_f64().expect("its memory") / 1e6,
            descriptors: open.count(),
        }
    });
    usage.collect()
}

#[tokio::test]
#[ignore = "ten minutes in real time"]
async fn drifting_sample_clocks_stay_in_sync_for_ten_minutes() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let mut publishers = Vec::new();
    for (index, drift) in [200.0, -200.0, 0.0].into_iter().enumerate() {
        let options = PublisherOptions {
            audio_clock_drift_ppm: drift,
            ..PublisherOptions::new(index as u32)
        };
        publishers.push(Publisher::join(&livekit, "studio", options).await);
    }
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 120.0).await;
    let early = usage(&tapedeck).await;
    println!("after 2 min: {early:?}");
    for minute in [4, 6, 8] {
        tapedeck
            .wait_until(&started, f64::from(minute) * 60.0)
            .await;
        println!("after {minute} min: {:?}", usage(&tapedeck).await);
    }
    tapedeck.wait_until(&started, LENGTH - 5.0).await;
    let late = usage(&tapedeck).await;
    println!("after 10 min: {late:?}");
    for (early, late) in early.iter().zip(&late) {
        let grown = late.memory_mb - early.memory_mb;
        assert!(grown < 8.0, "memory grew by {grown:.1} MB");
        assert!(late.descriptors <= early.descriptors + 2);
    }
    tapedeck.wait_until(&started, LENGTH).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(3));
    assert!((found.duration() - LENGTH).abs() < 0.3);
    assert!(found.longest_pause(2.0) < 0.3);
    for (place, publisher) in publishers.iter().enumerate() {
        found.assert_seen(place, 2.0, LENGTH, 2);
        found.assert_heard(&publisher.options, 2.0, LENGTH, 2);
        for from in [5.0, LENGTH - 60.0] {
            let offsets = found.assert_in_sync(place, &publisher.options, from);
            assert!(offsets.median_ms.abs() <= 25.0, "{offsets:?}");
        }
        let beeps = after(5.0, &found.beeps(&publisher.options, 0.0, LENGTH));
        let apart = (beeps[beeps.len() - 1] - beeps[0]) / (beeps.len() - 1) as f64;
        assert!((apart - 1.0).abs() < 1e-4, "beeps are {apart} s apart");
    }
}
