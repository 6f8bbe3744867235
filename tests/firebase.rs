//! Recordings that go to a Firebase project, configured as memharbor_server is.

use std::sync::atomic::Ordering;

use harness::livekit::Livekit;
use harness::tapedeck::Tapedeck;
use reqwest::{Method, StatusCode};
use serde_json::json;
use storage_testing::firebase;
use storage_testing::firestore::Collection;

#[tokio::test]
async fn a_recording_reaches_its_project_though_firestore_was_away() {
    let storage = firebase::firebase_storage().await;
    let collection = Collection::default();
    let firestore = collection.serve().await;
    let livekit = Livekit::start().await;
    let room = "group1_alice_bob";
    livekit.create_room(room).await;
    let firestore_host = firestore.address.trim_start_matches("http://").to_owned();
    let variables = [
        ("FIREBASE_PROJECT_ID", "demo"),
        ("FIREBASE_STORAGE_BUCKET", "demo.appspot.com"),
        ("FIREBASE_USE_EMULATOR", "true"),
        ("FIREBASE_STORAGE_EMULATOR_HOST", storage.host.as_str()),
        ("FIRESTORE_EMULATOR_HOST", &firestore_host),
        ("TAPEDECK_RECORDING_STOP_TIMEOUT_S", "3"),
    ];
    let tapedeck = Tapedeck::start_with(&livekit.ws_url(), &variables).await;
    collection.is_down.store(true, Ordering::Relaxed);
    let started = tapedeck.start_recording(room).await;
    tapedeck.wait_until(&started, 1.5).await;
    let stopped = tapedeck
        .post("/recordings/stop", json!({ "roomName": room }))
        .await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    assert_eq!(stopped.body["recording"]["status"], "ending");
    collection.is_down.store(false, Ordering::Relaxed);
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");

    let name = started.name.as_str();
    let (id, fields) = {
        let documents = collection.documents.lock().expect("documents");
        assert_eq!(documents.len(), 1);
        let (id, fields) = documents.first_key_value().expect("a document");
        (id.clone(), fields.clone())
    };
    assert!(!id.is_empty());
    assert_eq!(fields["filename"]["stringValue"], name);
    assert_eq!(fields["channel"]["stringValue"], room);
    assert_eq!(fields["groupId"]["stringValue"], "group1");
    let url = fields["url"]["stringValue"].as_str().expect("an address");
    let fetched = harness::http::client()
        .get(url)
        .send()
        .await
        .expect("an answer");
    let file = fetched.bytes().await.expect("bytes");
    assert_eq!(fields["fileSize"]["integerValue"], file.len().to_string());
    assert!(
        !tapedeck.file(name).exists(),
        "it is in the bucket, not here"
    );

    let listed = tapedeck.listed(&started.id).await.expect("in the list");
    assert_eq!(listed.size, file.len() as u64);
    let path = format!("/recordings/{name}");
    let ranged = tapedeck
        .request(Method::GET, &path)
        .header("range", "bytes=4-11");
    let ranged = ranged.send().await.expect("an answer");
    assert_eq!(ranged.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(ranged.bytes().await.expect("bytes")[..], file[4..12]);
    let deleted = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(tapedeck.list().await, []);
    assert!(collection.documents.lock().expect("documents").is_empty());
    tapedeck.assert_nothing_left().await;
}
