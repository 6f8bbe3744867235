//! Channels of Agora, by the interface of memharbor_server.

use std::time::Duration;

use harness::agora::{ANN, APP_ID, Agora, BOB, Joining};
use harness::children::kill_all_naming;
use harness::content::{amplitude, wav_samples, wav_seconds};
use harness::http;
use harness::ports::free_port;
use harness::tapedeck::{Reply, Tapedeck, now_ms};
use harness::wait::until;
use serde_json::{Value, json};
use storage_testing::firebase;
use storage_testing::firestore::Collection;

const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";
const BUCKET: &str = "demo.appspot.com";
const CHANNEL: &str = "group1_alice_bob";

/// Samples in a second.
const RATE: usize = 16_000;

/// Firebase's storage emulator and a stand-in for Firestore.
struct Project {
    storage: firebase::Server,
    collection: Collection,
    firestore: storage_testing::stand_in::StandIn,
}

impl Project {
    async fn start() -> Self {
        let collection = Collection::default();
        Self {
            storage: firebase::firebase_storage().await,
            firestore: collection.serve().await,
            collection,
        }
    }

    /// What memharbor_server's `.env` says of it.
    fn variables(&self) -> Vec<(&str, &str)> {
        vec![
            ("FIREBASE_PROJECT_ID", "demo"),
            ("FIREBASE_STORAGE_BUCKET", BUCKET),
            ("FIREBASE_USE_EMULATOR", "true"),
            ("FIREBASE_STORAGE_EMULATOR_HOST", &self.storage.host),
            (
                "FIRESTORE_EMULATOR_HOST",
                self.firestore.address.trim_start_matches("http://"),
            ),
        ]
    }

    /// Puts a file and its document there, as memharbor_server did.
    async fn keep_earlier(&self, name: &str, channel: &str, content: &'static [u8]) {
        let address = format!(
            "http://{}/v0/b/{BUCKET}/o?name=recordings%2F{name}",
            self.storage.host
        );
        let sent = http::client().post(address).body(content);
        let answer = sent.header("content-type", "audio/wav").send().await;
        assert!(answer.expect("an answer").status().is_success());
        let text = |text: &str| json!({"stringValue": text});
        let document = json!({
            "filename": text(name),
            "channel": text(channel),
            "duration": {"integerValue": "120000"},
            "recordedAt": text("2026-02-03T12:00:00.000Z"),
        });
        let mut documents = self.collection.documents.lock().expect("documents");
        documents.insert("drawn-by-firestore".into(), document);
    }
}

/// A server with an app of Agora, which listens at `port`, too.
async fn server(port: u16, variables: &[(&str, &str)]) -> Tapedeck {
    let port = port.to_string();
    let mut all = vec![
        ("AGORA_APP_ID", APP_ID),
        ("AGORA_APP_CERT", CERTIFICATE),
        ("MEMHARBOR_SECRET_KEY", "not used"),
        ("MEMHARBOR_DEBUG", "0"),
        ("TAPEDECK_AGORA_PORT", &port),
    ];
    all.extend(variables);
    Tapedeck::start_alone(&all).await
}

/// A request at the further port.
async fn ask(port: u16, path: &str, body: Option<Value>) -> Reply {
    let address = format!("http://127.0.0.1:{port}/api/{path}");
    let request = match body {
        Some(body) => http::client().post(address).body(body.to_string()),
        None => http::client().get(address),
    };
    let answer = request.send().await.expect("the server answers");
    Reply {
        status: answer.status().as_u16(),
        body: answer.json().await.expect("JSON"),
    }
}

