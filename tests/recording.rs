//! A room becomes one MP4 that plays everywhere, shows everybody and is in sync.

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::media::{Pattern, VideoFormat};
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::{Tapedeck, now_ms};

#[tokio::test]
async fn two_publishers_become_one_file() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let named = PublisherOptions::new(0).named("참가자 이름");
    let first = Publisher::join(&livekit, "회의실 studio", named).await;
    let second = Publisher::join(&livekit, "회의실 studio", PublisherOptions::new(1)).await;
    let started = tapedeck.start_recording("회의실 studio").await;
    tapedeck.wait_until(&started, 12.0).await;
    let asked = (now_ms() - started.started_at) / 1e3;
    let stopped = tapedeck.stop_recording("회의실 studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    println!(
        "asked for {asked:.3} s, the file has {:.3} s",
        found.duration()
    );
    assert!((found.duration() - asked).abs() <= 0.3);
    assert!((stopped.duration - found.duration()).abs() < 0.1);
    for (place, publisher) in [&first, &second].into_iter().enumerate() {
        found.assert_seen(place, 1.0, asked, 1);
        found.assert_heard(&publisher.options, 1.0, asked, 1);
        found.assert_in_sync(place, &publisher.options, 5.0);
        let labelled = found.tiles[place].labelled();
        assert!(
            labelled > 0.9,
            "tile {place} has its name in {labelled} of its frames"
        );
        assert!(
            found.tiles[place].frozen(1.0).is_empty(),
            "tile {place} froze"
        );
    }
    // The second flashes 0.11 s after the first.
    let lag = found.flashes(1, 5.0, asked)[0] - found.flashes(0, 5.0, asked)[0];
    let lag = (lag - 0.11)
        .rem_euclid(1.0)
        .min((0.11 - lag).rem_euclid(1.0));
    println!("the publishers are {:.0} ms apart", lag * 1e3);
    assert!(lag < 0.1, "the publishers are {lag:.3} s apart");
    let pause = found.longest_pause(2.0);
    assert!(pause < 0.3, "the picture stalls for {pause:.2} s");
    drop((first, second));
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn h264_and_simulcast_publishers_are_recorded() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let busy = VideoFormat {
        pattern: Pattern::Busy,
        ..VideoFormat::h264(0)
    };
    let first = PublisherOptions::new(0).with_video(busy);
    let first = Publisher::join(&livekit, "studio", first).await;
    let large = VideoFormat {
        width: 1280,
        height: 720,
        ..VideoFormat::vp8(120)
    };
    let second = PublisherOptions::new(1).with_video(large).with_simulcast();
    let second = Publisher::join(&livekit, "studio", second).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 5.0).await;
    let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
    let text = status.to_string();
    assert!(text.contains("h264") && text.contains("vp8"), "{status}");
    // A tile of a 2-tile grid is 640 wide: the middle layer fits.
    let tracks = status["capture"]["participants"].to_string();
    assert!(tracks.contains("\"width\":640"), "{status}");
    tapedeck.wait_until(&started, 11.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    for (place, publisher) in [&first, &second].into_iter().enumerate() {
        found.assert_seen(place, 2.0, 11.0, 1);
        found.assert_heard(&publisher.options, 2.0, 11.0, 1);
        found.assert_in_sync(place, &publisher.options, 5.0);
    }
}

#[tokio::test]
async fn publishers_without_camera_or_microphone_are_recorded() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let speaker = PublisherOptions::new(0).audio_only();
    let speaker = Publisher::join(&livekit, "studio", speaker).await;
    let silent = PublisherOptions::new(1).video_only();
    let silent = Publisher::join(&livekit, "studio", silent).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 6.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    let placeholder = found.placeholder_seconds(0, 1.0, 6.0);
    assert!(placeholder > 4.0, "{placeholder} s of the placeholder");
    assert!(found.flashes(0, 1.0, 6.0).is_empty());
    found.assert_heard(&speaker.options, 1.0, 6.0, 1);
    found.assert_seen(1, 1.0, 6.0, 1);
    found.assert_unheard(&silent.options, &speaker.options, 0.0, 7.0);
}
