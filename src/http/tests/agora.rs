//! The paths of Memharbor.

use serde_json::json;
use tapedeck_actors::{Manifest, PendingUpload, RecordingState, RoomError, SourceKind, StartError};
use tapedeck_pipelines::control::OutputFile;
use tapedeck_pipelines::job::OutputFormat;
use tapedeck_storage::{RecordingMetadata, Stored};

use crate::http::agora::ApiLog;

use super::fakes::{channel, metadata};
use super::*;

const APP_ID: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";

fn server() -> Server {
    let mut server = Server::default();
    server.settings.agora.app_id = APP_ID.into();
    server.settings.agora.app_certificate = Secret::new(CERTIFICATE);
    server
}

fn error(answer: &Answer) -> String {
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
        .configure(routes);
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

const STARTED_AT: i64 = 1_770_120_000_000;
const SID_OF_CHANNEL: &str = "EG_ABCDEFGHJKLM";

fn sid() -> String {
    crate::http::agora::session_id(SID_OF_CHANNEL).unwrap()
}

/// What a delivered recording of a channel came to.
fn delivered(document: Option<&str>) -> Manifest {
    let mut manifest = channel("group1_alice_bob");
    manifest.state = RecordingState::Complete;
    manifest.ended_at = Some(STARTED_AT + 120_000);
    manifest.completed_at = Some(STARTED_AT + 121_000);
    manifest.file = Some(OutputFile {
        size_bytes: 3_840_044,
        duration_ms: 120_000,
        ..OutputFile::default()
    });
    manifest.stored = vec![Stored {
        path: format!("recordings/{}", manifest.name),
        size: 3_840_044,
        url: Some("https://storage.googleapis.com/b/x".into()),
        document: document.map(str::to_owned),
    }];
    manifest
}

#[actix_web::test]
async fn a_channel_is_recorded_as_memharbor_does() {
    let server = server();
    let started = server
        .post(
            "/api/recording/start",
            json!({"channel": "group1_alice_bob"}),
        )
        .await;
    assert_eq!(started.status, 200, "{}", started.json_text());
    let expected = json!({
        "sid": sid(),
        "channel": "group1_alice_bob",
        "uid": 999_999,
        "filename": "group1_alice_bob_2026-02-03T12-00-00.wav",
        "status": "recording",
    });
    assert_eq!(started.json(), expected);
    let request = server.recorder.requests.lock().unwrap()[0].clone();
    assert_eq!(request.source, SourceKind::Agora);
    assert_eq!(request.output.format, OutputFormat::Wav);

    let again = server
        .post(
            "/api/recording/start/",
            json!({"channel": "group1_alice_bob"}),
        )
        .await;
    assert_eq!(again.status, 409);
    assert_eq!(again.json()["sid"], json!(sid()));
    assert!(again.json()["error"].is_string());

    let status = server.get("/api/recording/status").await.json();
    let expected = json!({"sessions": [{
        "sid": sid(),
        "channel": "group1_alice_bob",
        "groupId": "group1",
        "user1": "alice",
        "user2": "bob",
        "uid": 999_999,
        "filename": "group1_alice_bob_2026-02-03T12-00-00.wav",
        "startedAt": "2026-02-03T12:00:00.000Z",
        "duration": 0,
        "status": "recording",
        "speakers": ["alice"],
    }]});
    assert_eq!(status, expected);

    *server.recorder.stopped_state.lock().unwrap() = Some(RecordingState::Ending);
    let stopped = server
        .post(
            "/api/recording/stop",
            json!({"channel": "group1_alice_bob"}),
        )
        .await;
    assert_eq!(stopped.status, 200, "{}", stopped.json_text());
    let pending = stopped.json();
    assert_eq!(pending["firebase"], Value::Null);
    assert_eq!(pending["upload"], "pending");
    assert_eq!(pending["duration"], 12_345);
    let patience = *server.recorder.patience.lock().unwrap();
    assert_eq!(patience, Some(std::time::Duration::from_secs(50)));
    assert_eq!(
        server.recorder.stops.lock().unwrap()[0],
        Some(SourceKind::Agora),
        "rooms of that name elsewhere go on"
    );
}

#[actix_web::test]
async fn a_stop_by_sid_repeats_its_answer() {
    let server = server();
    *server.recorder.known.lock().unwrap() = vec![delivered(Some("abc123"))];
    let expected = json!({
        "sid": sid(),
        "channel": "group1_alice_bob",
        "groupId": "group1",
        "user1": "alice",
        "user2": "bob",
        "filename": "group1_alice_bob_2026-02-03T12-00-00.wav",
        "format": "wav",
        "duration": 120_000,
        "firebase": {
            "url": "https://storage.googleapis.com/b/x",
            "firestoreId": "abc123",
            "storagePath": "recordings/group1_alice_bob_2026-02-03T12-00-00.wav",
        },
        "status": "stopped",
    });
    for body in [
        json!({"sid": sid()}),
        json!({"sid": sid().to_uppercase()}),
        json!({"sid": sid(), "channel": "another_one_here"}),
    ] {
        let answer = server.post("/api/recording/stop", body.clone()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.json_text());
        assert_eq!(answer.json(), expected, "{body}");
    }
}

#[actix_web::test]
async fn where_firebase_does_not_have_it_the_file_is_at_this_server() {
    let server = server();
    *server.recorder.known.lock().unwrap() = vec![delivered(None)];
    let answer = server
        .post("/api/recording/stop", json!({"sid": sid()}))
        .await
        .json();
    assert_eq!(answer["firebase"], Value::Null);
    let url = answer["url"].as_str().unwrap();
    let path = url.strip_prefix("http://localhost:8080").unwrap();
    assert!(
        path.starts_with("/recordings/group1_alice_bob_2026-02-03T12-00-00.wav?expires="),
        "{url}"
    );
    assert_eq!(answer.get("upload"), None);
}

#[actix_web::test]
async fn what_cannot_be_started_or_stopped_says_why() {
    let server = server();
    for (path, body, status, named) in [
        ("start", json!({}), 400, "channel is required"),
        (
            "start",
            json!({"channel": 7}),
            400,
            "channel must be {groupId}_{user1}_{user2}",
        ),
        (
            "start",
            json!({"channel": "a_b"}),
            400,
            "channel must be {groupId}_{user1}_{user2}",
        ),
        (
            "start",
            json!({"channel": "__"}),
            400,
            "channel must be {groupId}_{user1}_{user2}",
        ),
        (
            "start",
            json!({"channel": "a__b"}),
            400,
            "channel must be {groupId}_{user1}_{user2}",
        ),
        (
            "start",
            json!({"channel": "x".repeat(65)}),
            400,
            "channel must not be longer",
        ),
        (
            "start",
            json!({"channel": "a_b_/etc"}),
            400,
            "channel must not hold '/'",
        ),
        ("stop", json!({}), 400, "sid or channel is required"),
        ("stop", json!({"sid": 7}), 400, "sid must be a text"),
        ("stop", json!({"sid": "abc"}), 400, "sid must be a UUID"),
        (
            "stop",
            json!({"sid": "", "channel": ["a"]}),
            400,
            "channel must be a text",
        ),
        (
            "stop",
            json!({"sid": "a8098c1a-f86e-41da-bd1a-00112444be1e"}),
            404,
            "There is no session with this sid",
        ),
        (
            "stop",
            // A recording that is no channel's.
            json!({"sid": crate::http::agora::session_id("EG_0123456789ab").unwrap()}),
            404,
            "There is no session with this sid",
        ),
        (
            "stop",
            json!({"channel": "a_b_c"}),
            404,
            "This channel is not being recorded",
        ),
    ] {
        let answer = server
            .post(&format!("/api/recording/{path}"), body.clone())
            .await;
        assert_eq!(answer.status, status, "{body}: {}", answer.json_text());
        let error = error(&answer);
        assert!(error.starts_with(named), "{body}: {error}");
    }
    assert!(server.recorder.requests.lock().unwrap().is_empty());
    for (path, method) in [("start", "GET"), ("list", "POST")] {
        let request = TestRequest::default()
            .method(method.parse().unwrap())
            .uri(&format!("/api/recording/{path}"));
        assert_eq!(server.send(request).await.status, 405, "{path}");
    }
}

#[actix_web::test]
async fn what_agora_says_to_a_join_is_told() {
    let server = server();
    for (error, status, named) in [
        (
            RoomError::JoinRefused("agora refused the join: INVALID_VENDOR_KEY".into()).into(),
            502,
            "Agora refused the join: INVALID_VENDOR_KEY",
        ),
        (
            RoomError::JoinTimeout("agora did not answer in 18 s".into()).into(),
            504,
            "Agora did not answer",
        ),
        (
            StartError::Timeout(20),
            504,
            "Capture was not in the room within 20 s",
        ),
        (StartError::Room(RoomError::NoAgora), 503, "No app of Agora"),
        (StartError::Stopped, 409, "The recording was stopped"),
    ] {
        *server.recorder.start_error.lock().unwrap() = Some(error);
        let answer = server
            .post("/api/recording/start", json!({"channel": "a_b_c"}))
            .await;
        assert_eq!(answer.status, status, "{}", answer.json_text());
        assert!(
            self::error(&answer).starts_with(named),
            "{}",
            answer.json_text()
        );
    }
    let answer = Server::default()
        .post("/api/recording/start", json!({"channel": "a_b_c"}))
        .await;
    assert_eq!(answer.status, 503);
    assert!(error(&answer).contains("AGORA_APP_ID"));
}

#[actix_web::test]
async fn recordings_of_channels_are_listed_also_those_of_an_earlier_server() {
    let ours = RecordingMetadata {
        name: "g_a_b_2026-02-03T12-00-00.wav".into(),
        room_name: "g_a_b".into(),
        started_at: STARTED_AT,
        duration: 120.0,
        size: 3_840_044,
        ..metadata("EG_ABCDEFGHJKLM", 0)
    };
    let earlier = RecordingMetadata {
        id: String::new(),
        name: "call.wav".into(),
        room_name: "g_c_d".into(),
        started_at: STARTED_AT + 1_000_000,
        ..ours.clone()
    };
    let pending = RecordingMetadata {
        name: "g_a_b_2026-02-03T14-00-00.wav".into(),
        started_at: STARTED_AT + 7_200_000,
        ..metadata("EG_pending23456", 0)
    };
    let of_a_room = RecordingMetadata {
        name: "studio-2026-11-21T225328-RM_1.wav".into(),
        ..metadata("EG_aRoomsSound2", 0)
    };
    let upload = PendingUpload {
        blocked: false,
        trouble: Some("the store is away".into()),
    };
    let recorder = FakeRecorder {
        delivered: vec![
            ours,
            earlier,
            pending.clone(),
            of_a_room,
            metadata("EG_film", 1),
        ],
        pending: [(pending.id.clone(), upload)].into(),
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..server()
    };
    let listed = server.get("/api/recording/list").await;
    assert_eq!(listed.status, 200, "{}", listed.json_text());
    let listed = listed.json();
    let names: Vec<&str> = listed["recordings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|recording| recording["filename"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "g_a_b_2026-02-03T14-00-00.wav",
            "call.wav",
            "g_a_b_2026-02-03T12-00-00.wav"
        ]
    );
    assert_eq!(listed["total"], 3);
    assert_eq!(listed["recordings"][0]["upload"], "pending");
    assert_eq!(listed["recordings"][0]["trouble"], "the store is away");
    assert_eq!(listed["recordings"][1].get("sid"), None);
    let mut last = listed["recordings"][2].clone();
    let url = last["url"].take();
    assert!(
        url.as_str()
            .unwrap()
            .starts_with("http://localhost:8080/recordings/g_a_b_2026")
    );
    let expected = json!({
        "sid": sid(),
        "filename": "g_a_b_2026-02-03T12-00-00.wav",
        "channel": "g_a_b",
        "groupId": "g",
        "user1": "a",
        "user2": "b",
        "size": 3_840_044,
        "duration": 120_000,
        "format": "wav",
        "recordedAt": "2026-02-03T12:00:00.000Z",
        "createdAt": "2026-02-03T12:02:00.000Z",
        "url": null,
    });
    assert_eq!(last, expected);

    let page = server
        .get("/api/recording/list?limit=1&offset=1")
        .await
        .json();
    assert_eq!(page["recordings"][0]["filename"], "call.wav");
    assert_eq!(page["recordings"].as_array().unwrap().len(), 1);
    for query in ["limit=0", "limit=1001", "limit=many", "offset=-1"] {
        let answer = server.get(&format!("/api/recording/list?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[actix_web::test]
async fn channels_can_be_recorded_by_the_other_interface_too() {
    let server = server();
    for (body, status) in [
        (json!({"roomName": "a/b", "source": "agora"}), 400),
        (
            json!({"roomName": "lobby", "source": "agora", "format": "mp4"}),
            400,
        ),
        (
            json!({"roomName": "lobby", "source": "agora", "perSpeaker": true}),
            400,
        ),
        (json!({"roomName": "lobby", "source": "agora"}), 200),
    ] {
        let answer = server.post("/recordings/start", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.json_text());
    }
    let request = server.recorder.requests.lock().unwrap().pop().unwrap();
    assert_eq!(request.output.format, OutputFormat::Wav);
    let body = json!({"roomName": "lobby", "participantName": "Ana", "source": "agora"});
    let answer = server.post("/token", body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.error_message().contains("/api/token"));
    let info = server.get("/v1/info").await.json();
    assert_eq!(info["sources"], json!(["whip", "agora"]));
}
