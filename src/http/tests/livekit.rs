use serde_json::json;

use crate::webhooks::sign;

use super::*;

const BODY: &str = r#"{"event":"room_started","room":{"sid":"RM_1","name":"studio"}}"#;

fn credentials(secret: &str) -> Credentials {
    Credentials {
        api_key: "devkey".into(),
        api_secret: Secret::new(secret),
    }
}

fn post(authorization: &str, body: &str) -> TestRequest {
    TestRequest::post()
        .uri("/livekit/webhook")
        .insert_header(("authorization", authorization))
        .insert_header(("content-type", "application/webhook+json"))
        .set_payload(body.to_owned())
}

#[actix_web::test]
async fn webhooks_of_livekit_are_taken_and_others_are_not() {
    // Its signature is its key.
    let server = Server {
        access: Access {
            clients: ClientPaths::Key,
            operators: OperatorPaths::Closed,
            keys: Keys::default(),
        },
        ..Server::default()
    };
    let signed = sign(&credentials("secret"), BODY.as_bytes()).unwrap();
    let taken = server.send(post(&signed, BODY)).await;
    assert_eq!((taken.status, taken.body.len()), (200, 0));
    // What is of no use to us is no fault of the sender.
    for body in ["", "no JSON", r#"{"event":"of_a_later_version"}"#] {
        let signed = sign(&credentials("secret"), body.as_bytes()).unwrap();
        assert_eq!(server.send(post(&signed, body)).await.status, 200, "{body}");
    }
    let foreign = sign(&credentials("guessed"), BODY.as_bytes()).unwrap();
    for (authorization, body) in [
        ("", BODY),
        ("Bearer x", BODY),
        (foreign.as_str(), BODY),
        (signed.as_str(), r#"{"event":"room_finished"}"#),
    ] {
        let refused = server.send(post(authorization, body)).await;
        assert_eq!(refused.status, 401, "{authorization}");
        assert!(refused.json()["errorMessage"].is_string());
    }
    let large = "x".repeat(70_000);
    let signed = sign(&credentials("secret"), large.as_bytes()).unwrap();
    assert_eq!(server.send(post(&signed, &large)).await.status, 413);
    assert_eq!(server.get("/livekit/webhook").await.status, 405);
    assert_eq!(server.post("/livekit/other", json!({})).await.status, 403);
}

/// Tells a server of somebody who joins, and waits until it has done what it does.
async fn join(server: &Server, services: &Data<Services>, room: &str) {
    let body = json!({"event": "participant_joined", "room": {"sid": "RM_1", "name": room},
        "participant": {"identity": "alice"}})
    .to_string();
    let signed = sign(&credentials("secret"), body.as_bytes()).unwrap();
    let taken = server.send_to(services.clone(), post(&signed, &body)).await;
    assert_eq!(taken.status, 200);
    for _ in 0..20 {
        actix_web::rt::task::yield_now().await;
    }
}

#[actix_web::test]
async fn a_room_is_recorded_once_and_again_when_that_failed() {
    let mut server = Server::default();
    server.settings.auto_record.rooms = "stu*".into();
    server.settings.auto_record.audio_only = true;
    let services = server.services();
    let started = || server.recorder.requests.lock().unwrap().len();
    join(&server, &services, "other").await;
    assert_eq!(started(), 0);
    *server.recorder.start_error.lock().unwrap() = Some(tapedeck_actors::StartError::Timeout(10));
    join(&server, &services, "studio").await;
    assert_eq!(started(), 0);
    // While it waits for the next try, others change nothing.
    join(&server, &services, "studio").await;
    assert_eq!(started(), 0);
    actix_web::rt::time::sleep(std::time::Duration::from_millis(1_300)).await;
    assert_eq!(started(), 1);
    assert!(
        server.recorder.requests.lock().unwrap()[0]
            .output
            .audio_only
    );
    for _ in 0..3 {
        join(&server, &services, "studio").await;
    }
    assert_eq!(started(), 1);
}
