//! The paths of Memharbor.

use serde_json::json;

use crate::http::agora::ApiLog;

use super::*;

const APP_ID: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";

/// A server with an app.
pub fn server() -> Server {
    let mut server = Server::default();
    server.settings.agora.app_id = APP_ID.into();
    server.settings.agora.app_certificate = Secret::new(CERTIFICATE);
    server
}

/// What a refusal says, which is all that it says.
pub fn error(answer: &Answer) -> String {
    let body = answer.json();
    let fields = body.as_object().unwrap();
    assert_eq!(fields.len(), 1, "{body}");
    fields["error"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn tokens_are_given_out_as_memharbor_does() {
    let server = server();
    for (body, length, expire_in) in [
        (
            json!({"channel": "g_a_b", "uid": 12345, "role": "publisher", "expire": 86400}),
            139,
            86_400,
        ),
        (json!({"channel": "g_a_b", "uid": "12345"}), 115, 86_400),
        (
            json!({"channel": "g_a_b", "uid": 0, "expire": "60"}),
            115,
            60,
        ),
        (
            json!({"channel": "g_a_b", "user_account": "alice"}),
            115,
            86_400,
        ),
        (
            json!({"channel": "g_a_b", "uid": 4_294_967_295_u32, "expire": 90_000.0}),
            115,
            86_400,
        ),
        (
            json!({"channel": "x".repeat(64), "uid": 1, "user_account": 7, "role": ""}),
            115,
            86_400,
        ),
    ] {
        let answer = server.post("/api/token", body.clone()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.json_text());
        let answer = answer.json();
        let token = answer["token"].as_str().unwrap();
        assert!(token.starts_with(&format!("006{APP_ID}")), "{token}");
        assert_eq!(token.len(), length, "{body}");
        assert_eq!(answer["expire_in"], expire_in);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let ends_in = answer["expire_at"].as_i64().unwrap() - now.unwrap().as_secs() as i64;
        assert!((expire_in - 5..=expire_in).contains(&ends_in), "{ends_in}");
    }
    let twice = json!({"channel": "g_a_b", "uid": 1});
    let first = server.post("/api/token/", twice.clone()).await.json();
    let second = server.post("/api/token/", twice).await.json();
    assert_ne!(
        first["token"], second["token"],
        "each has a salt of its own"
    );
}

#[actix_web::test]
async fn the_newer_format_is_a_matter_of_configuration() {
    let mut server = server();
    server.settings.agora.token_version = crate::agora::TokenVersion::V007;
    let answer = server
        .post("/api/token", json!({"channel": "g_a_b", "uid": 1}))
        .await;
    assert!(
        answer.json()["token"]
            .as_str()
            .unwrap()
            .starts_with("007eJ")
    );
}

#[actix_web::test]
async fn what_is_wrong_with_a_request_is_named() {
    let server = server();
    for (body, named) in [
        (json!({}), "channel"),
        (json!({"uid": 1}), "channel"),
        (json!({"channel": "", "uid": 1}), "channel"),
        (json!({"channel": ["a"], "uid": 1}), "channel"),
        (json!({"channel": "x".repeat(65), "uid": 1}), "channel"),
        (json!({"channel": "a/b", "uid": 1}), "channel"),
        (json!({"channel": "a\u{0}b", "uid": 1}), "channel"),
        (json!({"channel": "방", "uid": 1}), "channel"),
        (json!({"channel": "a"}), "uid or user_account"),
        (
            json!({"channel": "a", "uid": null, "user_account": ""}),
            "uid or user_account",
        ),
        (json!({"channel": "a", "uid": -1}), "uid"),
        (json!({"channel": "a", "uid": 4_294_967_296_u64}), "uid"),
        (
            json!({"channel": "a", "uid": "99999999999999999999999"}),
            "uid",
        ),
        (json!({"channel": "a", "uid": 1.5}), "uid"),
        (json!({"channel": "a", "uid": "alice"}), "uid"),
        (json!({"channel": "a", "uid": true}), "uid"),
        (
            json!({"channel": "a", "user_account": "x".repeat(256)}),
            "user_account",
        ),
        (
            json!({"channel": "a", "user_account": "a\nb"}),
            "user_account",
        ),
        (json!({"channel": "a", "uid": 1, "role": "host"}), "role"),
        (json!({"channel": "a", "uid": 1, "role": 1}), "role"),
        (json!({"channel": "a", "uid": 1, "expire": 0}), "expire"),
        (json!({"channel": "a", "uid": 1, "expire": -5}), "expire"),
        (
            json!({"channel": "a", "uid": 1, "expire": "soon"}),
            "expire",
        ),
    ] {
        let answer = server.post("/api/token", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            error(&answer).starts_with(named),
            "{body}: {}",
            error(&answer)
        );
    }
    let answer = server
        .send(TestRequest::post().uri("/api/token").set_payload("{"))
        .await;
    assert_eq!(answer.status, 400);
    assert!(error(&answer).contains("JSON"));
    assert_eq!(
        server
            .send(TestRequest::get().uri("/api/token"))
            .await
            .status,
        405
    );
    let unknown = server.send(TestRequest::get().uri("/api/nothing")).await;
    assert_eq!((unknown.status, error(&unknown).is_empty()), (404, false));
}

#[actix_web::test]
async fn without_an_app_there_are_no_tokens() {
    for (app_id, certificate, named) in [
        ("", CERTIFICATE, "AGORA_APP_ID"),
        ("your_app_id", CERTIFICATE, "AGORA_APP_ID"),
        (APP_ID, "", "AGORA_APP_CERT"),
        (APP_ID, "your_app_cert", "AGORA_APP_CERT"),
    ] {
        let mut server = Server::default();
        server.settings.agora.app_id = app_id.into();
        server.settings.agora.app_certificate = Secret::new(certificate);
        let answer = server
            .post("/api/token", json!({"channel": "a", "uid": 1}))
            .await;
        assert_eq!(answer.status, 503);
        assert!(error(&answer).contains(named), "{}", error(&answer));
        assert!(!error(&answer).contains("your_app_cert"));
    }
}

#[actix_web::test]
async fn health_tells_the_cause() {
    let answer = server().send(TestRequest::get().uri("/api/health")).await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("ok"))
    );
    let recorder = FakeRecorder {
        unready: Some("The registry does not answer".into()),
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..server()
    };
    let answer = server.send(TestRequest::get().uri("/api/health")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(error(&answer), "The registry does not answer");
}

#[actix_web::test]
async fn every_request_is_logged_without_what_is_secret() {
    let server = server();
    let path = server.data_dir.path().join("logs/api.log");
    let log = Data::new(ApiLog::open(&path).unwrap());
    let app = App::new()
        .app_data(log)
        .app_data(server.services())
        .app_data(Data::new(server.access.clone()))
        .configure(routes)
        .wrap(from_fn(arrive));
    let app = test::init_service(app).await;
    let peer = "172.19.0.5:40000".parse().unwrap();
    let mut token = String::new();
    for body in [
        json!({"channel": "group1_alice_bob", "uid": 12345, "secret": "hidden"}),
        json!({"channel": "two\n[2026-01-01 00:00:00] INFO api lines", "uid": 1}),
    ] {
        let request = TestRequest::post().uri("/api/token").peer_addr(peer);
        let response = test::call_service(&app, request.set_json(body).to_request()).await;
        let answer: Value = test::read_body_json(response).await;
        token.push_str(answer["token"].as_str().unwrap_or_default());
    }
    let text = loop {
        match std::fs::read_to_string(&path) {
            Ok(text) if text.matches('\n').count() >= 6 => break text,
            _ => actix_rt::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    };
    let lines: Vec<&str> = text
        .lines()
        .map(|line| &line["[2026-02-04 02:56:22] ".len()..])
        .collect();
    assert_eq!(
        lines[..3],
        [
            "INFO api [TOKEN] POST from 172.19.0.5",
            "INFO api [TOKEN] Request data: {'channel': 'group1_alice_bob', 'uid': 12345}",
            "INFO api [TOKEN] Success: channel=group1_alice_bob, uid=12345",
        ]
    );
    assert!(
        lines[5].starts_with("WARNING api [TOKEN] Failed (400): channel must not hold"),
        "{}",
        lines[5]
    );
    assert_eq!(lines.len(), 6);
    assert!(!token.is_empty() && !text.contains(&token) && !text.contains(CERTIFICATE));
}
