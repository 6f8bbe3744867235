//! The store in a bucket, on a real S3 server.

#[path = "../suite/mod.rs"]
mod suite;

mod faults;
mod kills;
mod second;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use storage_testing::faults::{Fault, FaultProxy, Rule};
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
    // What was refused goes on as soon as it is mended, without a new start.
    let missing = S3Settings {
        bucket: "made-later".into(),
        ..server.settings()
    };
    let store = open_s3(&missing).unwrap();
    store.put(&path, &metadata, unwatched()).await.unwrap_err();
    server.make_bucket("made-later");
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(content(&store, "a.mp4").await, b"film");
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
    let _server = server.restarted().await;
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(content(&store, "a.mp4").await, b"film");
}

#[tokio::test]
async fn https_needs_a_certificate_that_somebody_vouches_for() {
    let server = Server::start_https().await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    let metadata = suite::metadata("a.mp4", b"film");
    let settings = server.settings();
    let unknown = S3Settings {
        ca_file: None,
        ..settings.clone()
    };
    let put = open_s3(&unknown).unwrap();
    let error = put.put(&path, &metadata, unwatched()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("ca_file"), "{error}");
    let store = open_s3(&settings).unwrap();
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(content(&store, "a.mp4").await, b"film");
    for (file, what) in [
        ("/nowhere.pem", "nowhere.pem"),
        (path.to_str().unwrap(), "no certificate"),
    ] {
        let wrong = S3Settings {
            ca_file: Some(file.into()),
            ..settings.clone()
        };
        let error = open_s3(&wrong).err().unwrap();
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[tokio::test]
async fn an_address_is_good_for_anybody_and_only_for_a_while() {
    let server = Server::start().await;
    let store = open_s3(&server.settings()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    let name = "참가자 a+b.mp4";
    let metadata = suite::metadata(name, b"film");
    store.put(&path, &metadata, unwatched()).await.unwrap();
    let get = async |url: &str| {
        let (_, rest) = url.split_once("://").unwrap();
        let (_, target) = rest.split_once('/').unwrap();
        server.get(&format!("/{target}")).await
    };
    let url = store
        .url(name, Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    let answer = get(&url).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("film"),
        "{answer}"
    );
    assert!(
        answer.to_lowercase().contains("content-type: video/mp4"),
        "{answer}"
    );
    // Not for something else, and not longer than any store allows.
    let other = get(&url.replace("a%2Bb.mp4", "other.mp4")).await;
    assert!(other.starts_with("HTTP/1.1 403"), "{other}");
    let long = store
        .url(name, Duration::from_secs(90 * 86_400))
        .await
        .unwrap()
        .unwrap();
    assert!(long.contains("X-Amz-Expires=604800"), "{long}");
    assert!(get(&long).await.starts_with("HTTP/1.1 200"));
    assert!(!long.contains(&server.settings().secret_key));
}

#[tokio::test]
async fn a_probe_tells_time_and_clock() {
    let server = Server::start().await;
    let probe = open_s3(&server.settings()).unwrap().probe().await.unwrap();
    assert!(probe.took < Duration::from_secs(10));
    let ahead = probe.clock_ahead_ms.expect("a clock");
    assert!(ahead.abs() < 5_000, "{ahead} ms");
    assert_eq!(
        std::fs::read_dir(server.bucket().join("recordings"))
            .into_iter()
            .flatten()
            .count(),
        0
    );
    let missing = S3Settings {
        bucket: "missing".into(),
        ..server.settings()
    };
    let error = open_s3(&missing).unwrap().probe().await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_bucket_is_no_missing_recording() {
    let server = Server::start().await;
    let store = open_s3(&S3Settings {
        bucket: "missing".into(),
        ..server.settings()
    })
    .unwrap();
    let errors = [
        store.head("a.mp4").await.map(drop).unwrap_err(),
        store.read("a.mp4", 0..1).await.map(drop).unwrap_err(),
        store.list().await.map(drop).unwrap_err(),
        store.delete("a.mp4").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("S3_BUCKET"), "{error}");
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(&server.settings().endpoint);
    let store = open_s3(&S3Settings {
        endpoint: proxy.endpoint(),
        ..server.settings()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = large();
    let path = file(folder.path(), &film);
    let metadata = suite::metadata("a.mp4", &film);
    proxy.spoil(Rule::always(&["POST"], Fault::Answer(403, "AccessDenied")).to("uploadId"));
    let told = UploadProgress::default();
    store.put(&path, &metadata, &told).await.unwrap_err();
    assert_eq!(told.bytes(), film.len() as u64, "all parts are there");
    // An upload of the same recording that nobody remembers goes along.
    std::fs::rename(
        folder.path().join("output.mp4.upload.json"),
        folder.path().join("lost"),
    )
    .unwrap();
    store.put(&path, &metadata, &told).await.unwrap_err();
    proxy.heal();
    assert_eq!(server.unfinished_uploads(), 2);
    store.give_up(&path, "a.mp4").await.unwrap();
    assert_eq!((server.unfinished_uploads(), progress(&path)), (0, None));
    store.give_up(&path, "a.mp4").await.unwrap();
    assert!(matches!(
        store.head("a.mp4").await,
        Err(StoreError::NotFound(_))
    ));
}

#[tokio::test]
async fn an_upload_whose_name_is_taken_meanwhile_leaves_no_parts() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(&server.settings().endpoint);
    let store = open_s3(&S3Settings {
        endpoint: proxy.endpoint(),
        ..server.settings()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = large();
    let path = file(folder.path(), &film);
    let metadata = suite::metadata("a.mp4", &film);
    let theirs = server.bucket().join("recordings/a.mp4");
    std::fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    let takes_the_name = async {
        while progress(&path).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        std::fs::write(&theirs, b"another film").unwrap();
    };

    // While it is under way.
    proxy.spoil(Rule::always(&["POST"], Fault::Answer(412, "PreconditionFailed")).to("uploadId"));
    let put = store.put(&path, &metadata, unwatched());
    let (refused, ()) = tokio::join!(put, takes_the_name);
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    assert_eq!((server.unfinished_uploads(), progress(&path)), (0, None));
    proxy.heal();
    std::fs::remove_file(&theirs).unwrap();

    // Before another try.
    proxy.spoil(Rule::always(&["POST"], Fault::Answer(403, "AccessDenied")).to("uploadId"));
    let failed = store.put(&path, &metadata, unwatched()).await;
    assert!(
        matches!(failed, Err(StoreError::Refused { .. })),
        "{failed:?}"
    );
    assert_eq!(server.unfinished_uploads(), 1);
    proxy.heal();
    std::fs::write(&theirs, b"another film").unwrap();
    let refused = store.put(&path, &metadata, unwatched()).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    assert_eq!((server.unfinished_uploads(), progress(&path)), (0, None));
    assert_eq!(content(&store, "a.mp4").await, b"another film");
}
