//! What stays in the data folder after the delivery, and for how long.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use futures_util::TryStreamExt as _;
use tapedeck_actors::*;
use tapedeck_storage::RecordingStore as _;

fn keep(files: &str, logs: &str) -> RetentionSettings {
    RetentionSettings {
        files: files.parse().unwrap(),
        logs: logs.parse().unwrap(),
    }
}

async fn recorded(fixture: &Fixture, room: &str) -> Manifest {
    fixture.start(room).await;
    let stopped = fixture.stop(room).await;
    assert_eq!(stopped.state, RecordingState::Complete);
    stopped
}

async fn left_is(fixture: &Fixture, id: &str, names: &[&str]) {
    wait_until(&format!("{names:?} are left of {id}"), async || {
        (fixture.left(id) == names).then_some(())
    })
    .await;
}

async fn content(recorder: &Recorder, name: &str) -> Vec<u8> {
    let library = recorder.library();
    let size = library.head(name).await.unwrap().size;
    let chunks = library.read(name, 0..size).await.unwrap();
    let chunks: Vec<_> = chunks.try_collect().await.unwrap();
    chunks.concat()
}

/// A server after that of the fixture, with other rules.
async fn next(fixture: Fixture, change: impl FnOnce(&mut RecorderSettings)) -> Fixture {
    let Fixture {
        folder,
        store,
        rooms,
        recorder,
    } = fixture;
    drop(recorder);
    let mut settings = settings(&folder.path().join("data"));
    change(&mut settings);
    let launched = Recorder::launch(
        settings,
        MediaServers::livekit(rooms.clone()),
        store.clone(),
    )
    .await;
    Fixture {
        recorder: launched.unwrap(),
        folder,
        store,
        rooms,
    }
}

fn in_store(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join("recordings").join(name)
}

#[actix_rt::test]
async fn kept_files_are_read_here_until_their_time_is_over() {
    let rules = keep("forever", "forever");
    let fixture = Fixture::with(|settings| settings.retention = rules, 0).await;
    let one = recorded(&fixture, "room").await;
    left_is(&fixture, &one.id, &["log", "manifest.json", "output.mp4"]).await;
    let before = fixture.recorder.library().head(&one.name).await.unwrap();
    let stored = in_store(fixture.folder.path(), &one.name);
    let whole = std::fs::read(&stored).unwrap();
    // What is kept is read though the store lost it.
    let aside = fixture.folder.path().join("aside");
    std::fs::rename(&stored, &aside).unwrap();
    assert_eq!(content(&fixture.recorder, &one.name).await, whole);
    let minute = Duration::from_secs(60);
    let url = fixture.recorder.library().url(&one.name, minute).await;
    assert_eq!(url.unwrap(), None, "a link of this server is what works");
    std::fs::rename(&aside, &stored).unwrap();

    // The log's time alone is over for the next server, and both for the one after it.
    let rules = keep("1h", "1s");
    let fixture = next(fixture, |settings| settings.retention = rules).await;
    left_is(&fixture, &one.id, &["manifest.json", "output.mp4"]).await;
    let rules = keep("1s", "until_delivered");
    let fixture = next(fixture, |settings| settings.retention = rules).await;
    left_is(&fixture, &one.id, &["manifest.json"]).await;
    assert_eq!(content(&fixture.recorder, &one.name).await, whole);
    let after = fixture.recorder.library().head(&one.name).await.unwrap();
    assert_eq!(before, after, "a player does not notice where it reads");

    // While a server runs, too.
    let two = recorded(&fixture, "room").await;
    assert!(fixture.left(&two.id).contains(&"output.mp4".to_owned()));
    left_is(&fixture, &two.id, &["manifest.json"]).await;
}

#[actix_rt::test]
async fn what_is_kept_goes_with_its_recording() {
    let rules = keep("forever", "forever");
    let fixture = Fixture::with(|settings| settings.retention = rules, 0).await;
    let one = recorded(&fixture, "room").await;
    left_is(&fixture, &one.id, &["log", "manifest.json", "output.mp4"]).await;
    fixture.recorder.delete(&one.name).await.unwrap();
    assert!(!fixture.work(&one.id).exists());
    assert!(!in_store(fixture.folder.path(), &one.name).exists());
    let gone = fixture.recorder.library().head(&one.name).await;
    assert!(gone.is_err(), "{gone:?}");
}

#[actix_rt::test]
async fn what_is_not_delivered_stays_whatever_the_rules() {
    let fixture = Fixture::with(
        |settings| {
            settings.retention = keep("1s", "1s");
            settings.stop_timeout = Duration::from_millis(200);
        },
        u32::MAX,
    )
    .await;
    fixture.start("room").await;
    let stopped = fixture.stop("room").await;
    assert_eq!(stopped.state, RecordingState::Uploading);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let left = fixture.left(&stopped.id);
    for name in ["log", "output.mp4"] {
        assert!(left.contains(&name.to_owned()), "{name}: {left:?}");
    }
}

#[actix_rt::test]
async fn without_room_what_the_store_has_goes_before_its_time() {
    let rules = keep("forever", "30d");
    let fixture = Fixture::with(|settings| settings.retention = rules, 0).await;
    let stored = recorded(&fixture, "one").await;
    let lost = recorded(&fixture, "two").await;
    let all = ["log", "manifest.json", "output.mp4"];
    left_is(&fixture, &stored.id, &all).await;
    left_is(&fixture, &lost.id, &all).await;
    std::fs::remove_file(in_store(fixture.folder.path(), &lost.name)).unwrap();
    let fixture = next(fixture, |settings| {
        settings.retention = rules;
        settings.min_free_bytes = u64::MAX;
    })
    .await;
    left_is(&fixture, &stored.id, &["manifest.json"]).await;
    assert_eq!(fixture.left(&lost.id), all, "there is no other copy");
}

#[actix_rt::test]
async fn a_store_on_this_machine_is_no_reason_to_keep_files_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = tapedeck_storage::DiskStore::open(&data.join("recordings")).unwrap();
    let mut settings = settings(&data);
    settings.retention = keep("forever", "forever");
    let rooms = Arc::new(FakeRooms::default());
    let recorder = Recorder::launch(settings, MediaServers::livekit(rooms), Arc::new(store)).await;
    let recorder = recorder.unwrap();
    let started = recorder.start(request("room")).await.unwrap();
    recorder.stop("room", None).await.unwrap();
    wait_until("the log alone is left", async || {
        let left = names(&data.join("work").join(&started.id));
        (left == ["log", "manifest.json"]).then_some(())
    })
    .await;
}
