//! Recordings that go to a bucket.

use std::time::Duration;

use harness::livekit::Livekit;
use harness::tapedeck::Tapedeck;
use harness::wait;
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

#[tokio::test]
async fn a_blocked_recording_is_served_from_here_and_goes_on_or_goes() {
    let bucket = Server::start().await;
    let settings = bucket.settings();
    let livekit = Livekit::start().await;
    let variables = [
        ("S3_ENDPOINT", settings.endpoint.as_str()),
        ("S3_ACCESS_KEY", &settings.access_key),
        ("S3_SECRET_KEY", &settings.secret_key),
        ("AWS_REGION", &settings.region),
        ("S3_BUCKET", &settings.bucket),
        ("TAPEDECK_RECORDING_STOP_TIMEOUT_S", "1"),
    ];
    let tapedeck = Tapedeck::start_with(&livekit.ws_url(), &variables).await;
    // Somebody took the bucket away.
    let away = bucket.bucket().with_file_name("not-a-bucket.away");
    std::fs::rename(bucket.bucket(), &away).expect("the bucket is a folder");
    let mut recorded = Vec::new();
    for room in ["kept", "deleted"] {
        livekit.create_room(room).await;
        let started = tapedeck.start_recording(room).await;
        tapedeck.wait_until(&started, 1.5).await;
        tapedeck
            .post("/recordings/stop", json!({ "roomName": room }))
            .await;
        recorded.push(started);
    }
    for recording in &recorded {
        let blocked = wait::until("a blocked upload", Duration::from_secs(60), || async {
            let page = tapedeck.get("/v1/uploads?limit=500").await.body;
            let uploads = page["uploads"].as_array()?.clone();
            uploads
                .into_iter()
                .find(|it| it["id"] == recording.id.as_str() && it["state"] == "blocked")
        })
        .await;
        let cause = blocked["lastError"].as_str().unwrap_or_default();
        assert!(cause.contains("S3_BUCKET"), "the way out: {blocked}");
        assert_eq!(blocked["recording"], recording.name.as_str());
        let shown = tapedeck
            .get(&format!("/v1/recordings/{}", recording.id))
            .await;
        assert_eq!(shown.body["upload"]["blocked"], true, "{}", shown.body);
        let listed = tapedeck.listed(&recording.id).await.expect("in the list");
        assert_eq!(listed.status.as_deref(), Some("uploading"));
        // Played from here, by a link of this server.
        let url = tapedeck
            .get(&format!("/recordings/{}/url", recording.name))
            .await;
        let url = url.body["recordingUrl"]
            .as_str()
            .expect("an address")
            .to_owned();
        assert!(url.starts_with("/recordings/"), "{url}");
        let played = tapedeck
            .request(Method::GET, &url)
            .header("range", "bytes=4-7");
        let played = played.send().await.expect("an answer");
        assert_eq!(played.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(played.bytes().await.expect("bytes")[..], *b"ftyp");
    }
    let (kept, deleted) = (&recorded[0], &recorded[1]);
    let path = format!("/recordings/{}", deleted.name);
    // Nobody knows what the store has of it.
    let refused = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(tapedeck.listed(&deleted.id).await.is_some());
    std::fs::rename(&away, bucket.bucket()).expect("the bucket is back");
    let gone = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert!(tapedeck.listed(&deleted.id).await.is_none());
    assert!(!tapedeck.work(&deleted.id).exists());

    let retry = format!("/v1/uploads/{}/retry", kept.id);
    assert_eq!(tapedeck.post(&retry, json!({})).await.status, 202);
    let ended = tapedeck.wait_for_end(&kept.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["upload"], Value::Null);
    assert_eq!(tapedeck.post(&retry, json!({})).await.status, 409);
    let url = tapedeck
        .get(&format!("/recordings/{}/url", kept.name))
        .await;
    let url = url.body["recordingUrl"]
        .as_str()
        .expect("an address")
        .to_owned();
    assert!(url.starts_with(&settings.endpoint), "{url}");
    let fetched = reqwest::get(&url).await.expect("the bucket answers");
    assert_eq!(fetched.status(), StatusCode::OK);
    let there = bucket.bucket().join("recordings").join(&deleted.name);
    assert!(!there.exists(), "what was deleted never arrives");

    let checked = tapedeck
        .command(&["check", "--deep"])
        .output()
        .expect("it runs");
    assert!(checked.status.success(), "{checked:?}");
    std::fs::write(bucket.bucket().join("recordings").join(&kept.name), b"x").expect("damaged");
    let checked = tapedeck.command(&["check"]).output().expect("it runs");
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let doctor = tapedeck.command(&["doctor"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success(), "{said}");
    for looked in ["store", "LiveKit", "GStreamer", "disk speed"] {
        assert!(said.contains(&format!("{looked}: ")), "{said}");
    }
    assert!(!said.contains(&settings.secret_key) && !tapedeck.log().contains(&settings.secret_key));
    tapedeck.assert_nothing_left().await;
}
