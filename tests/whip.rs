//! Rooms of our own are recorded as those of LiveKit are.

use std::time::Duration;

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::media::VideoFormat;
use harness::publisher::{Publisher, PublisherOptions, whip};
use harness::tapedeck::{Tapedeck, now_ms};
use harness::wait;
use serde_json::json;
use tapedeck_pipelines::log::{Body, LogEvent, LogReader, Next, TrackKind};
use testcard::whip::Route;

/// How long a change may take until it is seen, s.
const SETTLE: f64 = 1.5;

#[tokio::test]
async fn two_publishers_become_one_file() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let named = PublisherOptions::new(0).named("참가자 이름");
    let first = whip::publish(&tapedeck, "studio", named).await;
    let second = whip::publish(&tapedeck, "studio", PublisherOptions::new(1)).await;
    let before = first.keyframe_requests();
    let request = now_ms();
    let started = tapedeck.start_recording("studio").await;
    let answered = now_ms() - request;
    tapedeck.wait_until(&started, 10.0).await;
    let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
    let first_frame = status["capture"]["firstFrameAtMs"]
        .as_f64()
        .expect("a frame");
    println!(
        "start answered after {answered:.0} ms, first frame after {:.0} ms",
        first_frame - request
    );
    assert!(first.keyframe_requests() > before, "it begins afresh");
    let asked = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    assert!((found.duration() - asked).abs() <= 0.3);
    for (place, publisher) in [&first, &second].into_iter().enumerate() {
        found.assert_seen(place, 1.0, asked, 1);
        found.assert_heard(&publisher.options, 1.0, asked, 1);
        found.assert_in_sync(place, &publisher.options, 5.0);
        let labelled = found.tiles[place].labelled();
        assert!(labelled > 0.9, "tile {place} is labelled in {labelled}");
        assert!(found.tiles[place].frozen(1.0).is_empty());
    }
    let pause = found.longest_pause(2.0);
    assert!(pause < 0.3, "the picture stalls for {pause:.2} s");
    assert_whole_from_key_frames(&tapedeck, &started.id);
    drop((first, second));
    tapedeck.assert_nothing_left().await;
}

/// Asserts that each video track of a log begins with a key frame, and that nothing is missing.
fn assert_whole_from_key_frames(tapedeck: &Tapedeck, id: &str) {
    let mut reader = LogReader::open(&tapedeck.kept_log(id)).expect("a log");
    let mut tracks = Vec::new();
    while let Next::Record(record) = reader.next().expect("a readable log") {
        match record.body {
            Body::Event(LogEvent::TrackAdded(info)) => tracks.push((info, 0)),
            Body::Frame(frame) => {
                let mut of_frame = tracks.iter_mut();
                let (info, frames) = of_frame
                    .find(|(info, _)| info.track == frame.track)
                    .expect("a known track");
                if *frames == 0 {
                    let begins = info.kind == TrackKind::Audio || frame.keyframe;
                    assert!(begins, "{info:?} begins in the middle");
                } else {
                    assert!(frame.contiguous, "frame {frames} of {info:?} is missing");
                }
                *frames += 1;
            }
            Body::Event(LogEvent::Gap { reason, .. }) => panic!("a gap: {reason}"),
            _ => {}
        }
    }
    assert_eq!(tracks.len(), 4);
    assert!(tracks.iter().all(|(_, frames)| *frames > 100), "{tracks:?}");
}

