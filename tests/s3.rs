//! Recordings that go to a bucket.

use std::time::{Duration, Instant};

use harness::livekit::Livekit;
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::{Recording, Tapedeck};
use harness::wait;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use storage_testing::faults::{Fault, FaultProxy, Rule};
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

/// A server for rooms of its own whose recordings go to `bucket` by way of `endpoint`.
async fn alone(bucket: &Server, endpoint: &str, variables: &[(&str, &str)]) -> Tapedeck {
    let settings = bucket.settings();
    let mut all = vec![
        ("S3_ENDPOINT", endpoint),
        ("S3_ACCESS_KEY", settings.access_key.as_str()),
        ("S3_SECRET_KEY", &settings.secret_key),
        ("AWS_REGION", &settings.region),
        ("S3_BUCKET", &settings.bucket),
        ("TAPEDECK_RECORDING_STOP_TIMEOUT_S", "1"),
    ];
    all.extend(variables);
    Tapedeck::start_alone(&all).await
}

/// Records a little and stops; where the recording goes then is up to the store.
async fn record(tapedeck: &Tapedeck, room: &str) -> Recording {
    let _publisher = whip::publish(tapedeck, room, PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording(room).await;
    tapedeck.wait_until(&started, 1.5).await;
    let stop = json!({ "roomName": room });
    let stopped = tapedeck.post("/recordings/stop", stop).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    started
}

/// Waits until the upload of a recording is in this state.
async fn upload_in(tapedeck: &Tapedeck, id: &str, state: &str) -> Value {
    wait::until(state, Duration::from_secs(60), || async {
        let page = tapedeck.get("/v1/uploads").await.body;
        let uploads = page["uploads"].as_array()?.clone();
        uploads
            .into_iter()
            .find(|it| it["id"] == id && it["state"] == state)
    })
    .await
}

/// What is below the path of recordings, metadata as `.metadata/NAME`.
fn objects(bucket: &Server) -> Vec<String> {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(bucket.bucket().join("recordings").join(folder));
        let entries = entries.into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        let names = files.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect::<Vec<_>>()
    };
    let described = names(".metadata").into_iter();
    let mut all = names("");
    all.extend(described.map(|name| format!(".metadata/{name}")));
    all
}

