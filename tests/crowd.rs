//! A room full of people.

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::media::VideoFormat;
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::Tapedeck;

#[tokio::test]
async fn nine_publishers_are_all_seen_and_heard() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let mut publishers = Vec::new();
    for index in 0..9 {
        let format = VideoFormat {
            width: 320,
            height: 180,
            frame_rate: 10,
            keyframe_interval: 5,
            ..VideoFormat::vp8(index * 40)
        };
        let options = PublisherOptions::new(u32::from(index)).with_video(format);
        publishers.push(Publisher::join(&livekit, "studio", options).await);
    }
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 14.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(9));
    assert!(
        (found.duration() - 14.0).abs() < 0.5,
        "{} s",
        found.duration()
    );
    for (place, publisher) in publishers.iter().enumerate() {
        found.assert_seen(place, 3.0, 14.0, 2);
        found.assert_heard(&publisher.options, 3.0, 14.0, 2);
        found.assert_in_sync(place, &publisher.options, 5.0);
    }
}
