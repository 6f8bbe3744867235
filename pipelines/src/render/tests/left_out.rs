use std::path::Path;
use std::process::Command;

use super::{Decoded, RenderControl, RoomLog, job, render, tile};
use crate::control::{OutputFile, Warning};
use crate::render::decode::DEADLY;
use crate::render::testing::{Look, Publisher, beeps, video};

const FOLDER: &str = "TAPEDECK_TEST_RENDER";

/// Two publishers; a frame of the first one's picture and one of its sound kill the process.
fn deadly() -> RoomLog {
    let ada = Publisher::default();
    let bob = Publisher { id: "PA_2", ..ada };
    let look = Look {
        luma: 150,
        ..Look::default()
    };
    let (mut picture, mut sound) = (video(look, 9), beeps(600.0, 0, 0.5, 9));
    picture.pieces[62].data = DEADLY.to_vec();
    sound.pieces[305].data = DEADLY.to_vec();
    let mut log = RoomLog::new();
    log.publish(&ada, [1, 2], &picture, &sound);
    log.publish(
        &bob,
        [3, 4],
        &video(look, 9),
        &beeps(1_100.0, 500_000_000, 0.5, 9),
    );
    log
}

#[test]
#[ignore = "dies; a process of its own"]
fn render_that_may_die() {
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let control = RenderControl::default();
    let output = render(&job(folder), &control).unwrap();
    let told = (output, control.snapshot().warnings);
    let text = serde_json::to_vec(&told).unwrap();
    std::fs::write(folder.join("told.json"), text).unwrap();
}

#[test]
fn a_track_that_kills_the_render_again_and_again_is_left_out_from_there_on() {
    let folder = tempfile::tempdir().unwrap();
    deadly().write(folder.path(), 9_000);
    let mut deaths = 0;
    let lives = |folder: &Path| {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["render::tests::left_out::render_that_may_die", "--exact"])
            .args(["--ignored", "--test-threads=1"])
            .env(FOLDER, folder)
            .output();
        child.unwrap().status.success()
    };
    while !lives(folder.path()) {
        deaths += 1;
        assert!(deaths < 5, "it dies for ever");
    }
    assert_eq!(deaths, 4, "twice of each frame");
    let told = std::fs::read(folder.path().join("told.json")).unwrap();
    let (output, warnings): (OutputFile, Vec<Warning>) = serde_json::from_slice(&told).unwrap();
    let left_out: Vec<&Warning> = warnings
        .iter()
        .filter(|warning| warning.code == "track_left_out")
        .collect();
    assert_eq!(left_out.len(), 2, "{warnings:?}");
    assert!(left_out[0].message.contains("TR_1 of PA_1"));
    assert!(
        left_out[0].message.contains("from 4.2 s on"),
        "{left_out:?}"
    );
    assert!(left_out[1].message.contains("TR_2 of PA_1"));

    let decoded = Decoded::of(&output.path);
    let shown = |from: f64, to: f64| {
        let all = decoded.brightness(tile(0, 2)).into_iter();
        all.filter(move |(time, _)| (from..to).contains(time))
    };
    assert!(shown(0.5, 4.0).all(|(_, luma)| luma > 110.0));
    assert!(
        shown(4.4, 9.0).all(|(_, luma)| luma < 110.0),
        "a placeholder"
    );
    // The sound goes on for two seconds more.
    let beeps = decoded.beeps(600.0);
    assert!(beeps.iter().all(|beep| *beep < 6.2), "{beeps:.2?}");
    assert_eq!(beeps.len(), 7, "{beeps:.2?}");
    assert_eq!(decoded.flashes(tile(1, 2)).len(), 9);
    assert_eq!(decoded.beeps(1_100.0).len(), 9);
}
