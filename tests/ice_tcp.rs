//! Firewalls that let no UDP through: media comes over TCP.

use std::time::Duration;

use harness::clients::{PYTHON_PITCH, PythonPublisher};
use harness::content;
use harness::findings::{Findings, grid};
use harness::livekit::{Livekit, LivekitOptions, Media, PROXY_IP};
use harness::proxy::{Impairment, TcpProxy, UdpProxy};
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::Tapedeck;
use harness::wait;

const CLOSED: Impairment = Impairment {
    loss: 0.0,
    reorder: 0.0,
    blocked: true,
};

/// A server with UDP and TCP, and a way to it on which only the UDP address that it tells leads
/// through a proxy.
async fn server(seed: u64) -> (Livekit, TcpProxy, UdpProxy) {
    let livekit = Livekit::start_with(LivekitOptions {
        media: Media::UdpAndTcp,
        departure_timeout: 120,
        ..Default::default()
    })
    .await;
    let udp = UdpProxy::start(&livekit, seed);
    let told = |ip: &str| format!("{ip} {} typ host", livekit.media_port);
    let signalling = TcpProxy::start_rewriting(livekit.port, &told("127.0.0.1"), &told(PROXY_IP));
    (livekit, signalling, udp)
}

#[tokio::test]
async fn without_udp_a_room_is_recorded_over_tcp() {
    let (livekit, signalling, udp) = server(11).await;
    udp.impair(CLOSED);
    let tapedeck = Tapedeck::start_with(&signalling.ws_url(), &[]).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let second = Publisher::join(&livekit, "studio", PublisherOptions::new(1).with_h264()).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 15.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    assert!(udp.lost() > 0, "nobody tried UDP");
    assert_eq!(udp.forwarded(), 0, "something came over UDP");
    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    // UDP is given two seconds.
    for (place, publisher) in [&first, &second].into_iter().enumerate() {
        found.assert_seen(place, 5.0, 15.0, 1);
        found.assert_heard(&publisher.options, 5.0, 15.0, 1);
        found.assert_in_sync(place, &publisher.options, 6.0);
    }
}

#[tokio::test]
async fn when_udp_dies_the_recording_goes_on_over_tcp() {
    let (livekit, signalling, udp) = server(12).await;
    let tapedeck = Tapedeck::start_with(&signalling.ws_url(), &[]).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    assert!(udp.forwarded() > 100, "media does not go through the proxy");
    udp.impair(CLOSED);
    let lost = tapedeck.position(&started);
    let state = || async {
        let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
        status.to_string().contains("reconnecting").then_some(())
    };
    wait::until("that the loss is noticed", Duration::from_secs(15), state).await;
    let forwarded = udp.forwarded();
    tapedeck.wait_until(&started, lost + 25.0).await;
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);
    assert_eq!(udp.forwarded(), forwarded, "something came over UDP");

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    found.assert_heard(&publisher.options, 1.0, lost, 1);
    found.assert_heard(&publisher.options, lost + 14.0, end, 1);
    found.assert_seen(0, lost + 14.0, end, 1);
}

#[tokio::test]
async fn a_server_that_offers_tcp_only_is_recorded() {
    let livekit = Livekit::start_with(LivekitOptions {
        media: Media::Tcp,
        ..Default::default()
    })
    .await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = PythonPublisher::join(&livekit, "studio", "python");
    let published = wait::until("", Duration::from_secs(60), || async {
        let participants = livekit.participants("studio").await;
        let tracks = participants.first().map(|one| one.tracks.len());
        (tracks == Some(2) || publisher.log().contains("cannot publish")).then_some(tracks)
    })
    .await;
    assert_eq!(published, Some(2), "{}", publisher.log());
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 12.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    found.assert_seen(0, 3.0, 12.0, 2);
    let beeps = content::after(3.0, &found.sound.beeps(PYTHON_PITCH));
    assert!(beeps.len() >= 7, "{beeps:.2?}");
}
