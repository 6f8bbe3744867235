use serde_json::json;

use super::*;

const OPERATOR: &str = "operator-key";
const CLIENT: &str = "client-key";
const READ: &str = "read-key";

fn with(clients: ClientPaths, operators: OperatorPaths, keys: Keys) -> Server {
    Server {
        access: Access {
            clients,
            operators,
            keys,
        },
        ..Server::default()
    }
}

async fn statuses(server: &Server, header: Option<(&str, &str)>) -> [u16; 3] {
    let mut statuses = [0; 3];
    for (status, path) in statuses
        .iter_mut()
        .zip(["/recordings", "/status", "/healthz"])
    {
        let request = TestRequest::get().uri(path);
        let request = header
            .into_iter()
            .fold(request, |request, header| request.insert_header(header));
        *status = server.send(request).await.status;
    }
    statuses
}

#[actix_web::test]
async fn keys_open_what_they_are_for() {
    let server = with(
        ClientPaths::Key,
        OperatorPaths::Key,
        keys(OPERATOR, CLIENT, READ),
    );
    let cases = [
        (None, [401, 401, 200]),
        (Some("Bearer operator-key"), [200, 200, 200]),
        (Some("bearer  operator-key"), [200, 200, 200]),
        (Some("Bearer client-key"), [200, 403, 200]),
        (Some("Bearer read-key"), [200, 200, 200]),
        (Some("Bearer operator-keys"), [401, 401, 200]),
        (Some("Bearer "), [401, 401, 200]),
        (Some("Basic operator-key"), [401, 401, 200]),
        (Some("operator-key"), [401, 401, 200]),
    ];
    for (authorization, expected) in cases {
        let header = authorization.map(|value| ("authorization", value));
        assert_eq!(
            statuses(&server, header).await,
            expected,
            "{authorization:?}"
        );
    }
    let refused = server.get("/v1/recordings").await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(refused.json()["error"]["code"], "unauthorized");
    // What is spelt in another way is no way around.
    assert_eq!(server.get("/%73tatus").await.status, 401);
    assert_eq!(server.get("//status").await.status, 401);
    assert_eq!(
        server
            .post("/recordings/start", json!({"roomName": "studio"}))
            .await
            .status,
        401
    );
    assert!(server.recorder.requests.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn refusals_say_what_is_lacking() {
    let server = with(
        ClientPaths::Key,
        OperatorPaths::Key,
        keys(OPERATOR, CLIENT, READ),
    );
    let message = async |path: &str, key: &str| {
        let request = TestRequest::post()
            .uri(path)
            .insert_header(("authorization", format!("Bearer {key}")));
        server.send(request).await.json_text()
    };
    let insufficient = message("/recordings/start", READ).await;
    assert!(insufficient.contains("auth.client_key"), "{insufficient}");
    let participant = server
        .services()
        .credentials
        .own
        .participant(&crate::livekit::ParticipantToken {
            room: "studio",
            participant: "alice",
            room_record: false,
            valid_for: std::time::Duration::from_secs(60),
        })
        .unwrap();
    let lacking = message("/recordings/start", &participant).await;
    assert!(lacking.contains("roomRecord"), "{lacking}");
}

#[actix_web::test]
async fn open_clients_do_not_open_the_operators_paths() {
    let server = with(ClientPaths::Open, OperatorPaths::Closed, Keys::default());
    assert_eq!(
        statuses(&server, Some(("host", "tapedeck.example"))).await,
        [200, 403, 200]
    );
    assert!(
        server
            .get("/status")
            .await
            .error_message()
            .contains("auth.operator_key")
    );
}

#[actix_web::test]
async fn without_configuration_foreign_host_names_are_refused() {
    let server = Server::default();
    assert_eq!(
        statuses(&server, Some(("host", "localhost:6080"))).await,
        [200, 200, 200]
    );
    assert_eq!(
        statuses(&server, Some(("host", "[::1]:6080"))).await,
        [200, 200, 200]
    );
    assert_eq!(
        statuses(&server, Some(("host", "evil.example:6080"))).await,
        [421, 421, 200]
    );
    let open = with(
        ClientPaths::Open,
        OperatorPaths::OpenLocally,
        Keys::default(),
    );
    assert_eq!(
        statuses(&open, Some(("host", "evil.example:6080"))).await,
        [200, 421, 200]
    );
}

#[actix_web::test]
async fn other_origins_may_call_the_clients_paths_when_these_are_open() {
    let preflight = |path: &str| {
        TestRequest::with_uri(path)
            .method(actix_web::http::Method::OPTIONS)
            .insert_header(("origin", "https://app.example"))
            .insert_header(("access-control-request-method", "POST"))
            .insert_header(("access-control-request-headers", "content-type"))
    };
    let allowed = |answer: &Answer| {
        answer
            .header("access-control-allow-origin")
            .map(str::to_owned)
    };

    let open = with(ClientPaths::Open, OperatorPaths::Closed, Keys::default());
    let answer = open.send(preflight("/recordings/start")).await;
    assert_eq!(
        (answer.status, allowed(&answer).as_deref()),
        (204, Some("*"))
    );
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("Content-Type")
    );
    assert_eq!(
        allowed(&open.get("/recordings").await).as_deref(),
        Some("*")
    );
    // A refusal must be readable by the page as well.
    assert_eq!(
        allowed(&open.post("/token", json!({})).await).as_deref(),
        Some("*")
    );
    assert_eq!(allowed(&open.get("/status").await), None);
    assert_eq!(allowed(&open.send(preflight("/v1/recordings")).await), None);

    let closed = with(
        ClientPaths::Key,
        OperatorPaths::Closed,
        keys("", CLIENT, ""),
    );
    assert_eq!(
        allowed(&closed.send(preflight("/recordings/start")).await),
        None
    );
    assert_eq!(allowed(&closed.get("/recordings").await), None);
}

#[actix_web::test]
async fn what_is_open_to_this_machine_is_not_open_to_pages_of_others() {
    let server = Server::default();
    let of = |method: &str, path: &str, origin: &'static str| {
        TestRequest::with_uri(path)
            .method(method.parse().unwrap())
            .insert_header(("host", "localhost:6080"))
            .insert_header(("origin", origin))
    };
    for origin in ["https://evil.example", "null"] {
        for (method, path) in [
            ("GET", "/recordings"),
            ("POST", "/recordings/start"),
            ("DELETE", "/recordings/studio.mp4"),
            ("OPTIONS", "/recordings/studio.mp4"),
            ("GET", "/status"),
            ("POST", "/v1/webhooks/replay"),
        ] {
            let answer = server.send(of(method, path, origin)).await;
            assert_eq!(answer.status, 403, "{method} {path} of {origin}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    for origin in ["http://localhost:5080", "http://127.0.0.1:6080"] {
        let listed = server.send(of("GET", "/recordings", origin)).await;
        assert_eq!(listed.status, 200);
        assert_eq!(listed.header("access-control-allow-origin"), Some(origin));
        assert_eq!(listed.header("vary"), Some("Origin"));
        let preflight = of("OPTIONS", "/recordings/studio.mp4", origin);
        assert_eq!(server.send(preflight).await.status, 204);
        assert_eq!(server.send(of("GET", "/status", origin)).await.status, 200);
    }
}
