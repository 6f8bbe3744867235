//! Processes are killed at random while rooms are recorded: nothing is lost, nothing is there
//! twice, nothing is left behind.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join_all;
use harness::crash::{Killer, Presence, Report, Returning, Take, Victim, seed};
use harness::livekit::Livekit;
use harness::media::VideoFormat;
use harness::publisher::{Publisher, PublisherOptions, whip};
use harness::tapedeck::{Insistent, Tapedeck};
use rand::RngExt;

/// How many kills `make test` has time for.
const KILLS: usize = 20;
/// Who is killed, more often who is named more often.
const VICTIMS: [Victim; 9] = [
    Victim::Server,
    Victim::Server,
    Victim::Server,
    Victim::Render,
    Victim::Render,
    Victim::Render,
    Victim::Capture,
    Victim::Capture,
    Victim::Rooms,
];
/// Time from one kill to the next.
const PAUSES: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(1_900));

/// A light publisher whose moments are half a second from those of its neighbours.
fn publisher(index: u32) -> PublisherOptions {
    let format = VideoFormat {
        width: 320,
        height: 180,
        ..VideoFormat::vp8((index * 40) as u16)
    };
    PublisherOptions {
        phase: f64::from(index % 2) * 0.5,
        ..PublisherOptions::new(index)
    }
    .with_video(format)
}

fn take(room: &str, source: &'static str, publishers: &[&Presence]) -> Take {
    Take {
        room: room.to_owned(),
        source,
        canvas: (640, 360),
        publishers: publishers.iter().copied().cloned().collect(),
        pause: None,
        rooms_kills: None,
    }
}

/// A recording that costs little.
fn small(index: u32, options: &PublisherOptions) -> Take {
    Take {
        canvas: (320, 180),
        ..take(
            &format!("small-{index}"),
            "whip",
            &[&Presence::always(options)],
        )
    }
}

/// Makes all takes at once while processes are killed, and judges them.
async fn round(
    tapedeck: &mut Tapedeck,
    killer: &mut Killer,
    kills: usize,
    takes: Vec<(Take, Duration, Duration)>,
) -> Report {
    let client = Insistent::of(tapedeck);
    let done = Cell::new(false);
    let lives = async {
        let lives = takes
            .iter()
            .map(|(take, after, length)| take.record(&client, *after, *length));
        let ended = join_all(lives).await;
        done.set(true);
        ended
    };
    let (ended, ()) = futures_util::join!(lives, killer.kill_until(tapedeck, kills, &done));
    let mut report = Report::default();
    for half in ended {
        let taken = match half.on_disk(tapedeck) {
            Ok(taken) => taken,
            Err(fault) => {
                report.fault(fault);
                continue;
            }
        };
        let (taken, verdict) = tokio::task::spawn_blocking(move || {
            let verdict = taken.judge();
            (taken, verdict)
        })
        .await
        .expect("a verdict");
        report.add(&taken, verdict);
    }
    report
}

#[tokio::test]
async fn random_kills_lose_nothing() {
    let kills = std::env::var("CRASH_KILLS").ok();
    let kills = kills.map_or(KILLS, |kills| {
        kills.parse().expect("CRASH_KILLS is a number")
    });
    let livekit = Livekit::start().await;
    let mut tapedeck = Tapedeck::start_with_rooms(&livekit.ws_url(), &[]).await;
    let [one, two, three, four] = [0, 1, 2, 3].map(publisher);
    let _one = Publisher::join(&livekit, "pair", one.clone()).await;
    let _two = Publisher::join(&livekit, "pair", two.clone()).await;
    let _three = Publisher::join(&livekit, "alone", three.clone()).await;
    let mut killer = Killer::new(seed(), &VICTIMS, PAUSES);
    let four = whip::publish(&tapedeck, "ours", four).await;
    let four = Returning::new(four, killer.rooms_kills());
    let [one, two, three] = [&one, &two, &three].map(Presence::always);
    let takes = [
        take("pair", "livekit", &[&one, &two]),
        take("alone", "livekit", &[&three]),
        Take {
            rooms_kills: Some(killer.rooms_kills()),
            ..take("ours", "whip", &[&four.presence])
        },
    ];
    let mut total = Report::default();
    loop {
        let before = killer.report().kills();
        if before >= kills {
            break;
        }
        let lengths = takes.clone().map(|mut take| {
            let mut between = |from: u64, to: u64| {
                Duration::from_millis(killer.generator().random_range(from..to))
            };
            let (after, length) = (between(0, 2_000), between(8_000, 12_000));
            if take.room == "alone" {
                take.pause = Some((between(1_500, 3_000), between(1_000, 2_500)));
            }
            (take, after, length)
        });
        let report = round(&mut tapedeck, &mut killer, kills - before, lengths.to_vec()).await;
        for fault in report.faults() {
            println!("{fault}");
        }
        total.merge(&report);
    }
    total.merge(&killer.report());
    println!("{total}");
    assert!(total.faults().is_empty(), "{:#?}", total.faults());
    four.end().await;
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn ten_small_recordings_outlive_a_server_that_is_killed_again_and_again() {
    // Processes that are killed all the time make renders late, which is not what is looked for.
    let variables = [
        ("TAPEDECK_RECORDING_MAX_RECORDINGS", "10"),
        ("TAPEDECK_RECORDING_MAX_CPU_PERCENT", "0"),
    ];
    let mut tapedeck = Tapedeck::start_with_rooms("", &variables).await;
    let mut publishers = Vec::new();
    let mut takes = Vec::new();
    for index in 0..10 {
        let mut options = publisher(index % 4).called(&format!("small-{index}"), "Small");
        if let Some(camera) = &mut options.camera {
            (camera.format.width, camera.format.height) = (160, 90);
        }
        let take = small(index, &options);
        let after = Duration::from_millis(u64::from(index) * 250);
        takes.push((take, after, Duration::from_secs(9)));
        publishers.push(whip::publish(&tapedeck, &format!("small-{index}"), options).await);
    }
    let pauses = (Duration::from_millis(500), Duration::from_millis(1_500));
    let mut killer = Killer::new(seed(), &[Victim::Server], pauses);
    let mut report = round(&mut tapedeck, &mut killer, usize::MAX, takes).await;
    report.merge(&killer.report());
    println!("{report}");
    assert!(report.kills() >= 4, "the server was hardly killed");
    assert!(report.faults().is_empty(), "{:#?}", report.faults());
    drop(publishers);
    tapedeck.assert_nothing_left().await;
}
