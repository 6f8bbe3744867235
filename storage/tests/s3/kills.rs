//! A process that uploads is killed again and again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use storage_testing::versitygw::Server;
use tapedeck_storage::{RecordingStore, S3Settings, UploadProgress, file_digest, open_s3};

use super::{digest_of, progress, suite, unwatched};

/// Bytes of the file.
const SIZE: usize = 200_000_000;
/// Tells the child what to upload.
const FILE: &str = "TAPEDECK_TEST_UPLOAD_FILE";
/// Tells the child where the store is.
const ENDPOINT: &str = "TAPEDECK_TEST_UPLOAD_TO";

/// Not a test: what the killed process does.
#[tokio::test]
#[ignore = "run by the tests that kill it"]
async fn uploads_until_it_is_killed() {
    let (Ok(path), Ok(endpoint)) = (std::env::var(FILE), std::env::var(ENDPOINT)) else {
        return;
    };
    let store = open_s3(&S3Settings {
        endpoint,
        ..Server::credentials()
    })
    .unwrap();
    let path = Path::new(&path);
    let progress = UploadProgress::default();
    store.put(path, &metadata(path), &progress).await.unwrap();
}

fn metadata(path: &Path) -> tapedeck_storage::RecordingMetadata {
    let (size, sha256) = file_digest(path).unwrap();
    tapedeck_storage::RecordingMetadata {
        size,
        sha256: Some(sha256),
        ..suite::metadata("a.mp4", b"")
    }
}

fn child(path: &Path, endpoint: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::uploads_until_it_is_killed", "--ignored"])
        .env(FILE, path)
        .env(ENDPOINT, endpoint)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills as often, at points spread over the upload, at random times around them.
async fn killed(times: u32) {
    let server = Server::start().await;
    let endpoint = server.settings().endpoint;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output.mp4");
    let mut random = 7u32;
    let mut next = move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 8
    };
    let film: Vec<u8> = (0..SIZE).map(|_| next() as u8).collect();
    std::fs::write(&path, &film).unwrap();
    drop(film);
    let parts = || {
        let known = progress(&path)?;
        Some(known["parts"].as_object()?.len() as u32)
    };
    let all = SIZE.div_ceil(8 << 20) as u32;
    let mut uploads = Vec::new();
    for kill in 0..times {
        let mut child = child(&path, &endpoint);
        // From before anything is sent until all but the last word is said.
        let enough = kill * all / times;
        let begun = Instant::now();
        while enough > 0 && parts().is_none_or(|parts| parts < enough) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it does not get on"
            );
            if child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(u64::from(next() % 60))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(known) = progress(&path) {
            uploads.push(known["upload"].as_str().unwrap().to_owned());
        }
    }
    uploads.dedup();
    // A kill between the store's answer and our note of it costs that one upload.
    assert!(uploads.len() <= 2, "it began {} times", uploads.len());
    let store = open_s3(&server.settings()).unwrap();
    let metadata = metadata(&path);
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(
        digest_of(&store, "a.mp4").await,
        metadata.sha256.clone().unwrap()
    );
    assert_eq!(store.list().await.unwrap(), [metadata]);
    assert_eq!(progress(&path), None);
}

#[tokio::test]
async fn an_upload_of_200_mb_survives_10_kills() {
    killed(10).await;
}

#[tokio::test]
#[ignore = "long: run by make soak"]
async fn an_upload_of_200_mb_survives_50_kills() {
    killed(50).await;
}
