//! The light publisher itself, against a real server: the other tests stand on it.

use std::time::Duration;

use harness::livekit::Livekit;
use harness::publisher::{CameraOptions, Publisher, PublisherOptions, Source};
use harness::tapedeck::Tapedeck;
use harness::{media::VideoFormat, wait};
use tapedeck_pipelines::log::{Body, LogEvent, LogReader, Next, Record, TrackKind, TrackNumber};

async fn wait_for_tracks(livekit: &Livekit, identity: &str, count: usize) {
    wait::until(
        &format!("{count} tracks of {identity}"),
        Duration::from_secs(10),
        || async {
            let participants = livekit.participants("studio").await;
            let tracks = participants
                .iter()
                .find(|participant| participant.identity == identity)?
                .tracks
                .len();
            (tracks == count).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn publishers_come_change_their_tracks_and_go() {
    let livekit = Livekit::start().await;
    let named = PublisherOptions::new(0).named("참가자 이름");
    let first = Publisher::join(&livekit, "studio", named).await;
    let second = PublisherOptions::new(1).with_h264().with_simulcast();
    let second = Publisher::join(&livekit, "studio", second).await;
    wait_for_tracks(&livekit, "publisher-0", 2).await;
    wait_for_tracks(&livekit, "publisher-1", 2).await;
    let participants = livekit.participants("studio").await;
    let name = &participants
        .iter()
        .find(|participant| participant.identity == "publisher-0")
        .expect("the first publisher")
        .name;
    assert_eq!(name, "참가자 이름");

    let (video, audio) = (first.video_frames(), first.audio_packets());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!((25..=35).contains(&(first.video_frames() - video)));
    assert!((90..=110).contains(&(first.audio_packets() - audio)));

    first.set_muted(Source::Camera, true).await;
    let video = first.video_frames();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(first.video_frames(), video, "a muted camera sends nothing");
    first.set_muted(Source::Camera, false).await;

    first.unpublish(Source::Microphone).await;
    wait_for_tracks(&livekit, "publisher-0", 1).await;
    first.publish_microphone().await;
    let screen = CameraOptions::new(VideoFormat {
        width: 1280,
        height: 720,
        frame_rate: 5,
        ..VideoFormat::vp8(90)
    });
    first.publish_video(Source::ScreenShare, screen).await;
    wait_for_tracks(&livekit, "publisher-0", 3).await;

    second.leave().await;
    wait::until("the good-bye", Duration::from_secs(5), || async {
        (livekit.participants("studio").await.len() == 1).then_some(())
    })
    .await;
    livekit.delete_room("studio").await;
    wait::until("the end of the room", Duration::from_secs(5), || async {
        (!first.is_alive()).then_some(())
    })
    .await;
}

/// Median of how long after its capture, as sender reports tell it, media of a track arrived, ms.
fn median_transit_ms(records: &[Record], track: TrackNumber, clock_rate: f64) -> f64 {
    let report = records.iter().find_map(|record| match &record.body {
        Body::SenderReport(report) if report.track == track => Some(*report),
        _ => None,
    });
    let report = report.expect("a sender report");
    let mut transits: Vec<f64> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Frame(frame) if frame.track == track => {
                let since_report = (frame.rtp - report.rtp) as f64 / clock_rate * 1e9;
                let taken = report.ntp_ns as f64 + since_report;
                Some((record.wall_ns as f64 - taken) / 1e6)
            }
            _ => None,
        })
        .collect();
    transits.sort_by(f64::total_cmp);
    transits[transits.len() / 2]
}

#[tokio::test]
async fn sender_reports_tell_when_sound_and_picture_were_taken() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let _publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 8.0).await;
    tapedeck.stop_recording("studio").await;

    let mut reader = LogReader::open(&tapedeck.kept_log(&started.id)).expect("a log");
    let mut records = Vec::new();
    while let Next::Record(record) = reader.next().expect("a readable log") {
        records.push(record);
    }
    for record in &records {
        let Body::Event(LogEvent::TrackAdded(info)) = &record.body else {
            continue;
        };
        let transit = median_transit_ms(&records, info.track, f64::from(info.clock_rate));
        println!("{:?} arrives {transit:.1} ms after it was taken", info.kind);
        // Pictures are sent at once, sound when its 20 ms are over.
        let latency = match info.kind {
            TrackKind::Video => 0.0,
            TrackKind::Audio => 20.0,
        };
        assert!((-2.0..15.0).contains(&(transit - latency)));
    }
}
