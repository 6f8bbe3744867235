//! Channels of Agora, heard by tabs of a real Chromium. Agora's cloud is played by a stand-in, over
//! real WebRTC between browsers of this machine.

use std::f32::consts::PI;
use std::time::Duration;

use harness::agora::{Agora, Recorder, Speaker};
use tokio::time::sleep;

const CHANNEL: &str = "group_ann_bob";

const ANN: Speaker = Speaker {
    uid: 7,
    pitch: 440.0,
    level: 0.25,
};
const BOB: Speaker = Speaker {
    uid: 8,
    pitch: 1_000.0,
    level: 0.125,
};

/// Samples in a second.
const RATE: usize = 16_000;

/// The amplitude of a tone in a stretch of samples (Goertzel's way, by its definition).
fn amplitude(samples: &[f32], pitch: f32) -> f32 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let angle = 2.0 * PI * pitch * (index % RATE) as f32 / RATE as f32;
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
    }
    2.0 * sine.hypot(cosine) / samples.len() as f32
}

/// Whole stretches of 10 ms, from sample `from` on, in which next to nothing is heard.
fn drop_outs(samples: &[f32], from: usize) -> Vec<f32> {
    let silent = |piece: &[f32]| piece.iter().all(|sample| sample.abs() < 0.01);
    samples[from..]
        .chunks_exact(RATE / 100)
        .enumerate()
        .filter(|(_, piece)| silent(piece))
        .map(|(index, _)| (from + index * RATE / 100) as f32 / RATE as f32)
        .collect()
}

/// Records two speakers for so long and checks all that is heard.
async fn record_two_speakers(length: Duration) {
    let mut agora = Agora::start().await;
    agora.speak(CHANNEL, ANN).await;
    agora.speak(CHANNEL, BOB).await;
    let mut recorder = Recorder::start(&agora, CHANNEL);
    recorder.recording().await;
    let both = |level: Option<u8>| level.is_some_and(|level| level > 0);
    let snapshot = recorder
        .until("two speakers", |snapshot| {
            let speakers = &snapshot.participants;
            speakers.len() == 2 && speakers.iter().all(|speaker| both(speaker.level))
        })
        .await;
    let mut uids: Vec<_> = snapshot
        .participants
        .iter()
        .map(|of| of.identity.as_str())
        .collect();
    uids.sort_unstable();
    assert_eq!(uids, ["7", "8"]);
    let begun = snapshot.duration_ms as usize * RATE / 1_000;
    sleep(length).await;
    let said = recorder.logs();
    let (ended, log) = recorder.stop().await;
    let samples = log.samples();
    let seconds = samples.len() as f64 / RATE as f64;
    println!(
        "{seconds:.3} s of sound in {:.3} s",
        ended.wall.as_secs_f64()
    );
    assert!((seconds - ended.wall.as_secs_f64()).abs() < 0.05, "{said}");
    let heard = &samples[begun..begun + length.as_secs() as usize * RATE];
    let [ann, bob] = [ANN, BOB].map(|of| amplitude(&heard[..RATE * 4], of.pitch) / of.level);
    println!("levels {ann:.3} and {bob:.3} of what was sent");
    assert!((0.85..1.15).contains(&ann) && (0.85..1.15).contains(&bob));
    let missing = drop_outs(&samples[..begun + heard.len()], begun);
    assert!(
        missing.is_empty(),
        "silent at {missing:?} s of {seconds} s\n{said}"
    );
    assert_eq!(log.gaps(), []);
}

#[tokio::test]
async fn two_speakers_are_heard_as_they_speak() {
    record_two_speakers(Duration::from_secs(10)).await;
}

#[tokio::test]
#[ignore = "a minute"]
async fn a_minute_of_two_speakers_is_heard_without_drop_outs() {
    record_two_speakers(Duration::from_secs(60)).await;
}
