//! Servers that end without a good-bye, and the servers after them.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use rand::RngExt;
use tapedeck_actors::*;
use tapedeck_pipelines::control::EndReason;
use tapedeck_storage::{DiskStore, RecordingStore};
use tokio::time::sleep;

fn manifests(data: &Path) -> Vec<Manifest> {
    let read = |id: String| {
        let path = data.join("work").join(id).join("manifest.json");
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    };
    names(&data.join("work"))
        .into_iter()
        .filter_map(read)
        .collect()
}

async fn manifest_in(data: &Path, state: RecordingState) -> Manifest {
    wait_until(
        &format!("there is a manifest in state {state:?}"),
        async || {
            manifests(data)
                .into_iter()
                .find(|manifest| manifest.state == state)
        },
    )
    .await
}

async fn render_runs(data: &Path) {
    wait_until("render has its job", async || {
        let id = manifests(data).first()?.id.clone();
        data.join("work")
            .join(id)
            .join("render.jsonl")
            .exists()
            .then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn capture_goes_on_while_no_server_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("start room").await;
    assert!(server.line().await.contains("Ok"));
    render_runs(&data).await;
    let processes = processes_in(&data.join("work"));
    server.kill().await;
    sleep(Duration::from_millis(300)).await;

    let (recorder, _) = next_server(&data).await;
    let pids = wait_until("both processes are found again", async || {
        both_processes(&recorder).await
    })
    .await;
    assert!(
        processes.iter().all(|pid| pids.contains(pid)),
        "they are the same"
    );
    assert!(matches!(
        recorder.start(request("room")).await,
        Err(StartError::AlreadyRecording { .. })
    ));
    let stopped = recorder.stop("room", None).await.unwrap();
    assert_eq!(stopped.state, RecordingState::Complete);
    assert_eq!(stopped.end_reason, Some(EndReason::Stopped));
    assert_eq!(stopped.warnings, []);
    wait_until("all processes are gone", async || {
        processes_in(&data).is_empty().then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn an_end_that_no_server_saw_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("start room+room-ends+render-slow").await;
    assert!(server.line().await.contains("Ok"));
    render_runs(&data).await;
    server.kill().await;
    // Capture seals, render finishes and exits, and capture is gone before the next server.
    wait_until("render has finished", async || {
        let id = manifests(&data).first()?.id.clone();
        let journal =
            std::fs::read_to_string(data.join("work").join(id).join("render.jsonl")).ok()?;
        journal.contains("finished").then_some(())
    })
    .await;
    sleep(Duration::from_millis(500)).await;
    for pid in processes_in(&data.join("work")) {
        kill(pid);
    }
    let (recorder, store) = next_server(&data).await;
    let done = manifest_in(&data, RecordingState::Complete).await;
    assert_eq!(done.end_reason, Some(EndReason::RoomEnded));
    assert_eq!(store.list().await.unwrap().len(), 1);
    drop(recorder);
}

#[actix_rt::test]
async fn a_start_that_no_server_answered_keeps_what_was_captured() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("start room").await;
    manifest_in(&data, RecordingState::Starting).await;
    server.kill().await;
    let (recorder, store) = next_server(&data).await;
    let ended = wait_until("it is active or failed", async || {
        manifests(&data)
            .into_iter()
            .find(|manifest| manifest.state != RecordingState::Starting)
    })
    .await;
    if ended.state == RecordingState::Active {
        recorder.stop("room", None).await.unwrap();
        assert_eq!(store.list().await.unwrap().len(), 1);
    } else {
        assert_eq!(
            ended.state,
            RecordingState::Failed,
            "it was not in the room yet"
        );
    }
}

#[actix_rt::test]
async fn no_kill_at_any_moment_loses_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut answered = Vec::new();
    for round in 0..12 {
        let room = format!("room {round}");
        let mut server = Server::start(&data).await;
        server.say(&format!("start {room}")).await;
        let delay = rand::rng().random_range(0..400);
        if round % 2 == 0 {
            // Killed somewhere in the start.
            if let Ok(line) =
                tokio::time::timeout(Duration::from_millis(delay), server.line()).await
            {
                answered.push((room, line));
            }
        } else {
            let line = server.line().await;
            answered.push((room.clone(), line));
            server.say(&format!("stop {room}")).await;
            sleep(Duration::from_millis(delay)).await;
        }
        server.kill().await;
    }
    let (recorder, store) = next_server(&data).await;
    recorder.finish_all(Duration::from_secs(60)).await;

    let manifests = manifests(&data);
    for (room, line) in answered {
        assert!(line.contains("Ok"), "{line}");
        let manifest = manifests.iter().find(|manifest| manifest.room_name == room);
        let manifest = manifest.unwrap_or_else(|| panic!("{room} was answered and is lost"));
        assert_eq!(manifest.state, RecordingState::Complete, "{manifest:?}");
    }
    let stored = store.list().await.unwrap();
    for manifest in &manifests {
        match manifest.state {
            RecordingState::Complete => {
                let file = manifest.file.as_ref().unwrap();
                let found = stored
                    .iter()
                    .find(|recording| recording.name == manifest.name)
                    .unwrap();
                assert_eq!(
                    (found.size, found.sha256.as_ref()),
                    (file.size_bytes, Some(&file.sha256))
                );
            }
            RecordingState::Failed => assert_eq!(manifest.started_at, None, "{manifest:?}"),
            other => panic!("left in state {other:?}"),
        }
    }
    assert_eq!(
        stored.len(),
        manifests
            .iter()
            .filter(|manifest| manifest.state.is_delivered())
            .count()
    );
    assert!(processes_in(&data).is_empty());
    assert!(names(&data.join("run")).is_empty());
    let page = recorder
        .list(ListFilter::default(), None, 99)
        .await
        .unwrap();
    assert_eq!(
        page.recordings.len(),
        manifests.len(),
        "the index holds what the folders hold"
    );
}

#[actix_rt::test]
async fn an_index_that_does_not_open_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data).await;
    server.say("start room+room-ends").await;
    server.line().await;
    manifest_in(&data, RecordingState::Complete).await;
    server.kill().await;
    for name in names(&data.join("index")) {
        let path = data.join("index").join(name);
        if path.is_file() {
            std::fs::write(path, b"damaged by a power cut").unwrap();
        }
    }
    let (recorder, _) = next_server(&data).await;
    assert_eq!(
        recorder
            .list(ListFilter::default(), None, 9)
            .await
            .unwrap()
            .recordings
            .len(),
        1
    );
    assert_eq!(recorder.ready().await, Ok(()));
    assert!(
        names(&data).iter().any(|name| name.contains("damaged")),
        "the old one is kept"
    );
}

