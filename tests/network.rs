//! Bad networks between the recorder and the room.

use harness::findings::{Findings, grid};
use harness::livekit::{Livekit, LivekitOptions};
use harness::proxy::{Impairment, TcpProxy, UdpProxy};
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::Tapedeck;

#[tokio::test]
async fn five_percent_loss_are_hardly_noticed() {
    let livekit = Livekit::start_with(LivekitOptions {
        behind_proxy: true,
        ..Default::default()
    })
    .await;
    let proxy = UdpProxy::start(&livekit, 7);
    let tapedeck = Tapedeck::start(&livekit).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let second = Publisher::join(&livekit, "studio", PublisherOptions::new(1).with_h264()).await;
    let started = tapedeck.start_recording("studio").await;
    proxy.impair(Impairment {
        loss: 0.05,
        reorder: 0.03,
        blocked: false,
    });
    tapedeck.wait_until(&started, 15.0).await;
    println!(
        "{} packets passed, {} were lost",
        proxy.forwarded(),
        proxy.lost()
    );
    assert!(proxy.lost() > 50, "media does not go through the proxy");
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    for (place, publisher) in [&first, &second].into_iter().enumerate() {
        found.assert_seen(place, 2.0, 15.0, 2);
        found.assert_heard(&publisher.options, 2.0, 15.0, 2);
        found.assert_in_sync(place, &publisher.options, 5.0);
    }
}

#[tokio::test]
async fn cut_signalling_is_resumed_in_the_same_recording() {
    let livekit = Livekit::start().await;
    let signalling = TcpProxy::start(livekit.port);
    let tapedeck = Tapedeck::start_with(&signalling.ws_url(), &[]).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    signalling.cut();
    tapedeck.wait_until(&started, 6.0).await;
    // Who comes after the cut is recorded too: signalling works again.
    let second = Publisher::join(&livekit, "studio", PublisherOptions::new(1)).await;
    let joined = tapedeck.position(&started);
    tapedeck.wait_until(&started, joined + 5.0).await;
    signalling.close();
    tapedeck.wait_until(&started, joined + 8.0).await;
    signalling.open();
    tapedeck.wait_until(&started, joined + 12.0).await;
    let end = tapedeck.position(&started);
    let status = tapedeck
        .get(&format!("/v1/recordings/{}", started.id))
        .await
        .body;
    assert_eq!(status["state"], "active", "{status}");
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);

    let found = Findings::of(&tapedeck.file(&stopped.name), &[grid(1), grid(2)].concat());
    assert!(
        (found.duration() - end).abs() < 0.5,
        "{} s of {end} s",
        found.duration()
    );
    found.assert_heard(&first.options, 1.0, end, 1);
    found.assert_seen(0, 1.0, joined, 1);
    found.assert_seen(1, joined + 1.5, end, 1);
    found.assert_seen(2, joined + 1.5, end, 1);
    found.assert_heard(&second.options, joined + 1.5, end, 1);
}

#[tokio::test]
async fn lost_connection_is_rejoined_in_the_same_recording() {
    let livekit = Livekit::start_with(LivekitOptions {
        behind_proxy: true,
        departure_timeout: 120,
        ..Default::default()
    })
    .await;
    let media = UdpProxy::start(&livekit, 8);
    let signalling = TcpProxy::start(livekit.port);
    let tapedeck = Tapedeck::start_with(&signalling.ws_url(), &[]).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    // Long enough that the server forgets the recorder.
    signalling.close();
    media.impair(Impairment {
        blocked: true,
        ..Default::default()
    });
    let lost = tapedeck.position(&started);
    tapedeck.wait_until(&started, lost + 25.0).await;
    signalling.open();
    media.impair(Impairment::default());
    let back = tapedeck.position(&started);
    // Pauses between attempts have grown meanwhile.
    tapedeck.wait_until(&started, back + 15.0).await;
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    assert!(
        (found.duration() - end).abs() < 0.5,
        "gaps keep their length"
    );
    found.assert_heard(&publisher.options, 1.0, lost, 1);
    found.assert_heard(&publisher.options, end - 4.0, end, 1);
    found.assert_seen(0, end - 4.0, end, 1);
    let silent = found.beeps(&publisher.options, lost + 1.0, back);
    assert!(silent.is_empty(), "heard without a network: {silent:?}");
}
