//! Tokens, and who may call what.

use std::time::Duration;

use harness::livekit::{API_KEY, API_SECRET, Livekit};
use harness::tapedeck::Tapedeck;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn token_lets_a_participant_join_one_room() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let reply = tapedeck
        .post(
            "/token",
            json!({ "roomName": "studio", "participantName": "참가자 이름" }),
        )
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let token = reply.body["token"].as_str().expect("a token");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_issuer(&[API_KEY]);
    let key = jsonwebtoken::DecodingKey::from_secret(API_SECRET.as_bytes());
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation)
        .expect("a token of these keys")
        .claims;
    assert_eq!(claims["sub"], "참가자 이름");
    assert_eq!(claims["name"], "참가자 이름");
    let video = &claims["video"];
    assert_eq!(video["roomJoin"], true);
    assert_eq!(video["room"], "studio");
    assert_eq!(video["canPublish"], true);
    assert_eq!(video["canSubscribe"], true);
    assert_ne!(video["roomRecord"], true);
}

/// Method, path, and whether it needs the operator's key even when clients are open.
const PATHS: [(&str, &str, bool); 6] = [
    ("GET", "/recordings", false),
    ("POST", "/token", false),
    ("POST", "/recordings/start", false),
    ("GET", "/status", true),
    ("GET", "/v1/recordings", true),
    ("GET", "/v1/recordings/EG_nothing", true),
];

async fn status(tapedeck: &Tapedeck, method: &str, path: &str, key: Option<&str>) -> u16 {
    let method: Method = method.parse().expect("a method");
    let mut request = tapedeck.request(method, path).json(&json!({}));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    tapedeck.send(request).await.status
}

#[tokio::test]
async fn keys_open_what_they_are_for() {
    let livekit = Livekit::start().await;
    let operator = "operator-key-of-the-test";
    let closed = Tapedeck::start_with(
        &livekit.ws_url(),
        &[
            ("TAPEDECK_AUTH_CLIENTS", "key"),
            ("TAPEDECK_AUTH_OPERATOR_KEY", operator),
        ],
    )
    .await;
    let half_open = Tapedeck::start_with(
        &livekit.ws_url(),
        &[
            ("TAPEDECK_AUTH_CLIENTS", "open"),
            ("TAPEDECK_AUTH_OPERATOR_KEY", operator),
        ],
    )
    .await;
    for (method, path, operators_only) in PATHS {
        for key in [None, Some("operator-key-of-the-tesT"), Some("")] {
            let refused = status(&closed, method, path, key).await;
            assert_eq!(refused, 401, "{method} {path} with {key:?}");
        }
        let open = status(&half_open, method, path, None).await;
        assert_eq!(open == 401, operators_only, "{method} {path}: {open}");
        for server in [&closed, &half_open] {
            let accepted = status(server, method, path, Some(operator)).await;
            assert!(
                ![401, 403].contains(&accepted),
                "{method} {path}: {accepted}"
            );
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(&closed, "GET", path, None).await, 200);
    }
    assert!(!closed.log().contains(operator), "the log holds the key");
}

#[tokio::test]
async fn web_pages_of_strangers_get_nothing() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    // A name that was made to point at this machine.
    let rebound = tapedeck
        .request(Method::GET, "/recordings")
        .header("host", "evil.example.com");
    let rebound = tapedeck.send(rebound).await;
    assert!(
        [400, 403, 421].contains(&rebound.status),
        "{}",
        rebound.status
    );
    let operators = tapedeck
        .request(Method::GET, "/status")
        .header("origin", "https://evil.example.com")
        .send()
        .await
        .expect("an answer");
    let allowed = operators.headers().get("access-control-allow-origin");
    assert!(allowed.is_none(), "{allowed:?}");
    // The applications' own pages call from other origins.
    let clients = tapedeck
        .request(Method::GET, "/recordings")
        .header("origin", "http://localhost:5080")
        .send()
        .await
        .expect("an answer");
    let allowed = clients.headers().get("access-control-allow-origin");
    let allowed = allowed.and_then(|value| value.to_str().ok());
    assert_eq!(allowed, Some("http://localhost:5080"));
    let stranger = tapedeck
        .request(Method::GET, "/recordings")
        .header("origin", "https://evil.example.com");
    assert_eq!(tapedeck.send(stranger).await.status, 403);
}

#[tokio::test]
async fn another_address_needs_a_key_or_an_explicit_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut command = harness::tapedeck::command();
    command
        .current_dir(folder.path())
        .env("TAPEDECK_SERVER_HOST", "0.0.0.0")
        .env("SERVER_PORT", harness::ports::free_port().to_string())
        .arg("serve");
    let mut process =
        harness::children::Process::start("tapedeck serve", command, &log).expect("it runs");
    let status = process.wait(Duration::from_secs(15));
    assert!(!status.success());
    let said = process.log();
    assert!(
        said.contains("operator_key") && said.contains("open"),
        "{said}"
    );
}

#[tokio::test]
async fn connections_that_ask_for_nothing_do_not_keep_others_out() {
    let limit = [("TAPEDECK_SERVER_CONNECTIONS_PER_CLIENT", "4")];
    let tapedeck = Tapedeck::start_alone(&limit).await;
    let address = ("127.0.0.1", tapedeck.port);
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.expect("it is accepted"));
    }
    // Sooner than a head of a request may take.
    let mut closed = 0;
    for connection in &mut silent {
        let mut byte = [0; 1];
        let read = timeout(Duration::from_millis(100), connection.read(&mut byte));
        closed += usize::from(matches!(read.await, Ok(Ok(0) | Err(_))));
    }
    // Connections of the harness may be open as well.
    assert!((12..=16).contains(&closed), "{closed} of 20 were closed");
}
