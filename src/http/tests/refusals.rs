use serde_json::json;
use tapedeck_storage::StoreError;

use super::*;
use crate::http::refusal::Refusal;

#[actix_web::test]
async fn tokens_need_both_names() {
    let server = Server::default();
    for body in [
        json!({}),
        json!({"roomName": "r"}),
        json!({"participantName": "p"}),
        json!({"roomName": "", "participantName": "p"}),
    ] {
        let answer = server.post("/token", body).await;
        assert_eq!(
            (answer.status, answer.error_message().as_str()),
            (400, "roomName and participantName are required")
        );
    }
    let answer = server
        .post("/token", json!({"roomName": "r", "participantName": "p"}))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json()["token"].as_str().unwrap().split('.').count(),
        3
    );
}

#[actix_web::test]
async fn bodies_that_are_no_object_are_refused() {
    let server = Server::default();
    for path in ["/token", "/recordings/start", "/recordings/stop"] {
        for body in [
            "{",
            "[1]",
            "7",
            "\"text\"",
            "{\"roomName\": 1, }",
            "\u{feff}{}",
        ] {
            let answer = server
                .send(TestRequest::post().uri(path).set_payload(body))
                .await;
            assert_eq!(answer.status, 400, "{path} {body}");
            assert!(!answer.error_message().is_empty());
        }
        let nothing = server.send(TestRequest::post().uri(path)).await;
        assert!(nothing.error_message().contains("required"), "{path}");
    }
}

#[actix_web::test]
async fn large_bodies_are_refused() {
    let server = Server::default();
    let body = format!("{{\"roomName\": \"{}\"}}", "x".repeat(70_000));
    let answer = server
        .send(
            TestRequest::post()
                .uri("/recordings/start")
                .set_payload(body),
        )
        .await;
    assert_eq!(answer.status, 413);
    assert!(answer.error_message().contains("65536 bytes"));
}

#[actix_web::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Server::default();
    let answer = server
        .send(TestRequest::put().uri("/recordings/start"))
        .await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("POST, OPTIONS"))
    );
    assert!(!answer.error_message().is_empty());
    let answer = server.send(TestRequest::post().uri("/v1/recordings")).await;
    assert_eq!(answer.status, 405);
}

#[actix_web::test]
async fn unknown_paths_are_json_in_the_shape_of_their_interface() {
    let server = Server::default();
    let answer = server.get("/nothing").await;
    assert_eq!(answer.status, 404);
    assert!(!answer.error_message().is_empty());
    let answer = server.get("/v1/nothing").await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_str()),
        (404, Some("no_such_path"))
    );
    // The path is not /recordings/start, and no recording has this name.
    assert_eq!(server.get("/recordings/start").await.status, 405);
}

#[test]
fn a_store_that_is_away_is_told_apart_from_a_recording_that_is_not_there() {
    let (action, name, detail) = ("read", "a.mp4".to_owned(), "403 KEY".to_owned());
    let refused = StoreError::Refused {
        action,
        name: name.clone(),
        detail: detail.clone(),
    };
    let failed = StoreError::Failed {
        action,
        name: name.clone(),
        detail: detail.clone(),
    };
    for (error, status) in [
        (StoreError::NotFound(name.clone()), 404),
        (refused, 503),
        (failed, 503),
        (StoreError::Integrity { name, detail }, 500),
    ] {
        let refusal = Refusal::of_store(&error, "a test");
        assert_eq!(refusal.status, status, "{error}");
        assert!(!refusal.message.contains("KEY"), "{}", refusal.message);
    }
}
