//! Recordings that go to a bucket.

use harness::livekit::Livekit;
use harness::tapedeck::Tapedeck;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage_testing::versitygw::Server;

#[tokio::test]
async fn a_recording_reaches_its_bucket_though_the_store_was_away() {
    let bucket = Server::start().await;
    let settings = bucket.settings();
    let livekit = Livekit::start().await;
    livekit.create_room("studio").await;
    let variables = [
        ("S3_ENDPOINT", settings.endpoint.as_str()),
        ("S3_ACCESS_KEY", &settings.access_key),
        ("S3_SECRET_KEY", &settings.secret_key),
        ("AWS_REGION", &settings.region),
        ("S3_BUCKET", &settings.bucket),
        ("RECORDINGS_PATH", "recordings/"),
        ("TAPEDECK_RECORDING_STOP_TIMEOUT_S", "3"),
    ];
    let mut tapedeck = Tapedeck::start_with(&livekit.ws_url(), &variables).await;
    let bucket = bucket.stopped();
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 1.5).await;
    let stopped = tapedeck
        .post("/recordings/stop", json!({ "roomName": "studio" }))
        .await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    assert_eq!(stopped.body["recording"]["status"], "ending");
    // Neither the file nor the wish to deliver it depends on this server's life.
    tapedeck.kill();
    tapedeck.run().await;
    let bucket = bucket.restarted().await;
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");

    let name = started.name.as_str();
    let stored = std::fs::read(bucket.bucket().join("recordings").join(name)).expect("an object");
    let described = bucket.bucket().join("recordings/.metadata");
    let described = described.join(name.replace(".mp4", ".json"));
    let described: Value =
        serde_json::from_slice(&std::fs::read(described).expect("its metadata")).expect("JSON");
    assert_eq!(described["id"], started.id.as_str());
    assert_eq!(described["size"], stored.len());
    assert!(
        !tapedeck.file(name).exists(),
        "it is in the bucket, not here"
    );

    let listed = tapedeck.listed(&started.id).await.expect("in the list");
    assert_eq!(listed.size, stored.len() as u64);
    let path = format!("/recordings/{name}");
    let ranged = tapedeck
        .request(Method::GET, &path)
        .header("range", "bytes=4-11")
        .send()
        .await
        .expect("an answer");
    assert_eq!(ranged.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(ranged.bytes().await.expect("bytes")[..], stored[4..12]);
    let deleted = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(tapedeck.list().await, []);
    let left = std::fs::read_dir(bucket.bucket().join("recordings"));
    let left = left.into_iter().flatten().flatten();
    let left: Vec<_> = left.filter(|entry| entry.path().is_file()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!tapedeck.log().contains(&settings.secret_key));
    tapedeck.assert_nothing_left().await;
}