#[actix_rt::test]
async fn an_index_that_disagrees_with_the_folders_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for room in ["first+room-ends", "second+room-ends"] {
        let mut server = Server::start(&data).await;
        server.say(&format!("start {room}")).await;
        server.line().await;
        wait_until("it is complete", async || {
            let all = manifests(&data);
            let of_room = all.iter().find(|manifest| manifest.room_name == room)?;
            (of_room.state == RecordingState::Complete).then_some(())
        })
        .await;
        server.kill().await;
        let (index, kept) = (data.join("index"), folder.path().join("kept"));
        if room.starts_with("first") {
            copy_files(&index, &kept);
        } else {
            // Of a time when there was only the first, whose folder is gone since.
            std::fs::remove_dir_all(&index).unwrap();
            copy_files(&kept, &index);
            let first = manifests(&data)
                .into_iter()
                .find(|manifest| manifest.room_name != room);
            std::fs::remove_dir_all(data.join("work").join(first.unwrap().id)).unwrap();
        }
    }
    let (recorder, _) = next_server(&data).await;
    let page = recorder.list(ListFilter::default(), None, 9).await.unwrap();
    let rooms: Vec<_> = page
        .recordings
        .iter()
        .map(|manifest| manifest.room_name.as_str())
        .collect();
    assert_eq!(rooms, ["second+room-ends"]);
}

/// Copies the files of a folder and of those in it.
fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        match from.is_dir() {
            true => copy_files(&from, &to),
            false => drop(std::fs::copy(from, to).unwrap()),
        }
    }
}

#[actix_rt::test]
async fn a_folder_without_a_manifest_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let orphan = data.join("work/EG_orphan/log");
    std::fs::create_dir_all(&orphan).unwrap();
    std::fs::write(orphan.join("000001.tdl"), b"media").unwrap();
    std::fs::create_dir_all(data.join("work/EG_torn")).unwrap();
    std::fs::write(data.join("work/EG_torn/manifest.json"), b"{\"id\":").unwrap();
    let (recorder, _) = next_server(&data).await;
    assert!(
        recorder
            .list(ListFilter::default(), None, 9)
            .await
            .unwrap()
            .recordings
            .is_empty()
    );
    assert_eq!(std::fs::read(orphan.join("000001.tdl")).unwrap(), b"media");
    assert!(data.join("work/EG_torn/manifest.json").exists());
    let unreadable = recorder.get("EG_torn").await.unwrap_err();
    assert!(unreadable.contains("EG_torn"), "{unreadable}");
}

#[actix_rt::test]
async fn what_was_never_begun_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let [empty, torn, kept] = ["EG_aaaaaaaaaaaa", "EG_bbbbbbbbbbbb", "EG_cccccccccccc"]
        .map(|id| data.join("work").join(id));
    for work in [&empty, &torn, &kept] {
        std::fs::create_dir_all(work).unwrap();
    }
    for work in [&torn, &kept] {
        let manifest = work.join("manifest.json");
        let in_the_making = tapedeck_storage::durable::temporary_path(&manifest, "").unwrap();
        std::fs::write(in_the_making, b"{\"id\":").unwrap();
    }
    // Whatever else somebody put there is not ours to remove.
    std::fs::write(kept.join("notes"), b"mine").unwrap();
    let (_recorder, _) = next_server(&data).await;
    assert!(!empty.exists() && !torn.exists());
    assert_eq!(names(&kept).len(), 2);
}

#[actix_rt::test]
async fn two_servers_cannot_use_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _server = Server::start(&data).await;
    let store = Arc::new(DiskStore::open(&data.join("recordings")).unwrap());
    let refused = Recorder::launch(
        settings(&data),
        MediaServers::livekit(Arc::new(FakeRooms::default())),
        store,
    )
    .await;
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("another server"), "{error}");
}
