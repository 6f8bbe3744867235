//! The store in a bucket, on a real S3 server.

#[path = "../suite/mod.rs"]
mod suite;

mod faults;
mod kills;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use storage_testing::versitygw::Server;
use tapedeck_storage::{RecordingStore, S3Settings, StoreError, UploadProgress, open_s3};

/// Larger than a part of an upload, so that it goes in several.
const LARGE: usize = 20 << 20;

fn large() -> Vec<u8> {
    let mut state = 7u32;
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..LARGE).map(byte).collect()
}

fn file(folder: &Path, content: &[u8]) -> PathBuf {
    let path = folder.join("output.mp4");
    std::fs::write(&path, content).unwrap();
    path
}

fn progress(file: &Path) -> Option<Value> {
    let bytes = std::fs::read(file.with_file_name("output.mp4.upload.json")).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn unwatched() -> &'static UploadProgress {
    Box::leak(Box::default())
}

async fn content(store: &impl RecordingStore, name: &str) -> Vec<u8> {
    let size = store.head(name).await.unwrap().size;
    let chunks: Vec<_> = store
        .read(name, 0..size)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    chunks.concat()
}

async fn digest_of(store: &impl RecordingStore, name: &str) -> String {
    let size = store.head(name).await.unwrap().size;
    let mut bytes = store.read(name, 0..size).await.unwrap();
    let mut hasher = Sha256::new();
    while let Some(chunk) = bytes.try_next().await.unwrap() {
        hasher.update(&chunk);
    }
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn does_what_every_store_must_do() {
    let server = Server::start().await;
    for prefix in ["recordings/", ""] {
        let settings = S3Settings {
            prefix: prefix.into(),
            ..server.settings()
        };
        suite::run(&open_s3(&settings).unwrap()).await;
    }
}

#[tokio::test]
async fn lays_objects_out_as_openvidu_applications_do() {
    let server = Server::start().await;
    let store = open_s3(&server.settings()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    store
        .put(&path, &suite::metadata("a.mp4", b"film"), unwatched())
        .await
        .unwrap();
    let bucket = server.bucket();
    assert_eq!(
        std::fs::read(bucket.join("recordings/a.mp4")).unwrap(),
        b"film"
    );
    let json = std::fs::read(bucket.join("recordings/.metadata/a.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["roomName"], "room");
    // What others left there is listed, read and deleted.
    std::fs::write(
        bucket.join("recordings/room-2026-11-21T225328-RM_x.mp4"),
        b"earlier",
    )
    .unwrap();
    let listed = store.list().await.unwrap();
    let name = "room-2026-11-21T225328-RM_x.mp4";
    let earlier = listed
        .iter()
        .find(|recording| recording.name == name)
        .unwrap();
    assert_eq!((earlier.room_name.as_str(), earlier.size), ("room", 7));
    assert_eq!(content(&store, name).await, b"earlier");
    store.delete(name).await.unwrap();
    assert_eq!(store.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_upload_that_was_cut_short_goes_on_where_it_was() {
    let server = Server::start().await;
    let store = open_s3(&server.settings()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = large();
    let path = file(folder.path(), &film);
    let metadata = suite::metadata("a.mp4", &film);
    // Cut as soon as a part is known to be there.
    tokio::select! {
        biased;
        () = async { while progress(&path).is_none_or(|now| now["parts"].as_object().unwrap().is_empty()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        } } => {}
        done = store.put(&path, &metadata, unwatched()) => panic!("too fast to be cut: {done:?}"),
    }
    let before = progress(&path).unwrap();
    assert!(matches!(
        store.head("a.mp4").await,
        Err(StoreError::NotFound(_))
    ));

    // Another process, after a restart of the server.
    let server = server.restarted().await;
    let store = open_s3(&server.settings()).unwrap();
    let again = store.put(&path, &metadata, unwatched());
    let (done, during) = tokio::join!(again, async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        progress(&path)
    });
    done.unwrap();
    if let Some(during) = during {
        assert_eq!(
            during["upload"], before["upload"],
            "the same upload goes on"
        );
    }
    assert!(content(&store, "a.mp4").await == film);
    assert_eq!(progress(&path), None);
    let left = server.unfinished_uploads();
    assert_eq!(left, 0, "uploads in parts left over");
}

#[tokio::test]
async fn an_upload_that_the_store_forgot_begins_anew() {
    let server = Server::start().await;
    let store = open_s3(&server.settings()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = large();
    let path = file(folder.path(), &film);
    let metadata = suite::metadata("a.mp4", &film);
    tokio::select! {
        biased;
        () = async { while progress(&path).is_none() { tokio::time::sleep(Duration::from_millis(1)).await; } } => {}
        done = store.put(&path, &metadata, unwatched()) => panic!("too fast to be cut: {done:?}"),
    }
    server.forget_uploads();
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert!(content(&store, "a.mp4").await == film);
}

#[tokio::test]
async fn what_somebody_has_to_change_is_told() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    let metadata = suite::metadata("a.mp4", b"film");
    let cases = [
        (
            S3Settings {
                secret_key: "not-the-secret".into(),
                ..server.settings()
            },
            "S3_SECRET_KEY",
        ),
        (
            S3Settings {
                bucket: "missing".into(),
                ..server.settings()
            },
            "S3_BUCKET",
        ),
    ];
    for (settings, way_out) in cases {
        let error = open_s3(&settings)
            .unwrap()
            .put(&path, &metadata, unwatched())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(way_out) && text.contains(&settings.bucket),
            "{text}"
        );
        assert!(!text.contains(&settings.secret_key), "{text}");
    }
    open_s3(&server.settings())
        .unwrap()
        .put(&path, &metadata, unwatched())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_store_that_is_gone_is_told_and_loses_nothing() {
    let server = Server::start().await;
    let store = open_s3(&server.settings()).unwrap();
    let server = server.stopped();
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    let metadata = suite::metadata("a.mp4", b"film");
    let error = store.put(&path, &metadata, unwatched()).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    let server = server.restarted().await;
    let store = open_s3(&server.settings()).unwrap();
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(content(&store, "a.mp4").await, b"film");
}
