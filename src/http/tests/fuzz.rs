//! Requests that something was done to are answered, and none of them with an error of the server.
//! `PROPTEST_CASES` makes it look for longer.

use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, Uri};
use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::*;

const RECORDING: &str = "studio.mp4";
const AGORA_ID: &str = "0123456789abcdef0123456789abcdef";

/// A request that is as it should be.
#[derive(Clone, Debug)]
struct Template {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// Where a request is damaged: in its path, a header, or its body.
#[derive(Clone, Copy, Debug)]
struct Damage {
    part: prop::sample::Index,
    at: prop::sample::Index,
    length: usize,
}

fn token() -> String {
    let claims = json!({
        "iss": "devkey", "sub": "alice", "exp": 4_000_000_000_u64,
        "video": {"roomJoin": true, "room": "studio", "roomRecord": true},
    });
    let key = EncodingKey::from_secret(ROOMS_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

fn templates() -> Vec<Template> {
    let bearer = ("authorization", format!("Bearer {}", token()));
    let request = |method, path: &str, headers: &[(&'static str, &str)], body: Value| Template {
        method,
        path: path.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .chain([bearer.clone()])
            .collect(),
        body: match body {
            Value::String(text) => text,
            Value::Null => String::new(),
            value => value.to_string(),
        },
    };
    let start = json!({
        "roomName": "studio", "source": "whip", "format": "mp4", "maxDurationMs": 60_000,
        "video": {"width": 1280, "height": 720, "framerate": 30, "bitrate": 1_000_000},
        "metadata": {"call": [1, {"deep": null}]}, "audioOnly": false, "perSpeaker": true,
    });
    let channel = json!({"channel": "group1_alice_bob", "uid": 12345, "expire": 3600});
    let link = "/recordings/studio.mp4?expires=4000000000&signature=AAAAAAAAAAAAAAAAAAAAAAAA";
    let ranges = [
        ("range", "bytes=1-3"),
        ("if-range", "\"tag-1\""),
        ("if-none-match", "W/\"tag-2\", \"tag-3\""),
    ];
    let forwarded = [
        ("host", "localhost:6080"),
        ("x-forwarded-for", "192.0.2.1, [2001:db8::1]:80"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "tapedeck.example:443"),
    ];
    let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=sendonly\r\n";
    let offer = [("content-type", "application/sdp")];
    let fragment = [
        ("content-type", "application/trickle-ice-sdpfrag"),
        ("if-match", "\"1\", *"),
    ];
    vec![
        request("GET", "/recordings/studio.mp4", &ranges, Value::Null),
        request("GET", link, &ranges, Value::Null),
        request(
            "GET",
            "/recordings?roomName=studio&limit=3",
            &forwarded,
            Value::Null,
        ),
        request(
            "GET",
            "/recordings/%ED%9A%8C%EC%9D%98.mp4/url",
            &forwarded,
            Value::Null,
        ),
        request("DELETE", "/recordings/studio-1.mp4", &[], Value::Null),
        request(
            "POST",
            "/token",
            &[],
            json!({"roomName": "방", "participantName": "참가자", "source": "whip"}),
        ),
        request(
            "POST",
            "/recordings/start",
            &[("idempotency-key", "k-1")],
            start,
        ),
        request(
            "POST",
            "/recordings/stop",
            &[],
            json!({"roomName": "studio"}),
        ),
        request(
            "POST",
            "/recordings/pause",
            &[],
            json!({"roomName": "studio"}),
        ),
        request("POST", "/api/token", &[], channel.clone()),
        request("POST", "/api/recording/start", &[], channel),
        request(
            "GET",
            "/api/recording/status?channel=a&sid=b",
            &[],
            Value::Null,
        ),
        request(
            "GET",
            "/v1/recordings?limit=5&cursor=EG_1&state=complete",
            &[],
            Value::Null,
        ),
        request("GET", "/v1/recordings/EG_0123456789ab", &[], Value::Null),
        request(
            "POST",
            "/v1/uploads/EG_0123456789ab/retry",
            &[],
            Value::Null,
        ),
        request(
            "POST",
            "/whip/studio?media=screen&name=Ana",
            &offer,
            json!(sdp),
        ),
        request(
            "PATCH",
            "/whip/studio/s1",
            &fragment,
            json!("a=ice-ufrag:x\r\n"),
        ),
    ]
}

impl Template {
    fn damage(&mut self, damage: Damage, put: &str) {
        let count = self.headers.len() + 2;
        let target = match damage.part.index(count) {
            0 => &mut self.path,
            1 => &mut self.body,
            header => &mut self.headers[header - 2].1,
        };
        let boundaries: Vec<usize> = target
            .char_indices()
            .map(|(index, _)| index)
            .chain([target.len()])
            .collect();
        let first = damage.at.index(boundaries.len());
        let last = (first + damage.length).min(boundaries.len() - 1);
        target.replace_range(boundaries[first]..boundaries[last], put);
    }

    /// The request, unless no HTTP library would take it for one.
    fn request(&self) -> Option<TestRequest> {
        let uri: Uri = self.path.parse().ok()?;
        let request = TestRequest::with_uri(&uri.to_string())
            .method(self.method.parse::<Method>().ok()?)
            .peer_addr("127.0.0.1:4711".parse().ok()?)
            .set_payload(self.body.clone());
        self.headers
            .iter()
            .try_fold(request, |request, (name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
                Some(request.insert_header((*name, value)))
            })
    }
}

fn server(clients: ClientPaths) -> Server {
    let mut settings = Settings::default();
    settings.agora.app_id = AGORA_ID.into();
    settings.agora.app_certificate = Secret::new(AGORA_ID);
    settings.server.trusted_proxies = "127.0.0.0/8".into();
    Server {
        settings,
        access: Access {
            clients,
            operators: OperatorPaths::OpenLocally,
            keys: keys("", "client-key", "read-key"),
        },
        store: MemoryStore::with(RECORDING, b"0123456789"),
        ..Server::default()
    }
}

#[test]
fn no_request_is_answered_with_an_error_of_the_server() {
    let runtime = actix_rt::Runtime::new().unwrap();
    let servers = [server(ClientPaths::Key), server(ClientPaths::Open)];
    let templates = templates();
    let damage = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0_usize..12,
    )
        .prop_map(|(part, at, length)| Damage { part, at, length });
    let put = prop_oneof![
        "[ -~]{0,8}",
        "\\PC{0,4}",
        "[0-9-]{1,25}",
        "[%.=,;\"'\\\\{}\\[\\]/\\r\\n\\t]{1,6}",
        Just("null".to_owned()),
        Just("x".repeat(70_000)),
        Just("[".repeat(5_000)),
    ];
    let strategy = (
        prop::sample::select(templates),
        prop::sample::select(vec![0_usize, 1]),
        prop::collection::vec((damage, put), 1..4),
    );
    // Failures are told with what was sent; a file of them would lie in the sources.
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let cases = config.cases.max(1_024);
    let mut runner = TestRunner::new(Config { cases, ..config });
    let outcome = runner.run(&strategy, |(mut template, server, damages)| {
        for (damage, put) in damages {
            template.damage(damage, &put);
        }
        let Some(request) = template.request() else {
            return Ok(());
        };
        let answer = runtime.block_on(servers[server].send(request));
        let status = answer.status;
        prop_assert!(
            status < 500 || status == 503,
            "{status}: {}",
            answer.json_text()
        );
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