#[tokio::test]
async fn wrong_keys_block_until_either_side_has_the_right_ones() {
    let bucket = Server::start().await;
    let endpoint = bucket.settings().endpoint;
    let wrong = "not-the-secret-of-the-store";
    let patient = [("TAPEDECK_STORAGE_RETRY_MAX_S", "3600")];
    let mut tapedeck = alone(&bucket, &endpoint, &patient).await;
    tapedeck.kill();
    tapedeck.set("S3_SECRET_KEY", wrong);
    tapedeck.run().await;
    let asked = Instant::now();
    let first = record(&tapedeck, "first").await;
    let taken = asked.elapsed();
    assert!(taken.as_secs() < 20, "a stop waits for it: {taken:?}");
    let blocked = upload_in(&tapedeck, &first.id, "blocked").await;
    let cause = blocked["lastError"].as_str().unwrap_or_default();
    assert!(cause.contains("S3_SECRET_KEY"), "the way out: {blocked}");
    assert_eq!(blocked["attempts"], 1, "{blocked}");

    // A restart alone mends nothing, and forgets neither the cause nor what was tried.
    tapedeck.kill();
    tapedeck.run().await;
    let again = wait::until("another try", Duration::from_secs(30), || async {
        let upload = upload_in(&tapedeck, &first.id, "blocked").await;
        (upload["attempts"] == 2).then_some(upload)
    })
    .await;
    assert_eq!(again["lastError"], blocked["lastError"]);
    assert!(objects(&bucket).is_empty());

    // The right ones here: nobody needs to ask for a try, though the next is an hour away.
    tapedeck.kill();
    tapedeck.set("S3_SECRET_KEY", &bucket.settings().secret_key);
    tapedeck.run().await;
    let ended = tapedeck.wait_for_end(&first.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["error"], Value::Null, "{ended}");

    // The right ones there.
    let bucket = bucket.with_secret(Some(wrong)).await;
    tapedeck.kill();
    tapedeck.set("TAPEDECK_STORAGE_RETRY_MAX_S", "1");
    tapedeck.run().await;
    let second = record(&tapedeck, "second").await;
    upload_in(&tapedeck, &second.id, "blocked").await;
    let bucket = bucket.with_secret(None).await;
    let ended = tapedeck.wait_for_end(&second.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    // Of each its picture as well, and what describes both.
    assert_eq!(objects(&bucket).len(), 8, "{:?}", objects(&bucket));
    for secret in [wrong, &bucket.settings().secret_key] {
        assert!(!tapedeck.log().contains(secret) && !ended.to_string().contains(secret));
    }
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_recording_that_is_deleted_in_mid_transfer_leaves_nothing_in_the_bucket() {
    let bucket = Server::start().await;
    let proxy = FaultProxy::start(&bucket.settings().endpoint);
    let away = Rule::always(
        &["GET", "HEAD", "PUT", "POST"],
        Fault::Answer(503, "SlowDown"),
    );
    proxy.spoil(away);
    let mut tapedeck = alone(&bucket, &proxy.endpoint(), &[]).await;
    let recording = record(&tapedeck, "studio").await;
    upload_in(&tapedeck, &recording.id, "waiting").await;
    tapedeck.kill();
    grow(&tapedeck, &recording.id, 60 << 20);
    proxy.heal();
    // The first parts go through, then it takes its time.
    let slow = Fault::Delay(Duration::from_secs(3));
    proxy.spoil(Rule::always(&["PUT"], slow).to("partNumber").after(3));
    tapedeck.run().await;
    let half_way = wait::until("some parts", Duration::from_secs(60), || async {
        let upload = upload_in(&tapedeck, &recording.id, "uploading").await;
        // The picture, which goes first, is no multipart upload.
        let is_half_way = upload["sentBytes"].as_u64()? > 5 << 20;
        (is_half_way && bucket.unfinished_uploads() == 1).then_some(upload)
    })
    .await;
    assert!(half_way["sentBytes"].as_u64() < half_way["totalBytes"].as_u64());

    let path = format!("/recordings/{}", recording.name);
    let deleted = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    // What was on its way arrives at nothing.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(bucket.unfinished_uploads(), 0);
    assert_eq!(objects(&bucket), [""; 0]);
    assert!(tapedeck.listed(&recording.id).await.is_none());
    assert_eq!(tapedeck.get("/v1/uploads").await.body["uploads"], json!([]));
    assert!(!tapedeck.work(&recording.id).exists());
    let again = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(again.status, 404, "{}", again.body);
    tapedeck.assert_nothing_left().await;
}

/// Makes the rendered file of a recording larger, as if it was longer; the server must not run.
fn grow(tapedeck: &Tapedeck, id: &str, bytes: usize) {
    let work = tapedeck.work(id);
    let output = work.join("output.mp4");
    let mut content = std::fs::read(&output).expect("a rendered file");
    content.resize(bytes, 7);
    let path = work.join("manifest.json");
    let manifest = std::fs::read(&path).expect("a manifest");
    let mut manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let sha256: String = Sha256::digest(&content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    manifest["file"]["size_bytes"] = json!(bytes);
    manifest["file"]["sha256"] = json!(sha256);
    std::fs::write(&output, content).expect("there is room");
    std::fs::write(&path, manifest.to_string()).expect("there is room");
}

#[tokio::test]
async fn kept_files_and_logs_serve_while_the_bucket_is_away() {
    let bucket = Server::start().await;
    let endpoint = bucket.settings().endpoint;
    let keep = [
        ("TAPEDECK_DATA_KEEP_FILES", "1h"),
        ("TAPEDECK_DATA_KEEP_LOGS", "forever"),
    ];
    let tapedeck = alone(&bucket, &endpoint, &keep).await;
    let recording = record(&tapedeck, "studio").await;
    let ended = tapedeck.wait_for_end(&recording.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    let stored = bucket.bucket().join("recordings").join(&recording.name);
    let stored = std::fs::read(stored).expect("an object");
    let bucket = bucket.stopped();
    let path = format!("/recordings/{}", recording.name);
    let played = tapedeck.request(Method::GET, &path);
    let played = played.header("range", "bytes=100-199").send().await;
    let played = played.expect("an answer");
    assert_eq!(played.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(played.bytes().await.expect("bytes")[..], stored[100..200]);
    let inspected = tapedeck.command(&["inspect", &recording.id]).output();
    let inspected = inspected.expect("it runs");
    assert!(inspected.status.success(), "{inspected:?}");
    let work = tapedeck.work(&recording.id);
    assert!(work.join("log").is_dir() && work.join("output.mp4").is_file());

    let bucket = bucket.restarted().await;
    let checked = tapedeck.command(&["check"]).output().expect("it runs");
    assert!(checked.status.success(), "{checked:?}");
    std::fs::write(work.join("output.mp4"), &stored[1..]).expect("damaged");
    let checked = tapedeck.command(&["check"]).output().expect("it runs");
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let deleted = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert!(!work.exists() && objects(&bucket).is_empty());
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn what_earlier_settings_left_on_either_side_belongs_to_its_recordings() {
    let bucket = Server::start().await;
    let endpoint = bucket.settings().endpoint;
    let mut tapedeck = alone(&bucket, &endpoint, &[("TAPEDECK_STORAGE_KIND", "disk")]).await;
    let on_disk = record(&tapedeck, "disk").await;
    tapedeck.wait_for_end(&on_disk.id).await;
    tapedeck.terminate();
    tapedeck.set("TAPEDECK_STORAGE_KIND", "s3");
    tapedeck.run().await;
    let in_bucket = record(&tapedeck, "bucket").await;
    tapedeck.wait_for_end(&in_bucket.id).await;
    assert_eq!(objects(&bucket).len(), 4, "{:?}", objects(&bucket));
    for kind in ["s3", "disk"] {
        tapedeck.terminate();
        tapedeck.set("TAPEDECK_STORAGE_KIND", kind);
        tapedeck.run().await;
        for recording in [&on_disk, &in_bucket] {
            let listed = tapedeck.listed(&recording.id).await;
            assert!(listed.is_some(), "{} with {kind}", recording.name);
        }
        let checked = tapedeck.command(&["check", "--json"]).output();
        let checked = checked.expect("it runs");
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success(), "with {kind}: {said}");
        let listed = tapedeck.command(&["recover", "--list", "--json"]).output();
        let listed: Value = serde_json::from_slice(&listed.expect("it runs").stdout).expect("JSON");
        assert_eq!(listed["orphans"], json!([]), "with {kind}: {listed}");
    }
    tapedeck.assert_nothing_left().await;
}
