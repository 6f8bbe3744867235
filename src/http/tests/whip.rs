//! What WHIP clients are answered (RFC 9725), with a rooms process that answers as told.

use actix_web::http::Method;
use tapedeck_actors::RoomsError;
use tapedeck_pipelines::control::{WhipAnswer, WhipMedia, WhipRefusal, WhipRequest};

use super::whip_access::token;
use super::*;

const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
const SESSION: &str = "0123456789abcdef0123456789abcdef";
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

fn answers(server: &Server, answer: Result<WhipAnswer, RoomsError>) {
    *server.recorder.whip_answer.lock().unwrap() = Some(answer);
}

fn published() -> WhipAnswer {
    WhipAnswer::Published {
        session: SESSION.into(),
        entity_tag: "\"ice-1\"".into(),
        answer: "v=0\r\nanswer".into(),
    }
}

fn request(method: Method, path: &str, room: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .method(method)
        .insert_header(("authorization", format!("Bearer {}", token(room))))
}

fn post(path: &str, room: &str) -> TestRequest {
    request(Method::POST, path, room)
        .insert_header(("content-type", SDP))
        .set_payload(OFFER)
}

fn patch() -> TestRequest {
    request(Method::PATCH, &format!("/whip/studio/{SESSION}"), "studio")
        .insert_header(("content-type", FRAGMENT))
        .set_payload("a=end-of-candidates\r\n")
}

fn delete() -> TestRequest {
    request(Method::DELETE, &format!("/whip/studio/{SESSION}"), "studio")
}

fn asked(server: &Server) -> WhipRequest {
    server.recorder.whip_requests.lock().unwrap().remove(0)
}