#[tokio::test]
async fn joining_late_leaving_and_returning_disturb_nobody() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let large = VideoFormat {
        width: 1280,
        height: 720,
        ..VideoFormat::vp8(120)
    };
    let stays = PublisherOptions::new(0).with_video(large).with_simulcast();
    let stays = whip::publish(&tapedeck, "studio", stays).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    let guest = PublisherOptions::new(1).with_h264();
    let visitor = whip::publish(&tapedeck, "studio", guest.clone()).await;
    let joined = tapedeck.position(&started);
    tapedeck.wait_until(&started, joined + 5.0).await;
    visitor.leave().await;
    let left = tapedeck.position(&started);
    tapedeck.wait_until(&started, left + 4.0).await;
    // Before the publisher says that it is there, it may have been heard.
    let gone_until = tapedeck.position(&started);
    let visitor = whip::publish(&tapedeck, "studio", guest.clone()).await;
    let returned = tapedeck.position(&started);
    tapedeck.wait_until(&started, returned + 5.0).await;
    let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
    let text = status.to_string();
    assert!(text.contains("h264") && text.contains("vp8"), "{status}");
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
        found.assert_heard(&guest, from + SETTLE, to, 1);
    }
    found.assert_seen(alone, left + SETTLE, gone_until, 1);
    found.assert_unheard(&guest, &stays.options, left + 0.5, gone_until);
    let pause = found.longest_pause(2.0);
    assert!(pause < 0.5, "the picture stalls for {pause:.2} s");
    drop((stays, visitor));
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn rooms_side_by_side_are_told_apart_also_under_one_name() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start_with_rooms(&livekit.ws_url(), &[]).await;
    let there = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let here = whip::publish(&tapedeck, "studio", PublisherOptions::new(1)).await;
    let other = whip::publish(&tapedeck, "other", PublisherOptions::new(2)).await;
    let mut recordings = Vec::new();
    for (room, source) in [("studio", "livekit"), ("studio", "whip"), ("other", "whip")] {
        let body = json!({ "roomName": room, "source": source });
        recordings.push(tapedeck.post("/recordings/start", body).await.recording());
    }
    let again = json!({ "roomName": "studio", "source": "whip" });
    let again = tapedeck.post("/recordings/start", again).await;
    assert_eq!(again.status, 409, "{}", again.body);
    let last = &recordings[2];
    tapedeck.wait_until(last, 6.0).await;
    let mut names = Vec::new();
    for (recording, (room, source)) in
        recordings
            .iter()
            .zip([("studio", "livekit"), ("studio", "whip"), ("other", "whip")])
    {
        let body = json!({ "roomName": room, "source": source });
        let stopped = tapedeck.post("/recordings/stop", body).await.recording();
        assert_eq!(stopped.id, recording.id);
        tapedeck.wait_for_end(&recording.id).await;
        names.push(stopped.name);
    }
    let publishers = [&there.options, &here.options, &other.options];
    for (index, name) in names.iter().enumerate() {
        let found = Findings::of(&tapedeck.file(name), &grid(1));
        found.assert_seen(0, 1.0, 6.0, 1);
        for (of, publisher) in publishers.iter().enumerate() {
            if of == index {
                found.assert_heard(publisher, 1.0, 6.0, 1);
            } else {
                found.assert_unheard(publisher, publishers[index], 0.5, 6.0);
            }
        }
    }
}

#[tokio::test]
async fn without_udp_publishers_come_over_tcp() {
    let closed = [("TAPEDECK_ROOMS_UDP_PORTS", " ")];
    let tapedeck = Tapedeck::start_alone(&closed).await;
    let options = PublisherOptions::new(0);
    let endpoint = whip::endpoint(&tapedeck, "studio", "udp", "udp");
    let refused = testcard::whip::WhipPublisher::publish(endpoint, Route::Udp, options).await;
    assert!(refused.is_err(), "there should be no way by UDP");
    let first = PublisherOptions::new(0);
    let first = whip::publish_over(&tapedeck, "studio", Route::Tcp, first).await;
    let second = PublisherOptions::new(1).with_h264();
    let second = whip::publish_over(&tapedeck, "studio", Route::Tcp, second).await;
    wait::until("the first to be alone", Duration::from_secs(20), || async {
        let rooms = tapedeck.get("/v1/rooms").await.body;
        let participants = rooms["rooms"][0]["participants"].as_array()?.len();
        (participants == 2).then_some(())
    })
    .await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 8.0).await;
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(2));
    for (place, publisher) in [&first, &second].into_iter().enumerate() {
        found.assert_seen(place, 1.0, 8.0, 1);
        found.assert_heard(&publisher.options, 1.0, 8.0, 1);
        found.assert_in_sync(place, &publisher.options, 1.0);
    }
}
