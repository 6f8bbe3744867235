use std::path::Path;

use crate::log::{Codec, TrackSource};
use crate::render::testing::{Look, Publisher, RoomLog, beeps, job, video};
use crate::render::{RenderControl, render};

/// Writes the log of two publishers that costs are measured with: `TAPEDECK_BUSY_LOG=FOLDER`, with
/// `TAPEDECK_BUSY_RATE` frames in a second or 15, `TAPEDECK_BUSY_MINUTES` long or 40 s; then the
/// example `render` on that folder.
#[test]
#[ignore = "makes material for measurements"]
fn busy_log() {
    let folder = std::env::var("TAPEDECK_BUSY_LOG").unwrap();
    let frame_rate = std::env::var("TAPEDECK_BUSY_RATE").map_or(15, |rate| rate.parse().unwrap());
    let rounds = std::env::var("TAPEDECK_BUSY_MINUTES")
        .map_or(1, |minutes| minutes.parse::<u64>().unwrap() * 60 / 40);
    let mut log = RoomLog::new();
    for (index, id) in ["PA_1", "PA_2"].into_iter().enumerate() {
        let look = Look {
            width: 640,
            height: 360,
            frame_rate,
            phase_ns: index as u64 * 400_000_000,
            busy: true,
            ..Look::default()
        };
        let publisher = Publisher {
            id,
            start_ms: index as u64 * 20,
            ..Publisher::default()
        };
        let first = 2 * index as u16 + 1;
        let voice = beeps(600.0 + 500.0 * index as f32, look.phase_ns, 0.5, 40);
        let picture = video(look, 40).repeated(rounds);
        log.publish(
            &publisher,
            [first, first + 1],
            &picture,
            &voice.repeated(rounds),
        );
    }
    log.write(Path::new(&folder), rounds * 40_000);
}

/// Renders rooms of many shapes, to be looked at: `TAPEDECK_GALLERY=FOLDER`.
#[test]
#[ignore = "makes material to be looked at"]
fn gallery() {
    const NAMES: [&str; 9] = [
        "Ada Lovelace",
        "참가자 이름",
        "مشارك رقم واحد",
        "👩‍💻 Grace 🎉",
        "A very long name that goes on and on, as some people's and most companies' names do, Ltd.",
        "Bob",
        "नमस्ते สวัสดี",
        "Ω",
        "device-0001-8f2c",
    ];
    let folder = std::env::var("TAPEDECK_GALLERY").unwrap();
    let looks = [
        (640, 360),
        (360, 640),
        (640, 480),
        (640, 360),
        (320, 180),
        (1280, 720),
    ]
    .map(|(width, height)| Look {
        width,
        height,
        busy: true,
        phase_ns: 999_000_000,
        ..Look::default()
    });
    let clips = looks.map(|look| video(look, 1));
    for (participants, shares) in [
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 0),
        (5, 0),
        (7, 0),
        (9, 0),
        (0, 1),
        (1, 1),
        (5, 1),
        (5, 2),
        (12, 1),
    ] {
        let mut log = RoomLog::new();
        let ids = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"];
        for (index, id) in ids.into_iter().enumerate().take(participants) {
            let publisher = Publisher {
                id,
                name: NAMES[index % NAMES.len()],
                ..Publisher::default()
            };
            log.join(0, &publisher);
            // Every fourth camera is off.
            if index % 4 != 3 {
                let track = index as u16 + 1;
                log.add_track(0, &publisher, track, TrackSource::Camera, Codec::Vp8);
                log.media(&publisher, track, &clips[index % 4], |_| true);
            }
        }
        for share in 0..shares {
            let publisher = Publisher {
                id: ids[share],
                name: NAMES[share],
                ..Publisher::default()
            };
            let track = 50 + share as u16;
            log.add_track(0, &publisher, track, TrackSource::ScreenShare, Codec::Vp8);
            log.media(&publisher, track, &clips[5], |_| true);
        }
        let work = tempfile::tempdir().unwrap();
        log.write(work.path(), 900);
        let mut job = job(work.path());
        (job.settings.canvas.width, job.settings.canvas.height) = (1280, 720);
        job.settings.video_bitrate = 8_000_000;
        let output = render(&job, &RenderControl::default()).unwrap();
        let name = format!("{participants}-participants-{shares}-shares.mp4");
        std::fs::copy(&output.path, Path::new(&folder).join(name)).unwrap();
    }
}
