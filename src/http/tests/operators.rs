use std::sync::Mutex;

use serde_json::json;
use tapedeck_actors::{DiskSpace, RecordingState};
use tapedeck_pipelines::control::{ParticipantStatus, RoomStatus, TrackStatus};

use super::fakes::{ROOM, manifest};
use super::*;

#[actix_web::test]
async fn recordings_in_any_state_are_listed_in_pages() {
    let server = Server::default();
    let page = server
        .get("/v1/recordings?state=failed&roomName=r&roomId=RM_1&cursor=c&limit=7")
        .await;
    assert_eq!(page.status, 200);
    assert_eq!(page.json()["nextCursor"], "next");
    let recording = &page.json()["recordings"][0];
    assert_eq!(recording["state"], "failed");
    assert_eq!(recording["status"], "EGRESS_FAILED");
    assert_eq!(recording["createdAtMs"], 1_763_765_607_000_i64);
    assert_eq!(recording["output"]["canvas"]["frameRate"], 30);
    let (filter, cursor, limit) = server.recorder.listed.lock().unwrap().remove(0);
    assert_eq!(filter.state, Some(RecordingState::Failed));
    assert_eq!(
        (filter.room_name.as_deref(), filter.room_id.as_deref()),
        (Some("r"), Some("RM_1"))
    );
    assert_eq!((cursor.as_deref(), limit), (Some("c"), 7));

    for query in ["state=done", "limit=0", "limit=501", "limit=x"] {
        let refused = server.get(&format!("/v1/recordings?{query}")).await;
        assert_eq!(
            (refused.status, refused.json()["error"]["code"].as_str()),
            (400, Some("invalid_request")),
            "{query}"
        );
    }
}

#[actix_web::test]
async fn what_cannot_be_told_is_not_answered_as_empty() {
    let recorder = FakeRecorder {
        unready: Some("the index failed".into()),
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    for path in [
        "/v1/recordings",
        "/v1/recordings/EG_0123456789ab",
        "/status",
        "/status/EG_x",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 500, "{path}");
        assert!(answer.json().to_string().contains("the index failed"));
    }
}

#[actix_web::test]
async fn what_concerns_only_the_server_is_not_shown() {
    let shown = Server::default()
        .get("/v1/recordings/EG_0123456789ab")
        .await
        .json()
        .to_string();
    assert!(
        !shown.contains(".sock") && !shown.contains("the-idempotency-key"),
        "{shown}"
    );
    let missing = Server::default().get("/v1/recordings/EG_other").await;
    assert_eq!(
        (missing.status, missing.json()["error"]["code"].as_str()),
        (404, Some("not_found"))
    );
}

#[actix_web::test]
async fn live_sessions_show_participants_and_tracks() {
    let server = Server::default();
    assert_eq!(server.get("/status").await.json()["sessions"], json!([]));
    server
        .post("/recordings/start", json!({"roomName": ROOM}))
        .await;
    let status = server.get("/status").await.json();
    let capacity = &status["capacity"];
    assert_eq!(
        (&capacity["used"], &capacity["max"]),
        (&json!(1), &json!(8))
    );
    assert_eq!(capacity["cpu"]["cores"], json!(2.0));
    for field in ["used", "free", "perRecording"] {
        assert!(capacity["cpu"][field].is_number(), "{capacity}");
    }
    assert!(capacity["disk"]["freeBytes"].is_number(), "{capacity}");
    assert!(
        capacity["memory"]["perRecordingBytes"].is_number(),
        "{capacity}"
    );
    let track = &status["sessions"][0]["capture"]["participants"][0]["tracks"][0];
    assert_eq!(
        (&track["codec"], &track["packetsLost"]),
        (&json!("vp8"), &json!(3))
    );

    let one = server.get("/status/EG_0123456789ab").await;
    assert_eq!(
        (one.status, &one.json()["capture"]["logBytes"]),
        (200, &json!(77))
    );
    assert_eq!(server.get("/status/EG_other").await.status, 404);
}

