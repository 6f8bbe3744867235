//! Who may call what: every route, with every kind of credentials.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::Method;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;

const OPERATOR: &str = "operator-key";
const CLIENT: &str = "client-key";
const READ: &str = "read-key";
const RECORDING: &str = "studio.mp4";

/// What kind of right a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A participant's token, which is for a room of the server.
    ToPublish,
    /// Likewise, which may have expired.
    ToGoOn,
    /// LiveKit's signature of the body, which nothing else replaces.
    ToTell,
    /// A client's right to change things, or to hand out tokens.
    ToChange,
    /// What LiveKit's `roomRecord` is for.
    ToRecord,
    /// Likewise, without changing anything.
    ToList,
    /// A client's right to read.
    ToRead,
    /// Likewise, and a signed link will do.
    Content,
    ToWatch,
    ToOperate,
}

use Needs::*;

const ROUTES: &[(&str, &str, Needs)] = &[
    ("POST", "/token", ToChange),
    ("POST", "/recordings/start", ToRecord),
    ("POST", "/recordings/stop", ToRecord),
    ("POST", "/recordings/pause", ToRecord),
    ("POST", "/recordings/resume", ToRecord),
    ("GET", "/recordings", ToList),
    ("GET", "/recordings/", ToList),
    ("GET", "/recordings/{name}", Content),
    ("HEAD", "/recordings/{name}", Content),
    ("DELETE", "/recordings/{name}", ToChange),
    ("GET", "/recordings/{name}/url", ToRead),
    ("GET", "/api/health", Nothing),
    ("HEAD", "/api/health", Nothing),
    ("GET", "/api/health/", Nothing),
    ("HEAD", "/api/health/", Nothing),
    ("POST", "/api/token", ToChange),
    ("POST", "/api/token/", ToChange),
    ("POST", "/api/recording/start", ToChange),
    ("POST", "/api/recording/start/", ToChange),
    ("POST", "/api/recording/stop", ToChange),
    ("POST", "/api/recording/stop/", ToChange),
    ("GET", "/api/recording/status", ToRead),
    ("GET", "/api/recording/status/", ToRead),
    ("GET", "/api/recording/list", ToRead),
    ("GET", "/api/recording/list/", ToRead),
    ("POST", "/livekit/webhook", ToTell),
    ("POST", "/whip/{room}", ToPublish),
    ("PATCH", "/whip/{room}/{session}", ToGoOn),
    ("DELETE", "/whip/{room}/{session}", ToGoOn),
    ("GET", "/", Nothing),
    ("HEAD", "/", Nothing),
    ("GET", "/publish", Nothing),
    ("HEAD", "/publish", Nothing),
    ("GET", "/web/{file}", Nothing),
    ("HEAD", "/web/{file}", Nothing),
    ("GET", "/api-docs", Nothing),
    ("HEAD", "/api-docs", Nothing),
    ("GET", "/openapi.json", Nothing),
    ("HEAD", "/openapi.json", Nothing),
    ("GET", "/v1/info", Nothing),
    ("GET", "/v1/rooms", ToWatch),
    ("GET", "/v1/recordings", ToWatch),
    ("GET", "/v1/recordings/{id}", ToWatch),
    ("GET", "/v1/recordings/{id}/preview", ToWatch),
    ("GET", "/v1/recordings/{id}/poster", ToWatch),
    ("HEAD", "/v1/recordings/{id}/poster", ToWatch),
    ("GET", "/v1/recordings/{id}/link", ToWatch),
    ("GET", "/v1/events", ToWatch),
    ("GET", "/v1/uploads", ToWatch),
    ("POST", "/v1/uploads/{id}/retry", ToOperate),
    ("GET", "/v1/webhooks", ToWatch),
    ("POST", "/v1/webhooks/replay", ToOperate),
    ("POST", "/v1/webhooks/{id}/replay", ToOperate),
    ("GET", "/status", ToWatch),
    ("GET", "/status/{id}", ToWatch),
    ("GET", "/metrics", ToWatch),
    ("GET", "/healthz", Nothing),
    ("HEAD", "/healthz", Nothing),
    ("GET", "/readyz", Nothing),
    ("HEAD", "/readyz", Nothing),
];

