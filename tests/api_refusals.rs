//! What the REST interface refuses, and that nothing comes of it.

use harness::livekit::{API_SECRET, Livekit};
use harness::ports::free_port;
use harness::tapedeck::Tapedeck;
use reqwest::Method;
use serde_json::{Value, json};

/// Path, body, status, and what the message must hold.
type Refusal = (&'static str, Value, u16, &'static str);

fn refusals() -> Vec<Refusal> {
    let start = "/recordings/start";
    let room = |field: &str, value: Value| json!({ "roomName": "studio", field: value });
    vec![
        (
            "/token",
            json!({}),
            400,
            "roomName and participantName are required",
        ),
        (
            "/token",
            json!({ "roomName": "a" }),
            400,
            "roomName and participantName are required",
        ),
        (
            "/token",
            json!({ "participantName": "a" }),
            400,
            "roomName and participantName are required",
        ),
        (start, json!({}), 400, "roomName is required"),
        (
            start,
            json!({ "roomName": "" }),
            400,
            "roomName is required",
        ),
        (start, json!({ "roomName": 7 }), 400, "roomName"),
        (start, json!([]), 400, ""),
        (start, room("width", json!(641)), 400, "width"),
        (start, room("width", json!(100_000)), 400, "width"),
        (start, room("height", json!(0)), 400, "height"),
        (start, room("framerate", json!(1_000)), 400, "framerate"),
        (start, room("videoBitrate", json!(1)), 400, "videoBitrate"),
        (start, room("maxDuration", json!(-1)), 400, "maxDuration"),
        (
            start,
            room("maxDuration", json!("long")),
            400,
            "maxDuration",
        ),
        (
            start,
            room("metadata", json!("m".repeat(3_000))),
            400,
            "metadata",
        ),
        (
            start,
            json!({ "roomName": "x".repeat(2_000) }),
            400,
            "roomName",
        ),
        (start, json!({ "roomName": "a\u{0}b" }), 400, "roomName"),
        (
            start,
            json!({ "roomName": "nobody-was-here" }),
            404,
            "nobody-was-here",
        ),
        (start, json!({ "roomName": "../../etc/passwd" }), 404, ""),
        ("/recordings/stop", json!({}), 400, "roomName is required"),
        (
            "/recordings/stop",
            json!({ "roomName": "studio" }),
            409,
            "Recording not started for this room",
        ),
    ]
}

#[tokio::test]
async fn wrong_requests_are_refused_and_create_nothing() {
    let livekit = Livekit::start().await;
    livekit.create_room("studio").await;
    let tapedeck = Tapedeck::start(&livekit).await;
    for (path, body, status, message) in refusals() {
        let reply = tapedeck.post(path, body.clone()).await;
        let shown: String = body.to_string().chars().take(80).collect();
        assert_eq!(reply.status, status, "{path} {shown}: {}", reply.body);
        assert!(
            reply.body["errorMessage"].is_string() && reply.error_message().contains(message),
            "{path} {shown}: {}",
            reply.body
        );
    }
    assert!(
        livekit.room("nobody-was-here").await.is_none(),
        "a room was created"
    );
    assert!(tapedeck.list().await.is_empty());
    let all = tapedeck.get("/v1/recordings").await;
    assert_eq!(all.body["recordings"], json!([]), "{}", all.body);
    let status = tapedeck.get("/status").await;
    assert_eq!(status.status, 200);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    for path in ["/token", "/recordings/start", "/recordings/stop"] {
        let post = |body: String| {
            tapedeck
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body)
        };
        let broken = tapedeck.send(post("{\"roomName\": ".into())).await;
        assert_eq!(broken.status, 400, "{path}");
        assert!(broken.body["errorMessage"].is_string(), "{path}");
        let nothing = tapedeck.send(tapedeck.request(Method::POST, path)).await;
        assert_eq!(nothing.status, 400, "{path} without a body");
        let large = format!("{{\"roomName\": \"{}\"}}", "x".repeat(2 << 20));
        let large = tapedeck.send(post(large)).await;
        assert_eq!(large.status, 413, "{path}");
    }
    let wrong_method = tapedeck
        .send(tapedeck.request(Method::PUT, "/recordings/start"))
        .await;
    assert!([404, 405].contains(&wrong_method.status));
}

#[tokio::test]
async fn names_cannot_lead_out_of_the_recordings_folder() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let long = "x".repeat(3_000);
    for name in [
        "missing.mp4",
        "..%2f..%2ftapedeck.log",
        "%2e%2e%2ftapedeck.log",
        "..%5ctapedeck.log",
        "%2fetc%2fpasswd",
        ".metadata",
        "a%00b.mp4",
        &long,
    ] {
        let path = format!("/recordings/{name}");
        for method in [Method::GET, Method::DELETE] {
            let reply = tapedeck.send(tapedeck.request(method.clone(), &path)).await;
            assert!(
                [400, 404, 414].contains(&reply.status),
                "{method} {name}: {} {}",
                reply.status,
                reply.body
            );
        }
    }
    let missing = tapedeck.get("/recordings/missing.mp4").await;
    assert_eq!(
        (missing.status, missing.error_message()),
        (404, "Recording not found")
    );
    let unknown = tapedeck.get("/v1/recordings/EG_nothing").await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body["error"]["code"].is_string(),
        "{}",
        unknown.body
    );
    assert_eq!(tapedeck.get("/status/EG_nothing").await.status, 404);
}

#[tokio::test]
async fn unreachable_server_and_refused_keys_are_told_apart() {
    let livekit = Livekit::start().await;
    livekit.create_room("studio").await;
    let nobody = format!("ws://127.0.0.1:{}", free_port());
    let unreachable = Tapedeck::start_with(&nobody, &[]).await;
    let wrong = "another-secret-0123456789abcdef-0123";
    let refused = Tapedeck::start_with(&livekit.ws_url(), &[("LIVEKIT_API_SECRET", wrong)]).await;
    let body = json!({ "roomName": "studio" });
    let unreachable = unreachable.post("/recordings/start", body.clone()).await;
    let refused_reply = refused.post("/recordings/start", body).await;
    assert_eq!((unreachable.status, refused_reply.status), (502, 502));
    assert_ne!(unreachable.error_message(), refused_reply.error_message());
    assert!(
        refused_reply.error_message().contains("key"),
        "{}",
        refused_reply.body
    );
    for text in [refused_reply.body.to_string(), refused.log()] {
        assert!(
            !text.contains(wrong) && !text.contains(API_SECRET),
            "a secret is told"
        );
    }
}
