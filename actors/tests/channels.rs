//! Recordings of channels of Agora.

mod common;

use std::time::Duration;

use common::*;
use tapedeck_actors::*;
use tapedeck_pipelines::control::EndReason;
use tapedeck_pipelines::job::OutputFormat;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);

#[actix_rt::test]
async fn a_channel_is_recorded_as_a_wav_and_stopped_by_its_id() {
    let fixture = Fixture::new().await;
    let recorder = &fixture.recorder;
    let request = channel_recording("group1_alice_bob");
    let started = recorder.start(request.clone()).await.unwrap();
    assert_eq!(started.source, "agora");
    assert_eq!(started.output.format, OutputFormat::Wav);
    let stem = started.name.strip_prefix("group1_alice_bob_").unwrap();
    assert_eq!(stem.len(), "2026-02-03T12-00-00.wav".len());
    let again = recorder.start(request.clone()).await.unwrap_err();
    let id = started.id.clone();
    let room_name = "group1_alice_bob".to_owned();
    assert_eq!(again, StartError::AlreadyRecording { room_name, id });

    let stopped = recorder
        .stop_within(Selected::Id(&started.id), PATIENCE)
        .await;
    let stopped = stopped.unwrap();
    assert_eq!(stopped.state, RecordingState::Complete);
    // The next one of the channel goes on when the first is stopped once more.
    let next = recorder.start(request).await.unwrap();
    assert_ne!(next.name, started.name, "nothing is overwritten");
    let repeated = recorder
        .stop_within(Selected::Id(&started.id), PATIENCE)
        .await;
    let repeated = repeated.unwrap();
    assert_eq!((repeated.id, repeated.stored), (stopped.id, stopped.stored));
    let live = recorder.live().await.unwrap();
    assert_eq!(live[0].manifest.id, next.id);
    let unknown = recorder.stop_within(Selected::Id("EG_nobodyknows1"), PATIENCE);
    assert_eq!(unknown.await, Err(StopError::NotRecording));
    fixture.finish().await;
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_capture_whose_token_ends_gets_a_new_one() {
    let fixture = Fixture::new().await;
    let channel = channel_recording("wants-token+x");
    // Refused by LiveKit after a long pause.
    let room = request("wants-token+y");
    for (request, expected) in [(channel, "another token for wants-token+x"), (room, TOKEN)] {
        let started = fixture.recorder.start(request).await.unwrap();
        let renewed = fixture.work(&started.id).join("renewed");
        let token = wait_until("capture has a new token", async || {
            std::fs::read_to_string(&renewed)
                .ok()
                .filter(|it| !it.is_empty())
        });
        assert_eq!(token.await, expected);
        let manifest = std::fs::read_to_string(fixture.work(&started.id).join("manifest.json"));
        assert!(!manifest.unwrap().contains(expected), "no secret is kept");
    }
    fixture.finish().await;
}

#[actix_rt::test]
async fn why_agora_does_not_let_it_in_is_told() {
    let fixture = Fixture::new().await;
    let start = async |channel: &str| {
        let request = channel_recording(channel);
        fixture.recorder.start(request).await.unwrap_err()
    };
    let refused = start("refused+x").await;
    let reason = "as the script says".to_owned();
    assert_eq!(refused, RoomError::JoinRefused(reason).into());
    // Agora's own limit counts, not that of rooms.
    let begun = Instant::now();
    assert_eq!(start("never-joins+x").await, StartError::Timeout(4));
    assert!(begun.elapsed() < Duration::from_secs(12));
    fixture.no_process_left().await;
}

#[actix_rt::test]
async fn a_lost_capture_of_a_channel_goes_on_also_after_the_servers_end() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut server = Server::start(&data).await;
    server.say("listen g_a_b").await;
    let answer = server.line().await;
    assert!(answer.starts_with("listen Ok"), "{answer}");
    server.kill().await;

    let (recorder, _) = next_server(&data).await;
    let running = async || process(&recorder, "capture").await;
    let before = wait_until("the next server knows capture", running).await;
    kill(before);
    let back = wait_until("another capture records", async || {
        let another = process(&recorder, "capture").await? != before;
        let live = recorder.live().await.unwrap().pop()?.manifest;
        let told = live.state == RecordingState::Active && !live.gaps.is_empty();
        (another && told).then_some(live)
    })
    .await;
    assert_eq!(back.restarts.capture, 1);
    let stopped = recorder
        .stop("g_a_b", Some(SourceKind::Agora))
        .await
        .unwrap();
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.end_reason, Some(EndReason::Stopped));
    recorder.finish_all(Duration::from_secs(10)).await;
}
