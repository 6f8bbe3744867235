//! A process that uploads is killed again and again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use storage_testing::versitygw::Server;
use tapedeck_storage::{RecordingStore, S3Settings, UploadProgress, file_digest, open_s3};

use super::{digest_of, file, large, progress, suite, unwatched};

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
    std::fs::write(path.with_extension("peak"), peak_memory().to_string()).unwrap();
}

/// The most memory that this process ever had, bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

/// Uploads a file in a process of its own, which takes so much memory at most.
async fn memory_for(size: u64) -> u64 {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output.mp4");
    // Without blocks on the disk: the store's copy takes enough of it.
    std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    let status = child(&path, &server.settings().endpoint).wait().unwrap();
    assert!(status.success());
    let store = open_s3(&server.settings()).unwrap();
    assert_eq!(store.head("a.mp4").await.unwrap().size, size);
    let peak = std::fs::read_to_string(path.with_extension("peak")).unwrap();
    peak.parse().unwrap()
}

#[tokio::test]
async fn an_upload_takes_little_memory() {
    let peak = memory_for(160 << 20).await;
    assert!(peak < 64_000_000, "{} MB", peak / 1_000_000);
}

#[tokio::test]
#[ignore = "long, and needs gigabytes of disk: run by make soak"]
async fn memory_does_not_grow_with_the_file() {
    let peak = memory_for(4 << 30).await;
    assert!(peak < 64_000_000, "{} MB", peak / 1_000_000);
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
    command(path, endpoint).spawn().unwrap()
}

fn command(path: &Path, endpoint: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "kills::uploads_until_it_is_killed", "--ignored"])
        .env(FILE, path)
        .env(ENDPOINT, endpoint)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Where an upload in parts may die, and at which time that it comes there.
const STEPS: [(&str, u32); 9] = [
    ("parts.begun", 1),
    ("parts.noted", 1),
    ("parts.sent", 1),
    ("parts.sent", 3),
    ("parts.complete", 1),
    ("parts.joined", 1),
    ("upload.copied", 1),
    ("upload.described", 1),
    ("upload.done", 1),
];

#[tokio::test]
async fn an_upload_that_dies_at_a_step_arrives_once_and_leaves_nothing() {
    let server = Server::start().await;
    let endpoint = server.settings().endpoint;
    let store = open_s3(&server.settings()).unwrap();
    let variable = tapedeck_failpoints::VARIABLE.expect("the tests are built with failpoints");
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &large());
    let metadata = metadata(&path);
    for (step, time) in STEPS {
        let mark = folder.path().join(format!("{step}-{time}"));
        let point = format!("{step}:{time}:{}", mark.display());
        let died = command(&path, &endpoint).env(variable, &point).status();
        assert!(
            !died.unwrap().success() && mark.exists(),
            "{step}: it lives"
        );
        let next = command(&path, &endpoint).env(variable, &point).status();
        assert!(next.unwrap().success(), "{step}: the next one fails");
        let stored = digest_of(&store, "a.mp4").await;
        assert_eq!(Some(stored), metadata.sha256, "{step}");
        assert_eq!(
            store.list().await.unwrap(),
            std::slice::from_ref(&metadata),
            "{step}"
        );
        assert_eq!(progress(&path), None, "{step}");
        assert_eq!(
            server.unfinished_uploads(),
            0,
            "{step}: parts are left over"
        );
        store.delete("a.mp4").await.unwrap();
    }
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
