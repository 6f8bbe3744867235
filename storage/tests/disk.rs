//! The store on disk.

mod suite;

use std::time::{Duration, Instant};

use tapedeck_storage::{DiskStore, RecordingStore, UploadProgress};

#[tokio::test]
async fn does_what_every_store_must_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(&folder.path().join("deep/recordings")).unwrap();
    suite::run(&store).await;
}

#[tokio::test]
async fn lays_files_out_as_openvidu_applications_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let source = folder.path().join(".source");
    std::fs::write(&source, b"film").unwrap();
    store
        .put(
            &source,
            &suite::metadata("a.mp4", b"film"),
            &UploadProgress::default(),
        )
        .await
        .unwrap();

    assert_eq!(std::fs::read(folder.path().join("a.mp4")).unwrap(), b"film");
    let json = std::fs::read(folder.path().join(".metadata/a.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["roomName"], "room");
    assert_eq!(json["startedAt"], 1_795_301_608_123i64);
    assert_eq!(json["duration"], 12.5);
}

#[tokio::test]
async fn lists_files_without_metadata_as_far_as_their_name_tells() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    std::fs::write(
        folder.path().join("room-2026-11-21T225328-RM_x.mp4"),
        b"film",
    )
    .unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"no film").unwrap();
    std::fs::create_dir(folder.path().join("folder.mp4")).unwrap();

    let listed = store.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].room_name, "room");
    assert_eq!(listed[0].room_id, "RM_x");
    assert_eq!(listed[0].started_at, 1_795_301_608_000);
    assert_eq!(listed[0].size, 4);
}

#[tokio::test]
async fn damaged_metadata_does_not_hide_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    std::fs::write(folder.path().join("a.mp4"), b"film").unwrap();
    std::fs::write(folder.path().join(".metadata/a.json"), b"{\"id\": 7").unwrap();
    assert_eq!(store.list().await.unwrap()[0].name, "a.mp4");
}

#[tokio::test]
async fn metadata_of_applications_that_divide_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    std::fs::write(folder.path().join("a.mp4"), b"film").unwrap();
    let described = r#"{"name":"a.mp4","roomName":"room","roomId":"RM_x",
        "startedAt":1795301608123.6,"duration":null,"size":null}"#;
    std::fs::write(folder.path().join(".metadata/a.json"), described).unwrap();
    let listed = store.list().await.unwrap().remove(0);
    assert_eq!(
        (listed.room_name.as_str(), listed.started_at, listed.size),
        ("room", 1_795_301_608_124, 4)
    );
}

#[tokio::test]
async fn leaves_no_temporary_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(&folder.path().join("store")).unwrap();
    let source = folder.path().join("source");
    std::fs::write(&source, b"film").unwrap();
    store
        .put(
            &source,
            &suite::metadata("a.mp4", b"film"),
            &UploadProgress::default(),
        )
        .await
        .unwrap();
    let _ = store
        .put(
            &source,
            &suite::metadata("b.mp4", b"other"),
            &UploadProgress::default(),
        )
        .await;
    let names: Vec<_> = std::fs::read_dir(folder.path().join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".metadata")
        .collect();
    assert_eq!(names, ["a.mp4"]);
}

#[tokio::test]
async fn metadata_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let source = folder.path().join(".source");
    std::fs::write(&source, b"film").unwrap();
    let mut metadata = suite::metadata("a.mp4", b"film");
    store
        .put(&source, &metadata, &UploadProgress::default())
        .await
        .unwrap();
    assert_eq!(store.list().await.unwrap(), [metadata.clone()]);
    metadata.room_name = "another room".into();
    store
        .put(&source, &metadata, &UploadProgress::default())
        .await
        .unwrap();
    assert_eq!(store.list().await.unwrap(), [metadata]);
    store.delete("a.mp4").await.unwrap();
    assert!(store.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_recording_whose_copying_is_called_off_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("store");
    let store = DiskStore::open(&inside).unwrap();
    let source = folder.path().join("source");
    let content = vec![7; 256 << 20];
    std::fs::write(&source, &content).unwrap();
    let metadata = suite::metadata("a.mp4", &content);
    // That of the copy, which begins with a dot, too.
    let is_copied = || {
        let mut entries = std::fs::read_dir(&inside).unwrap();
        entries.any(|entry| entry.unwrap().file_name() != ".metadata")
    };
    let copied = async {
        while !is_copied() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let progress = UploadProgress::default();
    tokio::select! {
        put = store.put(&source, &metadata, &progress) => panic!("it was to take longer: {put:?}"),
        () = copied => {}
    }
    store.give_up(&source, "a.mp4").await.unwrap();
    store.delete("a.mp4").await.unwrap();
    assert_eq!(store.list().await.unwrap(), []);

    let deadline = Instant::now() + Duration::from_secs(60);
    while is_copied() && Instant::now() < deadline {
        assert_eq!(store.list().await.unwrap(), []);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!is_copied(), "nothing is left of it");
    let described = std::fs::read_dir(inside.join(".metadata")).unwrap();
    assert_eq!(described.count(), 0);
}
