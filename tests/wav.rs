//! A room becomes a WAV for speech recognition, which can be read at any moment.

use std::path::Path;

use harness::content::{Recording, wav_seconds as seconds};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::{Tapedeck, now_ms};
use serde_json::json;

#[tokio::test]
async fn a_room_becomes_a_wav_that_can_be_read_at_any_moment() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let second = PublisherOptions::new(3).audio_only();
    let second = Publisher::join(&livekit, "studio", second).await;
    let body = json!({ "roomName": "studio", "format": "wav", "perSpeaker": true });
    let started = tapedeck.post("/recordings/start", body).await.recording();
    assert!(started.name.ends_with(".wav"), "{}", started.name);
    let part = tapedeck.work(&started.id).join("render").join("part.wav");
    let snapshot = tapedeck.work(&started.id).join("moment.wav");
    let mut lengths = Vec::new();
    for moment in 0..14 {
        tapedeck
            .wait_until(&started, 4.0 + f64::from(moment) * 0.37)
            .await;
        if moment == 6 {
            assert_eq!(tapedeck.signal_children("render", libc::SIGKILL), 1);
        }
        std::fs::copy(&part, &snapshot).unwrap();
        lengths.push(seconds(&snapshot));
    }
    std::fs::remove_file(&snapshot).unwrap();
    assert!(
        lengths[0] > 0.5 && lengths[13] > lengths[0] + 2.0,
        "{lengths:?}"
    );
    let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
    let tracks = status["capture"]["participants"].to_string();
    assert!(
        tracks.contains("opus") && !tracks.contains("vp8"),
        "{status}"
    );
    tapedeck.wait_until(&started, 10.0).await;
    let asked = (now_ms() - started.started_at) / 1e3;
    let stopped = tapedeck.stop_recording("studio").await;

    let file = tapedeck.file(&stopped.name);
    let length = seconds(&file);
    println!("asked for {asked:.3} s, the file has {length:.3} s");
    assert!((length - asked).abs() < 0.3);
    assert!((stopped.duration - length).abs() < 0.01);
    let heard = |path: &Path| {
        let sound = Recording::open(path).unwrap().sound().unwrap();
        [&first, &second].map(|of| sound.beeps(of.options.pitch.into()).len())
    };
    let beeps = heard(&file);
    assert!(
        beeps.iter().all(|&count| (8..=11).contains(&count)),
        "{beeps:?}"
    );
    let answer = reqwest::get(tapedeck.url(&format!("/recordings/{}", stopped.name))).await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["content-type"], "audio/wav");

    // The log alone gives the same file, and each speaker besides.
    let log = tapedeck.kept_log(&stopped.id);
    let again = log.with_file_name("again.wav");
    let arguments = [
        "render",
        log.to_str().unwrap(),
        "--output",
        again.to_str().unwrap(),
    ];
    let options = ["--format", "wav", "--per-speaker"];
    let output = tapedeck
        .command(&[&arguments[..], &options].concat())
        .output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(std::fs::read(&again).unwrap() == std::fs::read(&file).unwrap());
    let speaker = |of: &Publisher| {
        again.with_file_name(format!(
            "again-{}.wav",
            of.options.identity.replace('-', "_")
        ))
    };
    assert_eq!(seconds(&speaker(&first)), length);
    assert_eq!(heard(&speaker(&first)), [beeps[0], 0]);
    assert_eq!(heard(&speaker(&second)), [0, beeps[1]]);
    drop((first, second));
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_sound_recording_is_an_mp4_without_picture() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let publisher = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let body = json!({ "roomName": "studio", "audioOnly": true });
    let started = tapedeck.post("/recordings/start", body).await.recording();
    tapedeck.wait_until(&started, 6.0).await;
    let asked = (now_ms() - started.started_at) / 1e3;
    let stopped = tapedeck.stop_recording("studio").await;
    let file = Recording::open(&tapedeck.file(&stopped.name)).unwrap();
    assert!(file.video().is_none() && file.is_fast_start());
    assert!(
        (file.duration() - asked).abs() < 0.3,
        "{} of {asked}",
        file.duration()
    );
    let beeps = file.sound().unwrap().beeps(publisher.options.pitch.into());
    assert!((5..=7).contains(&beeps.len()), "{beeps:?}");
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}