#[tokio::test]
async fn what_memharbor_left_is_listed_and_refusals_say_why() {
    let project = Project::start().await;
    let port = free_port();
    let name = "group1_alice_bob_2026-02-03T12-00-00.wav";
    let content = b"RIFF of an earlier server";
    project
        .keep_earlier(name, "group1_alice_bob", content)
        .await;
    let mut variables = project.variables();
    variables.push(("TAPEDECK_AGORA_CHROMIUM", "/nowhere/chromium"));
    let tapedeck = server(port, &variables).await;

    let listed = ask(port, "recording/list", None).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    let recording = &listed.body["recordings"][0];
    assert_eq!(listed.body["total"], 1, "{}", listed.body);
    let told = [
        "filename",
        "channel",
        "groupId",
        "user1",
        "user2",
        "size",
        "duration",
        "recordedAt",
        "createdAt",
    ]
    .map(|field| recording[field].clone());
    let expected = [
        json!(name),
        json!("group1_alice_bob"),
        json!("group1"),
        json!("alice"),
        json!("bob"),
        json!(content.len()),
        json!(120_000),
        json!("2026-02-03T12:00:00.000Z"),
        json!("2026-02-03T12:02:00.000Z"),
    ];
    assert_eq!(told, expected);
    let url = recording["url"].as_str().expect("an address");
    let file = http::client().get(url).send().await.expect("an answer");
    assert_eq!(file.bytes().await.expect("bytes")[..], content[..]);
    let same = tapedeck.get("/api/recording/list").await;
    assert_eq!(same.body["total"], 1, "{}", same.body);

    for (path, body, status) in [
        ("recording/start", json!({"channel": "only_two"}), 400),
        ("recording/start", json!({}), 400),
        (
            "recording/stop",
            json!({"channel": "group1_alice_bob"}),
            404,
        ),
        ("recording/stop", json!({"sid": "x"}), 400),
        (
            "recording/stop",
            json!({"sid": "a8098c1a-f86e-41da-bd1a-00112444be1e"}),
            404,
        ),
    ] {
        let refused = ask(port, path, Some(body.clone())).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.body);
        let fields = refused.body.as_object().expect("an object");
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["error"]);
    }
    // There is no browser: the reason is told, and nothing is left of the try.
    let channel = json!({"channel": "group1_alice_bob"});
    let failed = ask(port, "recording/start", Some(channel)).await;
    assert!(failed.status >= 500, "{}", failed.body);
    let status = ask(port, "recording/status", None).await;
    assert_eq!(status.body, json!({"sessions": []}));
    assert_eq!(ask(port, "health", None).await.status, 200);

    let log = std::fs::read_to_string(tapedeck.data().join("logs/api.log")).expect("a log");
    for line in [
        "INFO api [LIST] GET from 127.0.0.1",
        "INFO api [START] Request data: {'channel': 'only_two'}",
        "WARNING api [STOP] Failed (404): This channel is not being recorded",
        "ERROR api [START] Failed (",
    ] {
        assert!(log.contains(line), "{line} is missing: {log}");
    }
    assert!(!log.contains(CERTIFICATE));
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn without_an_app_no_channel_is_recorded() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let channel = json!({"channel": "group1_alice_bob"});
    let refused = tapedeck.post("/api/recording/start", channel).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    let error = refused.body["error"].as_str().expect("a reason");
    assert!(error.contains("AGORA_APP_ID"), "{error}");
    assert!(!tapedeck.data().join("logs").exists());
    tapedeck.assert_nothing_left().await;
}

/// What is asked of `/v1` until it answers as wanted.
async fn wait_for(tapedeck: &Tapedeck, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let is = &is;
    until(what, Duration::from_secs(40), || async move {
        Some(tapedeck.recording(id).await).filter(is)
    })
    .await
}

/// The only recording that `/v1` knows.
async fn recording_id(tapedeck: &Tapedeck) -> String {
    let page = tapedeck.get("/v1/recordings").await.body;
    let id = page["recordings"][0]["id"].as_str();
    id.unwrap_or_else(|| panic!("{page}")).to_owned()
}

/// Both tones are heard at their levels in a second of sound.
fn assert_both(second: &[f32], when: &str) {
    for of in [ANN, BOB] {
        let level = amplitude(second, of.pitch.into()) / f64::from(of.level);
        assert!((0.8..1.2).contains(&level), "{level} of {of:?} {when}");
    }
}

