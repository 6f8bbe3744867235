//! Recordings of channels by the paths of Memharbor.

use serde_json::json;
use tapedeck_actors::{Manifest, PendingUpload, RecordingState, RoomError, SourceKind, StartError};
use tapedeck_pipelines::control::OutputFile;
use tapedeck_pipelines::job::OutputFormat;
use tapedeck_storage::{RecordingMetadata, Stored};

use super::agora::{error, server};
use super::fakes::{channel, metadata};
use super::*;

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
