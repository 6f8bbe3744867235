//! A process that uploads is killed again and again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use storage_testing::firestore::Collection;
use tapedeck_storage::{
    FirebaseSettings, RecordingMetadata, RecordingStore, UploadProgress, file_digest,
};

use crate::account::Accounts;
use crate::{BUCKET, open, servers, suite, unwatched};

/// Bytes of the file.
const SIZE: usize = 60_000_000;
/// Tells the child what to upload.
const FILE: &str = "TAPEDECK_TEST_UPLOAD_FILE";
/// Tells the child who it is and where the bucket and Firestore are, a line each.
const PLACE: &str = "TAPEDECK_TEST_UPLOAD_TO";

/// Not a test: what the killed process does.
#[tokio::test]
#[ignore = "run by the test that kills it"]
async fn uploads_until_it_is_killed() {
    let (Ok(path), Ok(place)) = (std::env::var(FILE), std::env::var(PLACE)) else {
        return;
    };
    let [account, storage, firestore] = place.lines().collect::<Vec<_>>()[..] else {
        panic!("{place}");
    };
    let store = open(&FirebaseSettings {
        bucket: BUCKET.into(),
        prefix: "recordings/".into(),
        service_account: account.into(),
        storage_endpoint: storage.into(),
        firestore_endpoint: firestore.into(),
        ..FirebaseSettings::default()
    });
    let path = Path::new(&path);
    store.put(path, &metadata(path), unwatched()).await.unwrap();
}

fn metadata(path: &Path) -> RecordingMetadata {
    let (size, sha256) = file_digest(path).unwrap();
    RecordingMetadata {
        size,
        sha256: Some(sha256),
        ..suite::metadata("a.mp4", b"")
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_each_kill() {
    let storage = servers::google_storage(BUCKET).await;
    let (accounts, collection) = (Accounts::serve().await, Collection::default());
    let firestore = collection.serve().await;
    let address = format!("http://{}", storage.host);
    let settings = accounts.project(&address, &firestore.address);
    let place = format!(
        "{}\n{address}\n{}",
        settings.service_account, firestore.address
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output.mp4");
    let content: Vec<u8> = (0..SIZE).map(|at| (at / 7 % 253) as u8).collect();
    std::fs::write(&path, &content).unwrap();

    let session = || std::fs::read(folder.path().join("output.mp4.upload.json")).ok();
    let mut sessions = Vec::new();
    for kill in 0..5u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::uploads_until_it_is_killed", "--ignored"])
            .env(FILE, &path)
            .env(PLACE, &place)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // First as soon as an upload is begun, then a little later each time.
        for _ in 0..2_000 {
            if session().is_some() || child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(60) * kill).await;
        child.kill().unwrap();
        child.wait().unwrap();
        sessions.extend(session());
    }
    let store = open(&settings);
    let progress = UploadProgress::default();
    let mut tried = store.put(&path, &metadata(&path), &progress).await;
    if tried.is_err() {
        // This server says that it has a byte when it has none, and then refuses the second: the
        // next try begins anew.
        tried = store.put(&path, &metadata(&path), &progress).await;
    }
    let stored = tried.unwrap();
    assert_eq!(stored.size, SIZE as u64);
    assert!(crate::content(&store, "a.mp4").await == content);
    assert!(!sessions.is_empty(), "no kill met an upload");
    assert!(session().is_none(), "nothing is left beside the file");
    let documents = collection.documents.lock().unwrap();
    assert_eq!(
        documents.len(),
        1,
        "one document, however often it was tried"
    );
    assert!(documents.contains_key(&stored.document.unwrap()));
}
