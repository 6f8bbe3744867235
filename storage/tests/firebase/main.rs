//! The store in a Firebase project: on Firebase's storage emulator, on a server that speaks Google's
//! JSON protocol, and on Google's Firestore emulator where the machine has it.

#[path = "../suite/mod.rs"]
mod suite;

mod account;
mod kills;
mod proxy;
mod uploads;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use storage_testing::firebase as servers;
use storage_testing::firestore::Collection;
use tapedeck_storage::{
    FirebaseEmulator, FirebaseSettings, FirebaseStore, FirebaseUrls, RecordingMetadata,
    RecordingStore, StoreError, UploadProgress, open_firebase,
};

use crate::account::Accounts;

const BUCKET: &str = "demo.appspot.com";
const NAME: &str = "group1_alice_bob_2026-02-03T12-00-00.wav";

fn emulated(storage: &str, firestore: &str) -> FirebaseSettings {
    FirebaseSettings {
        project_id: "demo".into(),
        bucket: BUCKET.into(),
        prefix: "recordings/".into(),
        emulator: Some(FirebaseEmulator {
            storage_host: storage.into(),
            firestore_host: firestore.into(),
        }),
        ..FirebaseSettings::default()
    }
}

fn open(settings: &FirebaseSettings) -> FirebaseStore {
    open_firebase(settings).unwrap()
}

fn file(folder: &Path, content: &[u8]) -> PathBuf {
    let path = folder.join("output.wav");
    std::fs::write(&path, content).unwrap();
    path
}

/// A client that takes redirections for what they are.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder();
    client
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

fn unwatched() -> &'static UploadProgress {
    Box::leak(Box::default())
}

async fn content(store: &impl RecordingStore, name: &str) -> Vec<u8> {
    let size = store.head(name).await.unwrap().size;
    let bytes = store.read(name, 0..size).await.unwrap();
    bytes.try_collect::<Vec<_>>().await.unwrap().concat()
}

/// A WAV file of silence, and what is known of it.
fn call(content: &mut Vec<u8>) -> RecordingMetadata {
    content.extend(
        b"RIFF\x24\x7d\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0",
    );
    content.extend(b"data\0\x7d\0\0");
    content.resize(44 + 32_000, 0);
    RecordingMetadata {
        room_name: "group1_alice_bob".into(),
        started_at: 1_770_120_000_000,
        duration: 1.0,
        ..suite::metadata(NAME, content)
    }
}

