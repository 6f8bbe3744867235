//! Channels of Agora, heard by tabs of a real Chromium. Agora's cloud is played by a stand-in, over
//! real WebRTC between browsers of this machine.

use std::time::{Duration, Instant};

use harness::agora::{ANN, Agora, BOB, BrowserProcess, Joining, Log, Recorder, Victims};
use harness::content::{Recording, amplitude};
use harness::wait::until;
use tapedeck_pipelines::control::{CaptureSnapshot, CaptureState, Command, EndReason, FailureKind};
use tapedeck_pipelines::job::{BrowserSettings, CaptureJob, Secret, Source};
use tokio::time::sleep;

const CHANNEL: &str = "group_ann_bob";

/// Samples in a second.
const RATE: usize = 16_000;

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

/// Records two speakers for so long and checks all that is heard. A machine that is busy with other
/// things may be late at times: then so many stretches of 10 ms may be silent.
async fn record_two_speakers(length: Duration, late: usize) {
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
    let [ann, bob] =
        [ANN, BOB].map(|of| amplitude(&heard[..RATE * 4], of.pitch.into()) / f64::from(of.level));
    println!("levels {ann:.3} and {bob:.3} of what was sent");
    assert!((0.85..1.15).contains(&ann) && (0.85..1.15).contains(&bob));
    let missing = drop_outs(&samples[..begun + heard.len()], begun);
    println!("silent for 10 ms at {missing:?} s");
    assert!(
        missing.len() <= late,
        "silent at {missing:?} s of {seconds} s\n{said}"
    );
    assert_eq!(log.gaps(), []);
}

#[tokio::test]
async fn two_speakers_are_heard_as_they_speak() {
    record_two_speakers(Duration::from_secs(10), 5).await;
}

#[tokio::test]
#[ignore = "a minute"]
async fn a_minute_of_two_speakers_is_heard() {
    record_two_speakers(Duration::from_secs(60), 0).await;
}

const SOON: Duration = Duration::from_secs(30);

/// A speaker in a channel, and a recorder of it.
async fn recorded(channel: &str) -> (Agora, Recorder) {
    let mut agora = Agora::start().await;
    agora.speak(channel, ANN).await;
    let mut recorder = Recorder::start(&agora, channel);
    recorder.recording().await;
    (agora, recorder)
}

/// Checks that Ann is heard in a log but for some gaps, each of at most so many seconds.
fn assert_heard_but_for(log: &Log, count: usize, longest: f64, said: &str) {
    let gaps = log.gaps();
    assert_eq!(gaps.len(), count, "{gaps:?}\n{said}");
    let samples = log.samples();
    let moment = |at: f64| &samples[(at * RATE as f64) as usize..][..RATE / 2];
    for (from, to, why) in &gaps {
        println!("{why}: out from {from:.2} to {to:.2} s");
        assert!(to - from <= longest, "{gaps:?}\n{said}");
        // A tab takes some moments to hear whoever speaks.
        for at in [from - 1.0, to + 2.5] {
            let heard = amplitude(moment(at), ANN.pitch.into()) / f64::from(ANN.level);
            assert!(
                (0.85..1.15).contains(&heard),
                "{heard} at {at:.1} s\n{said}"
            );
        }
    }
}

/// Records on until the channel was heard again for a while.
async fn until_back(recorder: &mut Recorder) {
    recorder
        .until("interrupted", |snapshot| {
            snapshot.state == CaptureState::Reconnecting
        })
        .await;
    recorder.recording().await;
    sleep(Duration::from_secs(4)).await;
}

