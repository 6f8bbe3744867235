//! Channels of Agora, by the interface of memharbor_server.

use harness::http;
use harness::ports::free_port;
use harness::tapedeck::{Reply, Tapedeck};
use serde_json::{Value, json};
use storage_testing::firebase;
use storage_testing::firestore::Collection;

const APP_ID: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";
const BUCKET: &str = "demo.appspot.com";

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
