//! Who may publish.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::Method;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use tapedeck_pipelines::control::{WhipAnswer, WhipRequest};

use super::*;

const OPERATOR: &str = "operator-key";

/// What an application signs for Alice; changes replace claims.
fn signed(secret: &str, room: &str, changes: Value) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut claims = json!({
        "iss": "devkey", "sub": "alice", "name": "Alice", "exp": now + 60,
        "video": {"roomJoin": true, "room": room}
    });
    for (key, value) in changes.as_object().unwrap() {
        claims[key] = value.clone();
    }
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

/// A token of Alice for a room of the server.
pub fn token(room: &str) -> String {
    signed(ROOMS_SECRET, room, json!({}))
}

fn server() -> Server {
    Server {
        access: Access {
            clients: ClientPaths::Key,
            operators: OperatorPaths::Key,
            keys: keys(OPERATOR, "client-key", "read-key"),
        },
        ..Server::default()
    }
}

async fn publish(server: &Server, path: &str, authorization: Option<&str>, offer: &str) -> Answer {
    *server.recorder.whip_answer.lock().unwrap() = Some(Ok(WhipAnswer::Published {
        session: "s1".into(),
        entity_tag: "\"1\"".into(),
        answer: "v=0".into(),
    }));
    let request = TestRequest::post()
        .uri(path)
        .insert_header(("content-type", "application/sdp"))
        .set_payload(offer.to_owned());
    let request = authorization.into_iter().fold(request, |request, value| {
        request.insert_header(("authorization", value))
    });
    server.send(request).await
}