#[tokio::test]
async fn a_tab_a_browser_and_a_host_that_die_cost_seconds_and_leave_nothing() {
    let (_agora, mut recorder) = recorded(CHANNEL).await;
    sleep(Duration::from_secs(3)).await;
    for victims in [Victims::Renderers, Victims::Browser, Victims::Host] {
        let before = recorder.browser_processes();
        let killed = recorder.kill_browser(victims);
        assert!(!killed.is_empty(), "{}", recorder.logs());
        until_back(&mut recorder).await;
        let is_left = |kind: Victims| {
            let mut processes = before.iter().filter(|process| process.kind == kind);
            processes.any(BrowserProcess::is_alive)
        };
        assert!(!is_left(Victims::Renderers), "{victims:?}");
        let browser_goes_on = victims == Victims::Renderers;
        assert_eq!(is_left(Victims::Browser), browser_goes_on, "{victims:?}");
        assert_eq!(
            is_left(Victims::Host),
            victims != Victims::Host,
            "{victims:?}"
        );
        assert_eq!(recorder.profiles(), 1, "{}", recorder.logs());
    }
    let said = recorder.logs();
    let (_, log) = recorder.stop().await;
    assert_heard_but_for(&log, 3, 5.0, &said);
}

#[tokio::test]
async fn a_browser_that_hangs_is_replaced() {
    let (_agora, mut recorder) = recorded(CHANNEL).await;
    sleep(Duration::from_secs(3)).await;
    let hanging = recorder.signal_browser(Victims::Browser, libc::SIGSTOP);
    assert!(!hanging.is_empty(), "{}", recorder.logs());
    // It goes unnoticed for as long as nothing is wanted of it.
    recorder.kill_browser(Victims::Renderers);
    until_back(&mut recorder).await;
    assert!(!hanging.iter().any(BrowserProcess::is_alive));
    assert_eq!(recorder.profiles(), 1, "{}", recorder.logs());
    let said = recorder.logs();
    let (_, log) = recorder.stop().await;
    assert_heard_but_for(&log, 1, 25.0, &said);
}

#[tokio::test]
async fn a_host_that_is_told_to_end_is_replaced_and_leaves_nothing() {
    let (_agora, mut recorder) = recorded(CHANNEL).await;
    sleep(Duration::from_secs(3)).await;
    let before = recorder.browser_processes();
    recorder.signal_browser(Victims::Host, libc::SIGTERM);
    let told = Instant::now();
    let nothing_left = || async {
        let mut processes = before.iter();
        (!processes.any(BrowserProcess::is_alive)).then_some(())
    };
    until("host and browser are gone", SOON, nothing_left).await;
    println!("gone after {:.1} s", told.elapsed().as_secs_f64());
    assert!(told.elapsed() < Duration::from_secs(8));
    recorder.recording().await;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(recorder.profiles(), 1, "{}", recorder.logs());
    let said = recorder.logs();
    let (_, log) = recorder.stop().await;
    assert_heard_but_for(&log, 1, 5.0, &said);
}

#[tokio::test]
async fn whoever_was_heard_is_heard_after_agoras_sdk_has_reconnected() {
    let (agora, mut recorder) = recorded(CHANNEL).await;
    // Twice, as another media track follows the one that followed.
    for _ in 0..2 {
        sleep(Duration::from_secs(3)).await;
        agora.renew_session(CHANNEL);
    }
    sleep(Duration::from_secs(4)).await;
    let said = recorder.logs();
    recorder.recording().await;
    let (_, log) = recorder.stop().await;
    assert_eq!(agora.asked().len(), 1, "it is the same tab");
    let samples = log.samples();
    let heard = &samples[samples.len() - 2 * RATE..][..RATE];
    let level = amplitude(heard, ANN.pitch.into()) / f64::from(ANN.level);
    assert!((0.85..1.15).contains(&level), "{level}\n{said}");
}

#[tokio::test]
async fn a_speaker_whom_agoras_sdk_refuses_at_first_is_heard() {
    let mut agora = Agora::start().await;
    let mut recorder = Recorder::start(&agora, CHANNEL);
    recorder.recording().await;
    agora.refuse_subscriptions(CHANNEL, 4);
    agora.speak(CHANNEL, ANN).await;
    let has_level = |snapshot: &CaptureSnapshot| {
        let mut speakers = snapshot.participants.iter();
        speakers.any(|speaker| speaker.level > Some(0))
    };
    recorder.until("a speaker", has_level).await;
    let said = recorder.logs();
    assert!(said.contains("speaker 7 cannot be heard"), "{said}");
}