#[actix_web::test]
async fn readiness_tells_the_reason() {
    let server = Server::default();
    assert_eq!(server.get("/readyz").await.status, 200);
    assert_eq!(
        std::fs::read_dir(server.data_dir.path()).unwrap().count(),
        0
    );

    let recorder = FakeRecorder {
        unready: Some("the index is gone".into()),
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let answer = server.get("/readyz").await;
    assert_eq!(
        (answer.status, answer.error_message().as_str()),
        (503, "the index is gone")
    );
    assert_eq!(server.get("/healthz").await.status, 200);

    let recorder = FakeRecorder {
        space: DiskSpace {
            free_bytes: 12_345_678,
            needed_bytes: 1_000_000_000,
        },
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 503);
    let reason = answer.error_message();
    for told in ["12 MB", "1000 MB", "data.min_free_mb"] {
        assert!(reason.contains(told), "{reason}");
    }
    let answer = server.get("/healthz").await;
    assert_eq!(
        (answer.status, answer.json()["disk"].as_str()),
        (200, Some("low"))
    );

    let server = Server::default();
    std::fs::remove_dir(server.data_dir.path()).unwrap();
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.error_message().contains("data folder"));
}

#[actix_web::test]
async fn rooms_of_the_server_are_listed_with_their_recordings() {
    let room = |name: &str| RoomStatus {
        name: name.into(),
        id: format!("RM_{name}"),
        since_ms: 1_763_765_600_000,
        participants: vec![ParticipantStatus {
            identity: "alice".into(),
            name: "Alice".into(),
            tracks: vec![TrackStatus {
                codec: "vp8".into(),
                packets_lost: 3,
                ..TrackStatus::default()
            }],
            ..ParticipantStatus::default()
        }],
        captures: 1,
    };
    let mut live = manifest(RecordingState::Active);
    live.source = "whip".into();
    let recorder = FakeRecorder {
        rooms: vec![room(ROOM), room("lobby")],
        live: Mutex::new(Some(live)),
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let rooms = server.get("/v1/rooms").await.json()["rooms"].clone();
    assert_eq!(
        (&rooms[0]["name"], &rooms[1]["name"]),
        (&json!("lobby"), &json!(ROOM))
    );
    assert_eq!(rooms[0]["recordingId"], json!(null));
    assert_eq!(
        (
            &rooms[1]["recordingId"],
            &rooms[1]["source"],
            &rooms[1]["sinceMs"]
        ),
        (
            &json!("EG_0123456789ab"),
            &json!("whip"),
            &json!(1_763_765_600_000_i64)
        )
    );
    let participant = &rooms[1]["participants"][0];
    assert_eq!(participant["name"], "Alice");
    assert_eq!(participant["tracks"][0]["packetsLost"], 3);
    // A recording of the media server's room of that name is another one.
    *server.recorder.live.lock().unwrap() = Some(manifest(RecordingState::Active));
    let rooms = server.get("/v1/rooms").await.json()["rooms"].clone();
    assert_eq!(rooms[1]["recordingId"], json!(null));
}

#[actix_web::test]
async fn pages_are_told_what_they_need_to_know() {
    let mut server = Server::default();
    assert_eq!(
        server.get("/v1/info").await.json(),
        json!({"defaultSource": "whip", "sources": ["whip"], "clients": "open",
            "operators": "open", "version": env!("CARGO_PKG_VERSION")})
    );
    server.settings.livekit.url = "ws://localhost:7880".into();
    server.access = Access {
        clients: ClientPaths::Key,
        operators: OperatorPaths::Closed,
        keys: keys("", "client-key", ""),
    };
    assert_eq!(
        server.get("/v1/info").await.json(),
        json!({"defaultSource": "livekit", "sources": ["livekit", "whip"], "clients": "key",
            "operators": "closed"})
    );
}