/// Room, identity and name of the session that was asked for.
fn who(server: &Server) -> Option<(String, String, String)> {
    match server.recorder.whip_requests.lock().unwrap().pop()? {
        WhipRequest::Publish {
            room,
            identity,
            name,
            ..
        } => Some((room, identity, name)),
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn a_token_publishes_in_its_room() {
    let server = server();
    let long = "x".repeat(257);
    let video = |video: Value| {
        let mut all = json!({"roomJoin": true, "room": "studio"});
        for (key, value) in video.as_object().unwrap() {
            all[key] = value.clone();
        }
        signed(ROOMS_SECRET, "", json!({ "video": all }))
    };
    let with = |changes| signed(ROOMS_SECRET, "studio", changes);
    let cases = [
        (token("studio"), 201),
        (video(json!({"canPublish": true})), 201),
        (token("Studio"), 403),
        (video(json!({"canPublish": false})), 403),
        (video(json!({"roomJoin": false})), 403),
        (video(json!({"room": null})), 403),
        (with(json!({"sub": ""})), 403),
        (with(json!({ "sub": long })), 403),
        (with(json!({"name": "a\u{0}"})), 403),
        (with(json!({"exp": 1_000})), 401),
        (with(json!({"iss": "other"})), 401),
        (signed("secret", "studio", json!({})), 401),
        (signed("", "studio", json!({})), 401),
        ("client-key".into(), 401),
        ("x".into(), 401),
        (String::new(), 401),
    ];
    for (token, status) in cases {
        let answer = publish(
            &server,
            "/whip/studio",
            Some(&format!("Bearer {token}")),
            "",
        )
        .await;
        assert_eq!(answer.status, status, "{token} {:?}", answer.body);
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.is_some(), status == 401);
        assert!(challenge.is_none_or(|challenge| challenge.starts_with("Bearer")));
        let alice = ("studio".into(), "alice".into(), "Alice".into());
        assert_eq!(who(&server), (status == 201).then_some(alice));
        // What was sent is not sent back.
        assert!(token.is_empty() || !answer.json_text().contains(&token));
    }
    let answer = publish(&server, "/whip/studio", None, "").await;
    assert_eq!(
        (answer.status, answer.header("www-authenticate")),
        (401, Some("Bearer"))
    );
}

#[actix_web::test]
async fn a_token_publishes_what_it_is_granted() {
    let server = server();
    let sources = |sources: Value| {
        let video = json!({"roomJoin": true, "room": "studio", "canPublishSources": sources});
        format!(
            "Bearer {}",
            signed(ROOMS_SECRET, "", json!({ "video": video }))
        )
    };
    let (sound, picture) = ("v=0\r\nm=audio 9\r\n", "v=0\r\nm=video 9\r\n");
    let cases = [
        (json!([]), "/whip/studio", picture, 201),
        (json!(["microphone"]), "/whip/studio", sound, 201),
        (json!(["microphone"]), "/whip/studio", picture, 403),
        (json!(["camera"]), "/whip/studio?media=screen", picture, 403),
        (
            json!(["screen_share"]),
            "/whip/studio?media=screen",
            picture,
            201,
        ),
        (
            json!(["screen_share"]),
            "/whip/studio?media=screen",
            sound,
            403,
        ),
    ];
    for (granted, path, offer, status) in cases {
        let answer = publish(&server, path, Some(&sources(granted.clone())), offer).await;
        assert_eq!(answer.status, status, "{granted} {path} {offer:?}");
    }
}

#[actix_web::test]
async fn the_operator_publishes_as_anybody() {
    let server = server();
    let key = Some("Bearer operator-key");
    let cases = [
        ("?identity=bob&name=B%C3%B6b", Some(("bob", "Böb"))),
        ("?identity=bob", Some(("bob", "bob"))),
        ("?name=Bob", Some(("Bob", "Bob"))),
        ("?identity=a%00b", None),
    ];
    for (query, expected) in cases {
        publish(&server, &format!("/whip/any{query}"), key, "").await;
        let expected =
            expected.map(|(identity, name)| ("any".into(), identity.into(), name.into()));
        assert_eq!(who(&server), expected, "{query}");
    }
    let mut drawn = Vec::new();
    for _ in 0..2 {
        publish(&server, "/whip/any", key, "").await;
        let (_, identity, name) = who(&server).unwrap();
        assert!(
            identity.starts_with("publisher-") && identity == name,
            "{identity}"
        );
        drawn.push(identity);
    }
    assert_ne!(drawn[0], drawn[1]);
    // A participant cannot choose who it is.
    let alice = format!("Bearer {}", token("studio"));
    publish(
        &server,
        "/whip/studio?identity=bob&name=Bob",
        Some(&alice),
        "",
    )
    .await;
    assert_eq!(who(&server).unwrap().1, "alice");
}

#[actix_web::test]
async fn sessions_are_for_those_of_the_room_even_after_their_token() {
    let server = server();
    let of = |method: Method, token: &str| {
        TestRequest::with_uri("/whip/studio/s1")
            .method(method)
            .insert_header(("content-type", "application/trickle-ice-sdpfrag"))
            .insert_header(("authorization", format!("Bearer {token}")))
    };
    let expired = signed(ROOMS_SECRET, "studio", json!({"exp": 1_000}));
    for (method, answer, status) in [
        (Method::DELETE, WhipAnswer::Deleted, 200),
        (Method::PATCH, WhipAnswer::Trickled, 204),
    ] {
        for token in [&token("studio"), &expired, OPERATOR] {
            *server.recorder.whip_answer.lock().unwrap() = Some(Ok(answer.clone()));
            assert_eq!(server.send(of(method.clone(), token)).await.status, status);
        }
        let foreign = signed("secret", "studio", json!({}));
        for (token, status) in [(token("other"), 403), (foreign, 401), (String::new(), 401)] {
            assert_eq!(server.send(of(method.clone(), &token)).await.status, status);
        }
    }
    assert_eq!(server.recorder.whip_requests.lock().unwrap().len(), 6);
}

#[actix_web::test]
async fn without_keys_a_token_is_still_needed_and_there_for_the_asking() {
    let server = Server::default();
    assert_eq!(publish(&server, "/whip/studio", None, "").await.status, 401);
    let answer = server
        .post(
            "/token",
            json!({"roomName": "studio", "participantName": "Ana"}),
        )
        .await;
    let bearer = format!("Bearer {}", answer.json()["token"].as_str().unwrap());
    assert_eq!(
        publish(&server, "/whip/studio", Some(&bearer), "")
            .await
            .status,
        201
    );
    // What is spelt in another way is no way around.
    assert_eq!(
        publish(&server, "/%77hip/studio", None, "").await.status,
        401
    );
}

#[actix_web::test]
async fn tokens_are_for_the_kind_of_room_that_is_asked_for() {
    let mut server = Server::default();
    server.settings.livekit.url = "ws://localhost:7880".into();
    let token = async |source: Value| {
        let body = json!({"roomName": "studio", "participantName": "Ana", "source": source});
        let answer = server.post("/token", body).await;
        answer.json()["token"].as_str().map(str::to_owned)
    };
    let cases = [
        (json!(null), 401),
        (json!("livekit"), 401),
        (json!("whip"), 201),
    ];
    for (source, status) in cases {
        let bearer = format!("Bearer {}", token(source.clone()).await.unwrap());
        let answer = publish(&server, "/whip/studio", Some(&bearer), "").await;
        assert_eq!(answer.status, status, "{source}");
    }
    assert_eq!(token(json!("agora")).await, None);
}