#[tokio::test]
async fn does_what_every_store_must_do_on_the_emulators() {
    let storage = servers::firebase_storage().await;
    let google = servers::firestore().await;
    let stand_in = Collection::default().serve().await;
    let firestore = match &google {
        Some(google) => google.host.clone(),
        None => stand_in.address.clone(),
    };
    for prefix in ["recordings/", ""] {
        let settings = FirebaseSettings {
            prefix: prefix.into(),
            ..emulated(&storage.host, &firestore)
        };
        suite::run(&open(&settings)).await;
    }
    documents_of_others_are_read(&storage.host, &firestore).await;
    assert!(
        open(&emulated(&storage.host, &firestore))
            .probe()
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn does_what_every_store_must_do_by_googles_protocol() {
    let storage = servers::google_storage(BUCKET).await;
    let accounts = Accounts::serve().await;
    let firestore = Collection::default().serve().await;
    let settings = accounts.project(&format!("http://{}", storage.host), &firestore.address);
    let store = open(&settings);
    suite::run(&store).await;
    let probe = store.probe().await.unwrap();
    assert!(
        probe
            .clock_ahead_ms
            .is_some_and(|ahead| ahead.abs() < 60_000),
        "{probe:?}"
    );
    assert_eq!(accounts.given(), 1, "one token serves until it ends");
}

/// What another server left, which draws the ids of its documents.
async fn documents_of_others_are_read(storage: &str, firestore: &str) {
    let http = http();
    let host = |host: &str| match host.contains("://") {
        true => host.to_owned(),
        false => format!("http://{host}"),
    };
    let (objects, documents) = (host(storage), host(firestore));
    for name in [NAME, "studio-2026-11-21T225328-RM_x.mp4"] {
        let address = format!(
            "{objects}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=recordings%2F{name}"
        );
        let request = http.post(address).header("content-type", "audio/wav");
        request
            .body("sound")
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }
    let collection =
        format!("{documents}/v1/projects/demo/databases/(default)/documents/recordings");
    let document = json!({"fields": {
        "filename": {"stringValue": NAME},
        "url": {"stringValue": "https://storage.googleapis.com/x"},
        "channel": {"stringValue": "group1_alice_bob"},
        "duration": {"integerValue": "120000"},
        "recordedAt": {"stringValue": "2026-02-03T12:00:05.000Z"},
    }});
    let address = format!("{collection}?documentId=7dNq2mT0rAnDoM1dOfOth");
    let request = http.post(address).bearer_auth("owner").json(&document);
    request.send().await.unwrap().error_for_status().unwrap();

    let store = open(&emulated(storage, firestore));
    for _ in 0..2 {
        let mut listed = store.list().await.unwrap();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(listed.len(), 2, "{listed:?}");
        assert_eq!(listed[0].name, NAME);
        assert_eq!(listed[0].room_name, "group1_alice_bob");
        assert_eq!(listed[0].duration, 120.0);
        assert_eq!(listed[0].started_at, 1_770_120_005_000);
        assert_eq!(listed[0].size, 5);
        assert_eq!(listed[1].room_name, "studio");
    }
    assert_eq!(content(&store, NAME).await, b"sound");
    for _ in 0..2 {
        store.delete(NAME).await.unwrap();
        store
            .delete("studio-2026-11-21T225328-RM_x.mp4")
            .await
            .unwrap();
    }
    assert!(store.list().await.unwrap().is_empty());
    let left: Value = http
        .get(&collection)
        .bearer_auth("owner")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(left["documents"].is_null(), "{left}");
}

#[tokio::test]
async fn a_recording_has_the_address_and_the_document_that_clients_read() {
    let storage = servers::firebase_storage().await;
    let collection = Collection::default();
    let firestore = collection.serve().await;
    let store = open(&emulated(&storage.host, &firestore.address));
    let folder = tempfile::tempdir().unwrap();
    let mut sound = Vec::new();
    let metadata = call(&mut sound);
    let path = file(folder.path(), &sound);
    let stored = store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(stored.path, format!("recordings/{NAME}"));
    let url = format!(
        "http://{}/v0/b/{BUCKET}/o/recordings%2F{NAME}?alt=media",
        storage.host
    );
    assert_eq!(stored.url.as_deref(), Some(url.as_str()));
    let fetched = http().get(&url).send().await.unwrap();
    assert_eq!(fetched.headers()["content-type"], "audio/wav");
    assert_eq!(fetched.bytes().await.unwrap(), sound);

    let id = stored.document.clone().unwrap();
    let documents = || collection.documents.lock().unwrap().clone();
    let first = documents();
    assert_eq!(first.len(), 1);
    let fields = &first[&id];
    let expected = [
        ("filename", json!({"stringValue": NAME})),
        ("url", json!({"stringValue": url})),
        ("groupId", json!({"stringValue": "group1"})),
        ("user2", json!({"stringValue": "bob"})),
        ("duration", json!({"integerValue": "1000"})),
        ("fileSize", json!({"integerValue": "32044"})),
        ("format", json!({"stringValue": "wav"})),
    ];
    for (name, value) in expected {
        assert_eq!(fields[name], value, "{name}");
    }
    assert_eq!(
        fields["spec"]["mapValue"]["fields"]["sampleRate"]["integerValue"],
        "16000"
    );

    // Once more, as after a crash before anybody knew: nothing changes.
    let again = store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(again, stored);
    assert_eq!(documents(), first);
    // A further file of a recording has no document of its own.
    let part = RecordingMetadata {
        name: "group1_alice_bob_2026-02-03T12-00-00-alice.wav".into(),
        part_of: Some(NAME.into()),
        ..metadata
    };
    let stored = store.put(&path, &part, unwatched()).await.unwrap();
    assert_eq!(stored.document, None);
    assert_eq!(documents(), first);
    store.delete(NAME).await.unwrap();
    assert!(documents().is_empty());
}

#[tokio::test]
async fn a_crash_between_file_and_document_writes_both_once() {
    let storage = servers::firebase_storage().await;
    let collection = Collection::default();
    let firestore = collection.serve().await;
    let settings = emulated(&storage.host, &firestore.address);
    let folder = tempfile::tempdir().unwrap();
    let mut sound = Vec::new();
    let metadata = call(&mut sound);
    let path = file(folder.path(), &sound);
    let down = |is_down| {
        collection
            .is_down
            .store(is_down, std::sync::atomic::Ordering::Relaxed);
    };
    down(true);
    let error = open(&settings).put(&path, &metadata, unwatched()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    assert!(error.to_string().contains("Firestore"), "{error}");

    down(false);
    let store = open(&settings);
    let uploaded = store.head(NAME).await.unwrap();
    let stored = store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(store.head(NAME).await.unwrap(), uploaded, "not sent again");
    let documents = collection.documents.lock().unwrap();
    assert_eq!(
        documents.keys().collect::<Vec<_>>(),
        [&stored.document.unwrap()]
    );
}

#[tokio::test]
async fn addresses_are_signed_or_public() {
    let accounts = Accounts::serve().await;
    let settings = accounts.project("", "");
    let week = Duration::from_secs(7 * 86_400);
    let url = open(&settings)
        .url("방 1.mp4", week)
        .await
        .unwrap()
        .unwrap();
    let plain = format!("https://storage.googleapis.com/{BUCKET}/recordings/%EB%B0%A9%201.mp4");
    assert!(
        url.starts_with(&format!("{plain}?X-Goog-Algorithm=GOOG4-RSA-SHA256&")),
        "{url}"
    );
    let public = FirebaseSettings {
        urls: FirebaseUrls::Public,
        ..settings
    };
    let url = open(&public).url("방 1.mp4", week).await.unwrap();
    assert_eq!(url, Some(plain));
}
