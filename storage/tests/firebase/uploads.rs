//! Uploads over networks and services that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use storage_testing::firestore::Collection;
use storage_testing::stand_in::{Request, StandIn};
use tapedeck_storage::{FirebaseSettings, RecordingStore, StoreError, UploadProgress};

use crate::account::{Accounts, TOKEN};
use crate::proxy::{Fate, Proxy};
use crate::{BUCKET, content, emulated, file, open, servers, suite, unwatched};

/// More than one piece of an upload.
const LARGE: usize = 20 << 20;

fn large() -> Vec<u8> {
    let mut state = 7u32;
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..LARGE).map(byte).collect()
}

/// A store behind a proxy, one for each protocol.
struct Place {
    proxy: Proxy,
    settings: FirebaseSettings,
    storage: servers::Server,
    accounts: Option<Accounts>,
    _firestore: StandIn,
}

async fn places() -> [Place; 2] {
    let firestore = || async { Collection::default().serve().await };
    let firebase = async {
        let storage = servers::firebase_storage().await;
        let proxy = Proxy::start(format!("http://{}", storage.host)).await;
        let documents = firestore().await;
        Place {
            settings: emulated(proxy.address(), &documents.address),
            proxy,
            storage,
            accounts: None,
            _firestore: documents,
        }
    };
    let (firebase, google) = tokio::join!(firebase, google());
    [firebase, google]
}

async fn google() -> Place {
    let storage = servers::google_storage(BUCKET).await;
    let proxy = Proxy::start(format!("http://{}", storage.host)).await;
    let accounts = Accounts::serve().await;
    let documents = Collection::default().serve().await;
    Place {
        settings: accounts.project(proxy.address(), &documents.address),
        proxy,
        storage,
        accounts: Some(accounts),
        _firestore: documents,
    }
}

/// Whether a request carries a piece of a recording.
fn is_piece(request: &Request) -> bool {
    request.target.contains("upload_id=") && request.body.len() > 1_000_000
}

/// Answers with 503 whatever carries a piece, after so many of them.
fn stops_after(pieces: usize) -> impl Fn(&Request) -> Fate + Send + Sync {
    let seen = Arc::new(AtomicUsize::new(0));
    move |request| match is_piece(request) && seen.fetch_add(1, Ordering::Relaxed) >= pieces {
        true => Fate::Answered(503),
        false => Fate::Passes,
    }
}

#[tokio::test]
async fn an_upload_that_was_cut_short_goes_on_where_it_was() {
    let film = large();
    for place in places().await {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), &film);
        let metadata = suite::metadata("a.mp4", &film);
        place.proxy.judge(stops_after(1));
        let progress = UploadProgress::default();
        let error = open(&place.settings).put(&path, &metadata, &progress).await;
        let error = error.unwrap_err();
        assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
        assert_eq!(progress.bytes(), 8 << 20);

        // As another process would, which knows what is on the disk only.
        place.proxy.judge(|_| Fate::Passes);
        let store = open(&place.settings);
        let stored = store.put(&path, &metadata, &progress).await.unwrap();
        assert_eq!(progress.bytes(), stored.size);
        assert!(content(&store, "a.mp4").await == film);
        let pieces = place.proxy.passed();
        let sent = pieces.iter().filter(|request| is_piece(request));
        let sent: usize = sent.map(|request| request.body.len()).sum();
        assert_eq!(sent, LARGE, "no byte is sent twice");
        // Google answers 411 to what does not say how long it is.
        let silent = pieces.iter().find(|request| {
            request.method != "GET" && !request.headers.contains_key("content-length")
        });
        assert!(silent.is_none(), "{silent:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn an_upload_survives_lost_answers_and_short_troubles() {
    let film = large();
    for place in places().await {
        let seen = Arc::new(AtomicUsize::new(0));
        place.proxy.judge(move |request| {
            let number = seen.fetch_add(1, Ordering::Relaxed);
            match (is_piece(request), number % 3) {
                (true, 0) => Fate::AnswerLost,
                (_, 1) => Fate::Answered(503),
                _ => Fate::Passes,
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), &film);
        let store = open(&place.settings);
        let metadata = suite::metadata("a.mp4", &film);
        store.put(&path, &metadata, unwatched()).await.unwrap();
        place.proxy.judge(|_| Fate::Passes);
        assert!(content(&store, "a.mp4").await == film);
    }
}

#[tokio::test]
async fn an_upload_that_the_store_forgot_begins_anew() {
    let film = large();
    for mut place in places().await {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), &film);
        let metadata = suite::metadata("a.mp4", &film);
        place.proxy.judge(stops_after(1));
        let store = open(&place.settings);
        store.put(&path, &metadata, unwatched()).await.unwrap_err();
        // The emulators keep uploads in memory.
        place.storage.restart().await;
        place.proxy.judge(|_| Fate::Passes);
        store.put(&path, &metadata, unwatched()).await.unwrap();
        assert!(content(&store, "a.mp4").await == film);
    }
}

