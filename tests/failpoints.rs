//! At each step that changes what is on the disk the process dies once that takes it. Whoever
//! looks after it starts it again, and the recording ends as one whole file all the same.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use harness::crash::{Presence, Take, manifest};
use harness::livekit::API_SECRET;
use harness::media::VideoFormat;
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::{Insistent, Tapedeck};
use serde_json::Value;
use tapedeck_failpoints::{NAMES, VARIABLE};

/// Servers that are tested side by side.
const AT_ONCE: usize = 4;
/// What is recorded each time.
const LENGTH: Duration = Duration::from_millis(3_500);
/// After which time of it, and for how long, it is paused where a pause is what matters.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1_500), Duration::from_millis(1_000));

/// At which of its times a point strikes: early and late in the life of a recording.
const TIMES: &[(&str, &[u32])] = &[
    ("replace.written", &[1, 2, 3, 4, 5]),
    ("replace.synced", &[1, 2]),
    ("replace.renamed", &[1, 2, 3, 4, 5]),
    ("folder.created", &[3]),
    ("manifest.saved", &[1, 2, 3, 4, 5]),
    ("index.written", &[1, 3]),
    ("index.saved", &[1, 2, 3, 4, 5]),
    ("log.created", &[1]),
    ("log.header", &[1]),
    ("log.written", &[1, 3]),
    ("log.synced", &[1, 3]),
    ("log.sealed", &[1]),
    ("pause.begun", &[1]),
    ("pause.ended", &[1]),
    ("journal.written", &[1, 2]),
    ("journal.synced", &[1, 2]),
    ("fragment.written", &[1, 3]),
    ("fragment.listed", &[1, 3]),
    ("finalise.written", &[1]),
    ("finalise.synced", &[1]),
    ("finalise.renamed", &[1]),
    ("finalise.done", &[1]),
    // Of files that go to a bucket in parts: see the tests of `storage`.
    ("parts.begun", &[]),
    ("parts.noted", &[]),
    ("parts.sent", &[]),
    ("parts.complete", &[]),
    ("parts.joined", &[]),
    ("upload.copied", &[1]),
    ("upload.synced", &[1]),
    ("upload.described", &[1]),
    ("upload.renamed", &[1]),
    ("upload.done", &[1]),
    ("upload.file", &[1]),
    ("clear.begun", &[1, 2]),
    ("clear.done", &[1]),
    ("remove.begun", &[1]),
    ("remove.removed", &[1]),
    ("delete.removed", &[1, 2]),
];

fn publisher() -> PublisherOptions {
    PublisherOptions::new(0).with_video(VideoFormat {
        width: 160,
        height: 90,
        ..VideoFormat::vp8(0)
    })
}

/// Records, stops and deletes while the server dies at a point and is started again; tells what is
/// wrong.
async fn die_at(name: &'static str, times: u32) -> Vec<String> {
    let marks = tempfile::tempdir().expect("a folder");
    let mark = marks.path().join("died");
    let variable = VARIABLE.expect("the program is built with failpoints");
    let point = format!("{name}:{times}:{}", mark.display());
    let mut tapedeck = Tapedeck::start_alone(&[(variable, &point)]).await;
    let publisher = whip::publish(&tapedeck, "studio", publisher()).await;
    let client = Insistent::of(&tapedeck);
    let take = Take {
        room: "studio".to_owned(),
        source: "whip",
        canvas: (320, 180),
        publishers: vec![Presence::always(&publisher.options)],
        pause: name.starts_with("pause.").then_some(PAUSE),
        rooms_kills: None,
    };
    let recorded = {
        let recording = take.record(&client, Duration::ZERO, LENGTH);
        supervised(&mut tapedeck, recording).await
    };
    let mut faults = wrongs(&tapedeck, recorded.id());
    let file = match recorded.on_disk(&tapedeck) {
        Ok(taken) => {
            let (verdict, taken) = tokio::task::spawn_blocking(move || (taken.judge(), taken))
                .await
                .expect("a verdict");
            faults.extend(verdict.faults);
            taken.file_name()
        }
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    if let Some(file) = file {
        supervised(&mut tapedeck, client.delete(&file)).await;
        if tapedeck.file(&file).exists() {
            faults.push("its file was not deleted".to_owned());
        }
    }
    if !mark.exists() {
        faults.push("nobody died there".to_owned());
    }
    drop(publisher);
    tapedeck.run_if_ended();
    tapedeck.assert_nothing_left().await;
    faults
        .into_iter()
        .map(|fault| format!("{name}, time {times}: {fault}"))
        .collect()
}

/// Does `work` while the server is started again whenever it has ended.
async fn supervised<T>(tapedeck: &mut Tapedeck, work: impl Future<Output = T>) -> T {
    let done = AtomicBool::new(false);
    let work = async {
        let result = work.await;
        done.store(true, Ordering::Relaxed);
        result
    };
    let supervision = async {
        while !done.load(Ordering::Relaxed) {
            tapedeck.run_if_ended();
            tapedeck.keep_logs();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    futures_util::join!(work, supervision).0
}

/// What does not hold of the whole data folder once a recording is complete.
fn wrongs(tapedeck: &Tapedeck, id: &str) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut owned = Vec::new();
    for work in entries(&tapedeck.data().join("work")) {
        let manifest = manifest(&work);
        let state = manifest["state"].as_str().unwrap_or("without a manifest");
        let is_ours = work.ends_with(id);
        if is_ours {
            let name = text(&manifest["name"]);
            owned.push(name.replace(".mp4", ".jpg"));
            owned.push(name);
        }
        // Others were never answered as started.
        let expected = if is_ours {
            &["complete"][..]
        } else {
            &["failed", "aborted"]
        };
        if !expected.contains(&state) {
            wrongs.push(format!("{} is {state}", work.display()));
        }
        if manifest.to_string().contains(API_SECRET) {
            wrongs.push("the manifest holds a secret".to_owned());
        }
    }
    for file in entries(&tapedeck.data().join("recordings")) {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name != ".metadata" && !owned.contains(&name) {
            wrongs.push(format!("{name} belongs to no recording"));
        }
    }
    if tapedeck.log().contains(API_SECRET) {
        wrongs.push("the log holds a secret".to_owned());
    }
    wrongs
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_point_is_tried() {
    let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    let tried: Vec<&str> = TIMES.iter().map(|(name, _)| *name).collect();
    assert_eq!(known, tried);
}

#[tokio::test]
async fn whoever_dies_at_a_step_of_the_disk_loses_nothing() {
    let only = std::env::var("FAILPOINT_ONLY").unwrap_or_default();
    let points = TIMES
        .iter()
        .filter(|(name, _)| name.starts_with(&only))
        .flat_map(|(name, times)| times.iter().map(|times| (*name, *times)));
    let faults: Vec<Vec<String>> = futures_util::stream::iter(points)
        .map(|(name, times)| async move {
            // One that panics is told, the others go on.
            let died = tokio::spawn(die_at(name, times)).await;
            died.unwrap_or_else(|panic| vec![format!("{name}, time {times}: {panic}")])
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let faults = faults.concat();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
