//! The server against its own description: schemathesis makes requests from `/openapi.json`, good and
//! bad ones, and looks at the answers.

use std::path::PathBuf;
use std::process::Command;

use harness::tapedeck::Tapedeck;
use serde_json::json;

const KEY: &str = "operator-key-of-the-test";

/// Limits would refuse what comes so fast.
const UNLIMITED: [(&str, &str); 3] = [
    ("TAPEDECK_SERVER_REQUESTS_PER_S", "0"),
    ("TAPEDECK_SERVER_FAILED_LOGINS_PER_MIN", "0"),
    ("TAPEDECK_AGORA_PORT", "0"),
];

/// What is not there is refused with 503: Agora, and a room's process that cannot be asked.
const RULES: &str = r#"
hooks = "hooks.py"
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
"#;

/// Bodies of these types are made as texts are.
const HOOKS: &str = r#"
import schemathesis

schemathesis.serializer.alias(
    ["application/sdp", "application/trickle-ice-sdpfrag", "application/webhook+json"],
    "text/plain",
)
"#;

fn schemathesis() -> PathBuf {
    let program = harness::cache_dir().join("schemathesis/bin/schemathesis");
    assert!(
        program.is_file(),
        "schemathesis is missing; get it with: scripts/test-dependencies"
    );
    program
}

/// Makes so many requests for each method of each path.
async fn examine(tapedeck: &Tapedeck, key: Option<&str>, examples: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("schemathesis.toml");
    std::fs::write(&rules, RULES).expect("written");
    std::fs::write(folder.path().join("hooks.py"), HOOKS).expect("written");
    let mut command = Command::new(schemathesis());
    command
        .arg("--config-file")
        .arg(&rules)
        .args(["run", &tapedeck.url("/openapi.json")])
        // What does not end by itself.
        .args(["--exclude-path", "/v1/events", "--request-timeout", "30"])
        .args(["--phases", "examples,coverage,fuzzing", "--workers", "2"])
        .args(["--max-examples", &examples.to_string(), "--seed", "1"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args([
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--no-color",
        ])
        .args(["--generation-database", "none", "--continue-on-failure"])
        .current_dir(folder.path())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(key) = key {
        command.args(["--header", &format!("Authorization:Bearer {key}")]);
    }
    let output = tokio::process::Command::from(command).output();
    let output = output.await.expect("schemathesis runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Nothing of what was asked made a recording, or a folder.
async fn assert_no_trace(tapedeck: &Tapedeck, key: Option<&str>) {
    let mut request = tapedeck.request(reqwest::Method::GET, "/v1/recordings");
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let list = tapedeck.send(request).await;
    assert_eq!(list.body["recordings"], json!([]), "{}", list.body);
    let work = std::fs::read_dir(tapedeck.data().join("work")).expect("a folder");
    assert_eq!(work.count(), 0);
    assert!(!tapedeck.log().contains("panicked"), "{}", tapedeck.log());
}

async fn both_ways(examples: u32) {
    let open = Tapedeck::start_alone(&UNLIMITED).await;
    examine(&open, None, examples).await;
    assert_no_trace(&open, None).await;
    drop(open);

    let mut variables = UNLIMITED.to_vec();
    variables.push(("TAPEDECK_AUTH_OPERATOR_KEY", KEY));
    let keyed = Tapedeck::start_alone(&variables).await;
    examine(&keyed, Some(KEY), examples).await;
    examine(&keyed, None, 1).await;
    assert_no_trace(&keyed, Some(KEY)).await;
}

#[tokio::test]
async fn answers_are_as_they_are_described() {
    both_ways(4).await;
}

#[tokio::test]
#[ignore = "makes thousands of requests"]
async fn answers_are_as_they_are_described_for_long() {
    both_ways(300).await;
}
