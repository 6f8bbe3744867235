use std::path::Path;

use crate::render::testing::{Look, Publisher, RoomLog, beeps, video};

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
