//! People come, go, mute and share their screens while a room is being recorded.

use std::time::Duration;

use harness::findings::{CANVAS, Findings, grid};
use harness::livekit::Livekit;
use harness::media::VideoFormat;
use harness::publisher::{CameraOptions, Publisher, PublisherOptions, Source};
use harness::tapedeck::Tapedeck;
use harness::wait;
use tapedeck_pipelines::layout::arrange;

/// How long a change may take until it is seen, s.
const SETTLE: f64 = 1.5;

#[tokio::test]
async fn joining_leaving_and_returning_disturb_nobody() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let stays = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    let guest = Publisher::join(&livekit, "studio", PublisherOptions::new(1)).await;
    let joined = tapedeck.position(&started);
    tapedeck.wait_until(&started, joined + 5.0).await;
    guest.leave().await;
    let left = tapedeck.position(&started);
    tapedeck.wait_until(&started, left + 4.0).await;
    let guest = Publisher::join(&livekit, "studio", PublisherOptions::new(1)).await;
    let returned = tapedeck.position(&started);
    tapedeck.wait_until(&started, returned + 5.0).await;
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;

    let places = [grid(1), grid(2)].concat();
    let found = Findings::of(&tapedeck.file(&stopped.name), &places);
    let (alone, left_tile, right_tile) = (0, 1, 2);
    found.assert_heard(&stays.options, 1.0, end, 1);
    found.assert_seen(alone, 1.0, joined, 1);
    for (from, to) in [(joined, left), (returned, end)] {
        found.assert_seen(left_tile, from + SETTLE, to, 1);
        found.assert_seen(right_tile, from + SETTLE, to, 1);
        found.assert_heard(&guest.options, from + SETTLE, to, 1);
    }
    found.assert_seen(alone, left + SETTLE, returned, 1);
    found.assert_unheard(&guest.options, &stays.options, left + 0.5, returned);
    let pause = found.longest_pause(2.0);
    assert!(pause < 0.5, "the picture stalls for {pause:.2} s");
    drop((stays, guest));
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn mute_and_camera_off_show_and_end() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let second = Publisher::join(&livekit, "studio", PublisherOptions::new(1)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    second.set_muted(Source::Microphone, true).await;
    second.set_muted(Source::Camera, true).await;
    let off = tapedeck.position(&started);
    tapedeck.wait_until(&started, off + 5.0).await;
    second.set_muted(Source::Microphone, false).await;
    second.set_muted(Source::Camera, false).await;
    let on = tapedeck.position(&started);
    tapedeck.wait_until(&started, on + 5.0).await;
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    found.assert_seen(0, 1.0, end, 1);
    found.assert_heard(&first.options, 1.0, end, 1);
    found.assert_seen(1, 1.0, off, 1);
    found.assert_seen(1, on + SETTLE, end, 1);
    found.assert_heard(&second.options, on + SETTLE, end, 1);
    found.assert_unheard(&second.options, &first.options, off + 0.5, on);
    let placeholder = found.placeholder_seconds(1, off, on);
    assert!(
        placeholder > on - off - SETTLE,
        "{placeholder} s of the placeholder"
    );
    let placeholder = found.placeholder_seconds(1, on + SETTLE, end);
    assert!(
        placeholder < 0.2,
        "the placeholder stays for {placeholder} s"
    );
    found.assert_in_sync(1, &second.options, on + SETTLE);
}

#[tokio::test]
async fn publisher_who_dies_leaves_no_frozen_tile() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let stays = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let dies = Publisher::join(&livekit, "studio", PublisherOptions::new(1)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    dies.vanish().await;
    let died = tapedeck.position(&started);
    wait::until("the server to notice", Duration::from_secs(60), || async {
        (livekit.participants("studio").await.len() == 1).then_some(())
    })
    .await;
    let noticed = tapedeck.position(&started);
    println!("the server noticed after {:.1} s", noticed - died);
    tapedeck.wait_until(&started, noticed + 5.0).await;
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;

    let places = [grid(1), grid(2)].concat();
    let found = Findings::of(&tapedeck.file(&stopped.name), &places);
    found.assert_heard(&stays.options, 1.0, end, 1);
    found.assert_seen(1, 1.0, noticed, 1);
    found.assert_seen(2, 1.0, died, 1);
    found.assert_seen(0, noticed + SETTLE, end, 1);
    let pause = found.longest_pause(2.0);
    assert!(pause < 0.5, "the picture stalls for {pause:.2} s");
}

#[tokio::test]
async fn screen_share_takes_the_large_area() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let second = Publisher::join(&livekit, "studio", PublisherOptions::new(1)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    let screen = CameraOptions::new(VideoFormat {
        width: 1280,
        height: 720,
        ..VideoFormat::vp8(200)
    });
    first.publish_video(Source::ScreenShare, screen).await;
    let shared = tapedeck.position(&started);
    tapedeck.wait_until(&started, shared + 6.0).await;
    first.unpublish(Source::ScreenShare).await;
    let ended = tapedeck.position(&started);
    tapedeck.wait_until(&started, ended + 4.0).await;
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;

    let sharing = arrange(CANVAS.0, CANVAS.1, 2, 1);
    let places = [grid(2), sharing.screen_shares, sharing.participants].concat();
    let found = Findings::of(&tapedeck.file(&stopped.name), &places);
    let [left, right, screen, small_first, small_second] = [0, 1, 2, 3, 4];
    for place in [left, right] {
        found.assert_seen(place, 1.0, shared, 1);
        found.assert_seen(place, ended + SETTLE, end, 1);
    }
    // A share is seen as soon as its first picture is there.
    for place in [screen, small_first, small_second] {
        found.assert_seen(place, shared + 2.0, ended, 1);
    }
    for publisher in [&first, &second] {
        found.assert_heard(&publisher.options, 1.0, end, 1);
    }
}