/// The routes that `routes` registers, read from its text: paths, then what it says of methods.
pub fn registered() -> BTreeSet<(String, String)> {
    let text = include_str!("../mod.rs");
    let quoted = |text: &str| -> Vec<String> {
        text.split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let mut found = BTreeSet::new();
    for service in text.split(".service(resource(").skip(1) {
        let service = service.split(".service(").next().unwrap();
        let service = service.split(".default_service(").next().unwrap();
        let (paths, rest) = service.split_once(']').unwrap();
        let allowed = quoted(rest).pop().unwrap();
        for path in quoted(paths) {
            for method in allowed.split(", ").filter(|method| *method != "OPTIONS") {
                found.insert((method.to_owned(), path.clone()));
            }
        }
    }
    found
}

#[test]
fn every_route_has_its_row() {
    let rows: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let registered = registered();
    assert!(registered.len() > 40, "{registered:?}");
    let lacking: Vec<_> = registered.difference(&rows).collect();
    let gone: Vec<_> = rows.difference(&registered).collect();
    assert!(
        lacking.is_empty() && gone.is_empty(),
        "say in ROUTES who may call {lacking:?}; there is no {gone:?}"
    );
}

#[derive(Clone, Copy, Debug)]
enum Shown {
    Nothing,
    WrongKey,
    ReadKey,
    ClientKey,
    OperatorKey,
    /// Signed for this server, with `roomRecord`.
    Token,
    ExpiredToken,
    /// Signed by somebody else, or not at all.
    ForeignToken,
    UnsignedToken,
    Link,
}

fn token(secret: &str, issuer: &str, valid_for: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = json!({
        "iss": issuer, "sub": "alice", "exp": now.saturating_add_signed(valid_for),
        "video": {"roomRecord": true},
    });
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

fn bearer_of(shown: Shown) -> Option<String> {
    Some(match shown {
        Shown::Nothing | Shown::Link => return None,
        Shown::WrongKey => "operator-kez".into(),
        Shown::ReadKey => READ.into(),
        Shown::ClientKey => CLIENT.into(),
        Shown::OperatorKey => OPERATOR.into(),
        Shown::Token => token(ROOMS_SECRET, "devkey", 60),
        Shown::ExpiredToken => token(ROOMS_SECRET, "devkey", -60),
        // What everybody can sign: the secret of LiveKit's development server.
        Shown::ForeignToken => token("secret", "devkey", 60),
        Shown::UnsignedToken => {
            let signed = token(ROOMS_SECRET, "devkey", 60);
            format!("eyJhbGciOiJub25lIn0.{}.", signed.split('.').nth(1).unwrap())
        }
    })
}

const SHOWN: [Shown; 10] = [
    Shown::Nothing,
    Shown::WrongKey,
    Shown::ReadKey,
    Shown::ClientKey,
    Shown::OperatorKey,
    Shown::Token,
    Shown::ExpiredToken,
    Shown::ForeignToken,
    Shown::UnsignedToken,
    Shown::Link,
];

/// Is not refused for lack of a right, whatever else comes of it.
const OK: u16 = 200;

/// With all keys configured, in the order of [`SHOWN`].
const WITH_KEYS: [(Needs, [u16; 10]); 11] = [
    (Nothing, [OK; 10]),
    (ToTell, [401; 10]),
    (ToPublish, [401, 401, 401, 401, OK, 403, 401, 401, 401, 401]),
    (ToGoOn, [401, 401, 401, 401, OK, 403, 403, 401, 401, 401]),
    (ToChange, [401, 401, 403, OK, OK, 403, 401, 401, 401, 401]),
    (ToRecord, [401, 401, 403, OK, OK, OK, 401, 401, 401, 401]),
    (ToList, [401, 401, OK, OK, OK, OK, 401, 401, 401, 401]),
    (ToRead, [401, 401, OK, OK, OK, 403, 401, 401, 401, 401]),
    (Content, [401, 401, OK, OK, OK, 403, 401, 401, 401, OK]),
    (ToWatch, [401, 401, OK, 403, OK, 401, 401, 401, 401, 401]),
    (ToOperate, [401, 401, 403, 403, OK, 401, 401, 401, 401, 401]),
];

fn with_keys(needs: Needs, shown: usize) -> u16 {
    WITH_KEYS.iter().find(|row| row.0 == needs).unwrap().1[shown]
}

/// Of a client's route, rather than an operator's or a publisher's.
fn is_clients(needs: Needs) -> bool {
    matches!(needs, ToChange | ToRecord | ToList | ToRead | Content)
}

/// Who is let in, by how the server is configured.
struct Case {
    name: &'static str,
    access: Access,
    host: &'static str,
    expected: fn(Needs, usize) -> u16,
}

/// Without keys: only a token for rooms, and links, mean anything.
fn without_keys(needs: Needs, shown: usize) -> u16 {
    match (needs, SHOWN[shown]) {
        (ToPublish | ToGoOn, Shown::Token) | (ToGoOn, Shown::ExpiredToken) => 403,
        (ToPublish | ToGoOn | ToTell, _) => 401,
        _ => OK,
    }
}

fn cases() -> Vec<Case> {
    let access = |clients, operators, keys| Access {
        clients,
        operators,
        keys,
    };
    let all = || keys(OPERATOR, CLIENT, READ);
    let (local, foreign) = ("localhost:6080", "tapedeck.example");
    vec![
        Case {
            name: "keys",
            access: access(ClientPaths::Key, OperatorPaths::Key, all()),
            host: local,
            expected: with_keys,
        },
        Case {
            name: "keys, from elsewhere",
            access: access(ClientPaths::Key, OperatorPaths::Key, all()),
            host: foreign,
            expected: with_keys,
        },
        Case {
            name: "open clients",
            access: access(ClientPaths::Open, OperatorPaths::Key, all()),
            host: foreign,
            expected: |needs, shown| match is_clients(needs) {
                true => OK,
                false => with_keys(needs, shown),
            },
        },
        Case {
            name: "no operator key, from elsewhere",
            access: access(
                ClientPaths::Key,
                OperatorPaths::Closed,
                keys("", CLIENT, ""),
            ),
            host: foreign,
            expected: |needs, shown| match (needs, SHOWN[shown]) {
                (ToWatch | ToOperate, _) => 403,
                (_, Shown::OperatorKey | Shown::ReadKey) => with_keys(needs, 1),
                _ => with_keys(needs, shown),
            },
        },
        Case {
            name: "nothing configured",
            access: access(
                ClientPaths::OpenLocally,
                OperatorPaths::OpenLocally,
                Keys::default(),
            ),
            host: local,
            expected: without_keys,
        },
        Case {
            name: "nothing configured, from elsewhere",
            access: access(
                ClientPaths::OpenLocally,
                OperatorPaths::OpenLocally,
                Keys::default(),
            ),
            host: foreign,
            expected: |needs, shown| match (needs, SHOWN[shown]) {
                (Nothing | ToTell | ToPublish | ToGoOn, _) => without_keys(needs, shown),
                (Content, Shown::Link) => OK,
                _ => 421,
            },
        },
    ]
}

#[actix_web::test]
async fn everybody_gets_what_is_theirs() {
    for case in cases() {
        let server = Server {
            access: case.access,
            store: MemoryStore::with(RECORDING, b"0123456789"),
            ..Server::default()
        };
        let services = server.services();
        // Streams end at once.
        services.events.close();
        let link = services.links.link(RECORDING, 60).unwrap();
        let query = link.split_once('?').unwrap().1;
        for (method, path, needs) in ROUTES {
            let path = path
                .replace("{name}", RECORDING)
                .replace("{room}", "studio")
                .replace("{file}", "style.css")
                .replace("{session}", "s1")
                .replace("{id}", "EG_0123456789ab");
            for (column, shown) in SHOWN.iter().enumerate() {
                let uri = match shown {
                    Shown::Link => format!("{path}?{query}"),
                    _ => path.clone(),
                };
                let request = TestRequest::with_uri(&uri)
                    .method(method.parse::<Method>().unwrap())
                    .insert_header(("host", case.host));
                let request = bearer_of(*shown)
                    .into_iter()
                    .fold(request, |request, bearer| {
                        request.insert_header(("authorization", format!("Bearer {bearer}")))
                    });
                let answer = server.send_to(services.clone(), request).await;
                let status = match answer.status {
                    refused @ (401 | 403 | 421) => refused,
                    _ => OK,
                };
                let expected = (case.expected)(*needs, column);
                assert_eq!(
                    status,
                    expected,
                    "{}: {method} {path} with {shown:?}: {}",
                    case.name,
                    answer.json_text()
                );
            }
        }
    }
}