#[actix_web::test]
async fn an_offer_is_answered_with_a_session() {
    let server = Server::default();
    answers(&server, Ok(published()));
    let answer = server.send(post("/whip/studio", "studio")).await;
    assert_eq!(
        (answer.status, &answer.body[..]),
        (201, &b"v=0\r\nanswer"[..])
    );
    let location = format!("/whip/studio/{SESSION}");
    for (name, value) in [
        ("location", location.as_str()),
        ("etag", "\"ice-1\""),
        ("content-type", SDP),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in ["Location", "ETag", "Link"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    assert_eq!(
        asked(&server),
        WhipRequest::Publish {
            room: "studio".into(),
            identity: "alice".into(),
            name: "Alice".into(),
            media: WhipMedia::Camera,
            offer: OFFER.into(),
        }
    );
}

#[actix_web::test]
async fn rooms_with_any_name_are_found_and_named() {
    for (path, room) in [
        ("/whip/%EB%B0%A9", "방"),
        ("/whip/a%2Fb", "a/b"),
        ("/whip/a%20b%3F", "a b?"),
        ("/whip/100%25", "100%"),
        ("/whip/%252F", "%2F"),
        ("/whip/a%2bb", "a+b"),
    ] {
        let server = Server::default();
        answers(&server, Ok(published()));
        let answer = server.send(post(path, room)).await;
        assert_eq!(answer.status, 201, "{path}");
        let WhipRequest::Publish { room: asked, .. } = asked(&server) else {
            panic!("something else was asked");
        };
        assert_eq!(asked, room);
        // Where the session is said to be, it is.
        let location = answer.header("location").unwrap().to_owned();
        answers(&server, Ok(WhipAnswer::Deleted));
        let deleted = server.send(request(Method::DELETE, &location, room)).await;
        assert_eq!(deleted.status, 200, "{location}");
        let deleted = self::asked(&server);
        let (room, session) = (room.to_owned(), SESSION.to_owned());
        assert_eq!(deleted, WhipRequest::Delete { room, session });
    }
}

#[actix_web::test]
async fn a_screen_is_a_session_of_its_own() {
    let server = Server::default();
    for (query, media) in [
        ("", Some(WhipMedia::Camera)),
        ("?media=camera", Some(WhipMedia::Camera)),
        ("?media=screen", Some(WhipMedia::Screen)),
        ("?media=slides", None),
    ] {
        answers(&server, Ok(published()));
        let path = format!("/whip/studio{query}");
        let answer = server.send(post(&path, "studio")).await;
        let Some(expected) = media else {
            assert_eq!(answer.status, 400);
            assert!(answer.error_message().contains("camera or screen"));
            continue;
        };
        let WhipRequest::Publish { media, .. } = asked(&server) else {
            panic!("something else was asked");
        };
        assert_eq!(media, expected);
    }
}

#[actix_web::test]
async fn candidates_are_taken_and_ice_is_restarted() {
    let server = Server::default();
    answers(&server, Ok(WhipAnswer::Trickled));
    let trickled = server
        .send(patch().insert_header(("if-match", "\"ice-1\"")))
        .await;
    assert_eq!(
        (
            trickled.status,
            trickled.body.len(),
            trickled.header("etag")
        ),
        (204, 0, None)
    );
    assert_eq!(
        asked(&server),
        WhipRequest::Patch {
            room: "studio".into(),
            session: SESSION.into(),
            if_match: Some("\"ice-1\"".into()),
            fragment: "a=end-of-candidates\r\n".into(),
        }
    );

    let restarted = WhipAnswer::Restarted {
        entity_tag: "\"ice-2\"".into(),
        fragment: "a=ice-ufrag:x\r\n".into(),
    };
    answers(&server, Ok(restarted));
    let restarted = server.send(patch().insert_header(("if-match", "*"))).await;
    assert_eq!(
        (restarted.status, &restarted.body[..]),
        (200, &b"a=ice-ufrag:x\r\n"[..])
    );
    assert_eq!(restarted.header("etag"), Some("\"ice-2\""));
    assert_eq!(restarted.header("content-type"), Some(FRAGMENT));
}

#[actix_web::test]
async fn each_refusal_has_its_status() {
    use WhipRefusal::{
        EntityTagMismatch, EntityTagMissing, Full, Internal, Malformed, NoPort, NotAcceptable,
        UnknownSession,
    };
    let cases = [
        (Malformed, 400),
        (NotAcceptable, 422),
        (UnknownSession, 404),
        (EntityTagMismatch, 412),
        (EntityTagMissing, 428),
        (Full, 503),
        (NoPort, 503),
        (Internal, 500),
    ];
    let server = Server::default();
    for (reason, status) in cases {
        for request in [post("/whip/studio", "studio"), patch(), delete()] {
            let message = "there is a reason".to_owned();
            answers(&server, Ok(WhipAnswer::Refused { reason, message }));
            let answer = server.send(request).await;
            assert_eq!(answer.status, status, "{reason:?}");
            assert_eq!(answer.error_message(), "There is a reason");
            assert_eq!(answer.header("retry-after").is_some(), status == 503);
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        }
    }
    for error in [
        RoomsError::Timeout,
        RoomsError::NotRunning("no memory".into()),
    ] {
        answers(&server, Err(error.clone()));
        let answer = server.send(post("/whip/studio", "studio")).await;
        assert_eq!(answer.status, 503, "{error:?}");
        assert!(answer.header("retry-after").is_some());
    }
}

#[actix_web::test]
async fn answers_that_do_not_belong_to_the_request_are_no_success() {
    let server = Server::default();
    answers(&server, Ok(WhipAnswer::Trickled));
    let answer = server.send(post("/whip/studio", "studio")).await;
    assert_eq!(answer.status, 500);
    answers(&server, Ok(WhipAnswer::Deleted));
    assert_eq!(server.send(patch()).await.status, 500);
    answers(&server, Ok(published()));
    assert_eq!(server.send(delete()).await.status, 500);
    let broken = WhipAnswer::Published {
        session: SESSION.into(),
        entity_tag: "\"a\r\nx: y\"".into(),
        answer: String::new(),
    };
    answers(&server, Ok(broken));
    let answer = server.send(post("/whip/studio", "studio")).await;
    assert_eq!((answer.status, answer.header("x")), (500, None));
}

#[actix_web::test]
async fn only_the_right_content_types_are_taken() {
    let server = Server::default();
    let of = |content_type: &'static str| {
        request(Method::POST, "/whip/studio", "studio")
            .insert_header(("content-type", content_type))
            .set_payload(OFFER)
    };
    for content_type in [SDP, "Application/SDP", "application/sdp; charset=utf-8"] {
        answers(&server, Ok(published()));
        assert_eq!(server.send(of(content_type)).await.status, 201);
        asked(&server);
    }
    for content_type in ["", "text/plain", "application/sdpx", FRAGMENT] {
        let answer = server.send(of(content_type)).await;
        assert_eq!(answer.status, 415, "{content_type}");
        assert!(answer.error_message().contains(SDP));
    }
    let without = request(Method::POST, "/whip/studio", "studio").set_payload(OFFER);
    assert_eq!(server.send(without).await.status, 415);
    let offer = request(Method::PATCH, &format!("/whip/studio/{SESSION}"), "studio")
        .insert_header(("content-type", SDP))
        .set_payload(OFFER);
    let answer = server.send(offer).await;
    assert_eq!(answer.status, 415);
    assert!(answer.error_message().contains(FRAGMENT));
    assert!(server.recorder.whip_requests.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn hostile_bodies_do_not_reach_the_rooms_process() {
    let server = Server::default();
    let with = |body: Vec<u8>| {
        request(Method::POST, "/whip/studio", "studio")
            .insert_header(("content-type", SDP))
            .set_payload(body)
    };
    let largest = 64 << 10;
    let cases = [
        (vec![b'a'; largest + 1], 413),
        (vec![b'a'; 1 << 20], 413),
        (vec![0xff, 0xfe], 400),
    ];
    for (body, status) in cases {
        let answer = server.send(with(body)).await;
        assert_eq!(answer.status, status);
        assert!(!answer.error_message().is_empty());
    }
    assert!(server.recorder.whip_requests.lock().unwrap().is_empty());
    answers(&server, Ok(published()));
    let answer = server.send(with(vec![b'a'; largest])).await;
    assert_eq!(answer.status, 201);
}

#[actix_web::test]
async fn names_that_cannot_be_are_refused() {
    let server = Server::default();
    for (path, room, status) in [
        (format!("/whip/{}", "x".repeat(257)), "x".repeat(257), 400),
        ("/whip/%20".into(), " ".into(), 400),
        ("/whip/a%00".into(), "a\u{0}".into(), 400),
        ("/whip/a%0a".into(), "a\n".into(), 400),
        ("/whip/%ff".into(), "x".into(), 400),
        ("/whip/".into(), "x".into(), 404),
        ("/whip".into(), "x".into(), 404),
    ] {
        let answer = server.send(post(&path, &room)).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let long = "a".repeat(65);
    for session in ["%2e%2e", "a%2fb", "a%20b", "%EB%B0%A9", &long] {
        let path = format!("/whip/studio/{session}");
        let answer = server.send(request(Method::DELETE, &path, "studio")).await;
        assert_eq!(answer.status, 404, "{session}");
    }
    assert!(server.recorder.whip_requests.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn other_methods_are_told_the_right_ones() {
    let server = Server::default();
    let session = format!("/whip/studio/{SESSION}");
    for (path, methods, allow) in [
        (
            "/whip/studio",
            [Method::GET, Method::HEAD, Method::PUT, Method::DELETE],
            "POST, OPTIONS",
        ),
        (
            session.as_str(),
            [Method::GET, Method::HEAD, Method::PUT, Method::POST],
            "PATCH, DELETE, OPTIONS",
        ),
    ] {
        for method in methods {
            let answer = server
                .send(TestRequest::with_uri(path).method(method.clone()))
                .await;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allow)),
                "{method} {path}"
            );
        }
    }
}

#[actix_web::test]
async fn any_page_may_ask_what_is_possible() {
    let server = Server {
        access: Access {
            clients: ClientPaths::Key,
            operators: OperatorPaths::Closed,
            keys: keys("", "client-key", ""),
        },
        ..Server::default()
    };
    for path in ["/whip/studio", &format!("/whip/studio/{SESSION}")] {
        let preflight = TestRequest::with_uri(path)
            .method(Method::OPTIONS)
            .insert_header(("host", "rooms.example"))
            .insert_header(("origin", "https://app.example"))
            .insert_header(("access-control-request-method", "PATCH"));
        let answer = server.send(preflight).await;
        assert_eq!(answer.status, 200);
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            (
                "access-control-allow-methods",
                "POST, PATCH, DELETE, OPTIONS",
            ),
            (
                "access-control-allow-headers",
                "Authorization, Content-Type, If-Match",
            ),
            ("accept-post", SDP),
            ("accept-patch", FRAGMENT),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
    let plain = TestRequest::with_uri("/whip/studio").method(Method::OPTIONS);
    assert_eq!(server.send(plain).await.header("accept-post"), Some(SDP));
}