#[tokio::test]
async fn a_store_that_lies_about_success_is_found_out() {
    for place in places().await {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), &vec![7; 2_000_000]);
        let metadata = suite::metadata("a.mp4", &vec![7; 2_000_000]);
        place.proxy.judge(|request| match is_piece(request) {
            true => Fate::Answered(200),
            false => Fate::Passes,
        });
        let store = open(&place.settings);
        let error = store.put(&path, &metadata, unwatched()).await.unwrap_err();
        assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
        assert!(store.head("a.mp4").await.is_err());
        place.proxy.judge(|_| Fate::Passes);
        store.put(&path, &metadata, unwatched()).await.unwrap();
        assert_eq!(content(&store, "a.mp4").await.len(), 2_000_000);
    }
}

#[tokio::test]
async fn what_is_given_up_is_cancelled_and_forgotten() {
    for place in places().await {
        let folder = tempfile::tempdir().unwrap();
        let film = large();
        let path = file(folder.path(), &film);
        place.proxy.judge(stops_after(1));
        let store = open(&place.settings);
        let metadata = suite::metadata("a.mp4", &film);
        store.put(&path, &metadata, unwatched()).await.unwrap_err();
        place.proxy.judge(|_| Fate::Passes);
        for _ in 0..2 {
            store.give_up(&path, "a.mp4").await.unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let cancels = |request: &Request| {
            let command = request.headers.get("x-goog-upload-command");
            request.method == "DELETE" || command.is_some_and(|command| command == "cancel")
        };
        assert_eq!(place.proxy.passed().into_iter().filter(cancels).count(), 1);
    }
}

#[tokio::test]
async fn nothing_is_stored_over_what_is_there() {
    let google = google().await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    let store = open(&google.settings);
    let metadata = suite::metadata("a.mp4", b"film");
    store.put(&path, &metadata, unwatched()).await.unwrap();
    // The server of this test knows no preconditions, Google does: it is asked for one.
    let begun = google.proxy.passed().into_iter().find(|request| {
        request.target.contains("uploadType=resumable") && request.target.contains("a.mp4&")
    });
    assert!(begun.unwrap().target.contains("ifGenerationMatch=0"));
    // Somebody was faster.
    store.delete("a.mp4").await.unwrap();
    google.proxy.judge(
        |request| match request.target.contains("ifGenerationMatch=0") {
            true => Fate::Answered(412),
            false => Fate::Passes,
        },
    );
    let error = store.put(&path, &metadata, unwatched()).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
}

#[tokio::test]
async fn what_somebody_has_to_change_is_told_and_then_it_goes_on() {
    let google = google().await;
    let accounts = google.accounts.as_ref().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    let metadata = suite::metadata("a.mp4", b"film");
    let refused = |settings: FirebaseSettings, hints: &'static [&'static str]| {
        let (path, metadata) = (path.clone(), metadata.clone());
        async move {
            let error = open(&settings).put(&path, &metadata, unwatched()).await;
            let error = error.unwrap_err();
            assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
            let text = error.to_string();
            for hint in hints {
                assert!(text.contains(hint), "{text}");
            }
            assert!(!text.contains(TOKEN) && !text.contains("PRIVATE"), "{text}");
        }
    };
    accounts.refuse(true);
    let hints = &["invalid_grant", "slow", "FIREBASE_SERVICE_ACCOUNT"];
    refused(google.settings.clone(), hints).await;
    accounts.refuse(false);

    let elsewhere = FirebaseSettings {
        bucket: "missing.appspot.com".into(),
        ..google.settings.clone()
    };
    refused(
        elsewhere,
        &["missing.appspot.com", "FIREBASE_STORAGE_BUCKET"],
    )
    .await;
    google.proxy.judge(|_| Fate::Answered(403));
    refused(google.settings.clone(), &["Storage Object Admin"]).await;

    // A token that Google does not take any more is replaced at once.
    let store = open(&google.settings);
    let old = format!("Bearer {TOKEN}-{}", accounts.given());
    google
        .proxy
        .judge(move |request| match request.headers.get("authorization") {
            Some(token) if *token != old => Fate::Passes,
            _ => Fate::Answered(401),
        });
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(content(&store, "a.mp4").await, b"film");
}