#[tokio::test]
async fn a_capture_that_dies_goes_on_in_its_log() {
    let (agora, mut recorder) = recorded(CHANNEL).await;
    sleep(Duration::from_secs(3)).await;
    recorder.kill();
    recorder.start_again();
    recorder.recording().await;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(
        agora.recorders(CHANNEL),
        1,
        "the tab of the dead capture is closed"
    );
    let said = recorder.logs();
    let (_, log) = recorder.stop().await;
    assert_heard_but_for(&log, 1, 5.0, &said);
}

#[tokio::test]
async fn whatever_agora_says_has_its_outcome() {
    let agora = Agora::start().await;
    for (reason, expected) in [
        ("UID_BANNED", EndReason::Removed),
        ("CHANNEL_BANNED", EndReason::RoomEnded),
    ] {
        let mut recorder = Recorder::start(&agora, &format!("channel_{reason}"));
        recorder.recording().await;
        agora.connection(&format!("channel_{reason}"), "DISCONNECTED", reason);
        let (ended, _) = recorder.leave().await;
        assert_eq!(ended.snapshot.end_reason, Some(expected), "{reason}");
    }
    let mut recorder = Recorder::start(&agora, "taken");
    recorder.recording().await;
    agora.take_user_id("taken");
    let (ended, _) = recorder.leave().await;
    assert_eq!(ended.snapshot.end_reason, Some(EndReason::IdentityTaken));
    let refused = Joining::Refused("CAN_NOT_GET_GATEWAY_SERVER", "invalid vendor key");
    agora.treat_recorders(refused);
    let failed = Recorder::start(&agora, "refused").failed().await;
    let failure = failed.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::SourceRefused);
    assert!(
        failure.message.contains("invalid vendor key"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_token_is_asked_for_and_renewed_and_a_lost_connection_is_found_again() {
    let (agora, mut recorder) = recorded(CHANNEL).await;
    agora.raise(CHANNEL, "token-privilege-will-expire");
    recorder
        .until("asks for a token", |snapshot| snapshot.token_wanted)
        .await;
    let token = Secret::new("006second");
    recorder.command(Command::RenewToken { token }).await;
    recorder
        .until("asks no more", |snapshot| !snapshot.token_wanted)
        .await;
    let renewed = || async {
        let asked = agora.asked();
        asked
            .iter()
            .any(|asked| asked["renewed"] == "006second")
            .then_some(())
    };
    until("the token is renewed", SOON, renewed).await;

    // The network is lost for good: another tab joins, with the new token.
    agora.connection(CHANNEL, "DISCONNECTED", "NETWORK_ERROR");
    until_back(&mut recorder).await;
    let asked = agora.asked();
    let tokens: Vec<_> = asked
        .iter()
        .filter_map(|asked| asked["token"].as_str())
        .collect();
    assert_eq!(tokens, ["006first", "006second"]);

    // The SDK finds its connection again by itself; sound came all the time.
    agora.connection(CHANNEL, "RECONNECTING", "INTERRUPTED");
    recorder
        .until("interrupted", |snapshot| {
            snapshot.state == CaptureState::Reconnecting
        })
        .await;
    sleep(Duration::from_secs(1)).await;
    agora.connection(CHANNEL, "CONNECTED", "");
    recorder.recording().await;

    // A token that has ended needs another one.
    agora.connection(CHANNEL, "DISCONNECTED", "TOKEN_EXPIRE");
    recorder
        .until("asks for a token", |snapshot| snapshot.token_wanted)
        .await;
    let token = Secret::new("006third");
    recorder.command(Command::RenewToken { token }).await;
    recorder.recording().await;
    let said = recorder.logs();
    assert!(!said.contains("006"), "a token is in the logs\n{said}");
    let (_, log) = recorder.stop().await;
    assert_eq!(log.gaps().len(), 2, "{:?}", log.gaps());
}

#[tokio::test]
async fn speakers_come_and_go_and_an_empty_channel_ends() {
    let mut agora = Agora::start().await;
    let mut recorder = Recorder::start_with(&agora, CHANNEL, |job| {
        job.limits.empty_room_timeout_ms = 4_000;
    });
    let alone = recorder.recording().await;
    assert_eq!(alone.participants, []);
    agora.speak(CHANNEL, ANN).await;
    let has_level = |snapshot: &CaptureSnapshot| {
        let mut speakers = snapshot.participants.iter();
        speakers.any(|speaker| speaker.level > Some(0))
    };
    recorder.until("a speaker", has_level).await;
    agora.mute(CHANNEL, ANN.uid, true);
    let muted = |snapshot: &CaptureSnapshot| {
        snapshot.participants.len() == 1 && snapshot.participants[0].level.is_none()
    };
    recorder.until("muted", muted).await;
    agora.mute(CHANNEL, ANN.uid, false);
    recorder.until("heard again", has_level).await;
    sleep(Duration::from_secs(5)).await;
    agora.all_leave();
    let (ended, log) = recorder.leave().await;
    assert_eq!(ended.snapshot.end_reason, Some(EndReason::RoomEmpty));
    // Other outputs of the same log.
    let sound = log.render("sound.mp4", &["--audio-only"]);
    let file = Recording::open(&sound).unwrap();
    assert!((file.duration() - ended.wall.as_secs_f64()).abs() < 0.3);
    let picture = Recording::open(&log.render("picture.mp4", &[])).unwrap();
    assert!(picture.video().is_some());
    let exported = log.folder().join("tracks");
    let names = log.export(&exported);
    assert!(names.iter().any(|name| name.ends_with(".mka")), "{names:?}");
}

#[tokio::test]
async fn agoras_own_sdk_loads_and_its_refusals_are_told() {
    let agora = Agora::start().await;
    let real = |job: &mut CaptureJob, change: fn(&mut String, &mut String)| {
        let Source::Agora {
            browser,
            app_id,
            channel,
            ..
        } = &mut job.source
        else {
            unreachable!("it records a channel");
        };
        browser.sdk = harness::cache_dir().join("agora/AgoraRTC_N-production.js");
        assert!(
            browser.sdk.is_file(),
            "get Agora's SDK with: scripts/agora-sdk"
        );
        change(app_id, channel);
    };
    let refused = Recorder::start_with(&agora, "empty", |job| {
        real(job, |_, channel| channel.clear());
    });
    let failure = refused.failed().await.failure.unwrap();
    assert_eq!(
        failure.kind,
        FailureKind::SourceRefused,
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains("INVALID_PARAMS"),
        "{}",
        failure.message
    );
    // No host can be reached: it would try for ever.
    let begun = Instant::now();
    let silent = Recorder::start_with(&agora, "silent", |job| real(job, |_, _| {}));
    let failure = silent.failed().await.failure.unwrap();
    assert_eq!(
        failure.kind,
        FailureKind::SourceTimeout,
        "{}",
        failure.message
    );
    let waited = begun.elapsed().as_secs();
    assert!((14..30).contains(&waited), "{waited} s");
    // It has the parameters that the page wants.
    let said = std::fs::read_to_string(agora.folder().join("browser/browser.log")).unwrap();
    assert!(!said.contains("Agora's SDK does not"), "{said}");
}

#[tokio::test]
async fn what_is_missing_is_told_with_the_way_to_get_it() {
    let agora = Agora::start().await;
    for (change, way) in [
        (
            (|browser| browser.chromium = "/nonexistent/chromium".into())
                as fn(&mut BrowserSettings),
            "correct the path of Chromium",
        ),
        (
            |browser| browser.sdk = "/nonexistent/sdk.js".into(),
            "correct the path of Agora's SDK",
        ),
    ] {
        let recorder = Recorder::start_with(&agora, &format!("without_{}", way.len()), |job| {
            let Source::Agora { browser, .. } = &mut job.source else {
                unreachable!("it records a channel");
            };
            change(browser);
            // A host of its own.
            browser.socket = agora.folder().join(format!("{}.sock", way.len()));
        });
        let failure = recorder.failed().await.failure.unwrap();
        assert!(failure.message.contains(way), "{}", failure.message);
    }
}