#[tokio::test]
async fn a_call_reaches_its_project_as_memharbors_clients_know_it() {
    let project = Project::start().await;
    let mut agora = Agora::start().await;
    agora.speak(CHANNEL, ANN).await;
    agora.speak(CHANNEL, BOB).await;
    let (port, sdk) = (free_port(), agora.sdk().display().to_string());
    let mut variables = project.variables();
    variables.extend([
        ("TAPEDECK_AGORA_SDK", sdk.as_str()),
        ("TAPEDECK_AGORA_ALLOWED_HOSTS", "127.0.0.1"),
    ]);
    let mut tapedeck = server(port, &variables).await;
    let channel = json!({"channel": CHANNEL});
    let asked_at = now_ms();
    let started = ask(port, "recording/start", Some(channel.clone())).await;
    println!("started after {:.1} s", (now_ms() - asked_at) / 1e3);
    assert_eq!(started.status, 200, "{}", started.body);
    let (sid, name) = (&started.body["sid"], &started.body["filename"]);
    assert_eq!(started.body["uid"], 999_999);
    assert_eq!(agora.recorders(CHANNEL), 1, "it is in the channel");
    let again = ask(port, "recording/start", Some(channel.clone())).await;
    assert_eq!((again.status, &again.body["sid"]), (409, sid));

    let id = recording_id(&tapedeck).await;
    let status = until("both are heard", Duration::from_secs(20), || async {
        let status = ask(port, "recording/status", None).await.body["sessions"][0].take();
        let mut speakers = status["speakers"].as_array()?.clone();
        speakers.sort_by_key(Value::to_string);
        (speakers == [7, 8]).then_some(status)
    })
    .await;
    assert_eq!((&status["sid"], &status["filename"]), (sid, name));
    assert_eq!(status["status"], "recording");
    let part = tapedeck.work(&id).join("render/part.wav");
    let snapshot = agora.folder().join("moment.wav");
    let mut lengths = Vec::new();
    while lengths.last().is_none_or(|length| *length < 4.0) {
        // Of a file without sound ffprobe complains.
        if std::fs::metadata(&part).is_ok_and(|file| file.len() > 4_096) {
            std::fs::copy(&part, &snapshot).expect("a copy");
            lengths.push(wav_seconds(&snapshot));
        }
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    assert!(lengths.len() > 3, "{lengths:?}");

    let begun = tapedeck.recording(&id).await["startedAtMs"].as_f64();
    let length = now_ms() - begun.expect("a start");
    let stopped = ask(port, "recording/stop", Some(json!({"sid": sid}))).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    let told = stopped.body["duration"].as_f64().expect("a duration");
    println!("recorded for {length:.0} ms, the file has {told} ms");
    assert!((told - length).abs() < 300.0);
    let path = format!("recordings/{}", name.as_str().expect("a name"));
    let firebase = &stopped.body["firebase"];
    assert_eq!(firebase["storagePath"], path, "{}", stopped.body);
    let (document, fields) = {
        let documents = project.collection.documents.lock().expect("documents");
        assert_eq!(documents.len(), 1, "once");
        let (id, fields) = documents.first_key_value().expect("a document");
        (id.clone(), fields.clone())
    };
    assert_eq!(firebase["firestoreId"], document);
    assert_eq!(fields["channel"]["stringValue"], CHANNEL);
    assert_eq!(fields["duration"]["integerValue"], told.to_string());
    let rate = &fields["spec"]["mapValue"]["fields"]["sampleRate"];
    assert_eq!(rate["integerValue"], "16000");

    let url = firebase["url"].as_str().expect("an address");
    let file = http::client().get(url).send().await.expect("an answer");
    let file = file.bytes().await.expect("bytes");
    std::fs::write(&snapshot, &file).expect("a copy");
    assert!((wav_seconds(&snapshot) * 1e3 - told).abs() < 1.0);
    let samples = wav_samples(&file);
    let end = samples.len() - RATE / 2;
    assert_both(&samples[end - RATE..end], "at the end");
    let listed = ask(port, "recording/list", None).await.body;
    assert_eq!(listed["total"], 1, "{listed}");
    assert_eq!(listed["recordings"][0]["sid"], *sid);
    assert_eq!(listed["recordings"][0]["size"], file.len());

    // Asked again, also of the next server, it says the same.
    let repeated = ask(port, "recording/stop", Some(json!({"sid": sid}))).await;
    assert_eq!(repeated.body, stopped.body);
    tapedeck.terminate();
    tapedeck.run().await;
    let repeated = ask(port, "recording/stop", Some(json!({"sid": sid}))).await;
    assert_eq!(repeated.body, stopped.body);
    let gone = ask(port, "recording/stop", Some(channel)).await;
    assert_eq!(gone.status, 404, "{}", gone.body);
    assert_eq!(agora.recorders(CHANNEL), 0, "it has left the channel");
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn whatever_is_killed_in_mid_call_the_recording_goes_on() {
    let mut agora = Agora::start().await;
    agora.speak(CHANNEL, ANN).await;
    agora.speak(CHANNEL, BOB).await;
    let (port, sdk) = (free_port(), agora.sdk().display().to_string());
    let variables = [
        ("TAPEDECK_AGORA_SDK", sdk.as_str()),
        ("TAPEDECK_AGORA_ALLOWED_HOSTS", "127.0.0.1"),
    ];
    let mut tapedeck = server(port, &variables).await;
    let body = Some(json!({"channel": CHANNEL}));
    let started = ask(port, "recording/start", body).await;
    assert_eq!(started.status, 200, "{}", started.body);
    let id = recording_id(&tapedeck).await;
    let heard = |gaps: usize| {
        move |recording: &Value| {
            let found = recording["gaps"].as_array().map_or(0, Vec::len);
            recording["state"] == "active" && found >= gaps
        }
    };
    tokio::time::sleep(Duration::from_secs(3)).await;

    tapedeck.kill();
    tapedeck.run().await;
    assert_eq!(tapedeck.signal_children("render", libc::SIGKILL), 1);
    wait_for(&tapedeck, &id, "the next server has it", heard(0)).await;
    assert_eq!(tapedeck.signal_children("capture", libc::SIGKILL), 1);
    wait_for(&tapedeck, &id, "capture is back", heard(1)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;

    kill_all_naming(&format!("--user-data-dir={}", tapedeck.data().display()));
    wait_for(&tapedeck, &id, "another browser listens", heard(2)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(tapedeck.signal_children("browser", libc::SIGKILL), 1);
    wait_for(&tapedeck, &id, "another host listens", heard(3)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;

    let begun = tapedeck.recording(&id).await["startedAtMs"].as_f64();
    let length = now_ms() - begun.expect("a start");
    let sid = json!({"sid": started.body["sid"]});
    let stopped = ask(port, "recording/stop", Some(sid)).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    let ended = tapedeck.wait_for_end(&id).await;
    println!("gaps: {}", ended["gaps"]);
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["restarts"]["capture"], 1, "{ended}");
    let told = stopped.body["duration"].as_f64().expect("a duration");
    println!("recorded for {length:.0} ms, the file has {told} ms");
    assert!((told - length).abs() < 500.0, "time stays true");
    let name = stopped.body["filename"].as_str().expect("a name");
    let file = tapedeck.file(name);
    wav_seconds(&file);
    let samples = wav_samples(&std::fs::read(file).expect("a file"));
    assert_both(&samples[2 * RATE..3 * RATE], "at the beginning");
    let end = samples.len() - RATE / 2;
    assert_both(&samples[end - RATE..end], "at the end");
    let url = stopped.body["url"].as_str().expect("an address");
    let fetched = http::client().get(url).send().await.expect("an answer");
    assert_eq!(
        fetched.bytes().await.expect("bytes").len(),
        samples.len() * 2 + 44
    );
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn what_agora_says_is_told_and_tokens_are_renewed() {
    let mut agora = Agora::start().await;
    agora.speak(CHANNEL, ANN).await;
    let (port, sdk) = (free_port(), agora.sdk().display().to_string());
    let variables = [
        ("TAPEDECK_AGORA_SDK", sdk.as_str()),
        ("TAPEDECK_AGORA_ALLOWED_HOSTS", "127.0.0.1"),
        ("TAPEDECK_AGORA_JOIN_TIMEOUT_S", "7"),
    ];
    let tapedeck = server(port, &variables).await;
    let start = || ask(port, "recording/start", Some(json!({"channel": CHANNEL})));
    agora.treat_recorders(Joining::Refused(
        "CAN_NOT_GET_GATEWAY_SERVER",
        "invalid vendor key",
    ));
    let refused = start().await;
    assert_eq!(refused.status, 502, "{}", refused.body);
    let error = refused.body["error"].as_str().expect("a reason");
    assert!(error.contains("invalid vendor key"), "{error}");
    agora.treat_recorders(Joining::Ignored);
    let ignored = start().await;
    assert_eq!(ignored.status, 504, "{}", ignored.body);
    agora.treat_recorders(Joining::Welcome);

    let started = start().await;
    assert_eq!(started.status, 200, "{}", started.body);
    let of_join = agora.asked().pop().expect("a join");
    assert_eq!(of_join["uid"], 999_999, "{of_join}");
    agora.raise(CHANNEL, "token-privilege-will-expire");
    let renewed = until("the token is renewed", Duration::from_secs(15), || async {
        let asked = agora.asked().pop()?;
        Some(asked["renewed"].as_str()?.to_owned())
    })
    .await;
    assert!(renewed.starts_with(&format!("006{APP_ID}")), "{renewed}");
    assert_ne!(renewed, of_join["token"]);

    agora.take_user_id(CHANNEL);
    let id = recording_id(&tapedeck).await;
    let ended = tapedeck.wait_for_end(&id).await;
    assert_eq!(ended["endReason"], "identity_taken", "{ended}");
    assert_eq!(ended["state"], "complete", "{ended}");
    let sid = json!({"sid": started.body["sid"]});
    let stopped = ask(port, "recording/stop", Some(sid)).await;
    assert_eq!(stopped.body["status"], "stopped", "{}", stopped.body);

    // What the owner of an app tries a join with.
    let mut doctor = tapedeck.command(&["doctor", "agora", "--channel", CHANNEL]);
    doctor.args(["--seconds", "3", "--json"]);
    let output = tokio::task::spawn_blocking(move || doctor.output());
    let output = output.await.expect("no panic").expect("it runs");
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let told = findings.iter().map(|finding| finding["message"].as_str());
    let told = told
        .map(Option::unwrap_or_default)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(output.status.success(), "{told}");
    for expected in ["in channel group1_alice_bob as user 999999", "7 (loudest"] {
        assert!(told.contains(expected), "{told}");
    }
    let all_is_well = findings.iter().all(|finding| finding["verdict"] == "ok");
    assert!(all_is_well, "{told}");
    println!("{told}");
    tapedeck.assert_nothing_left().await;
}
