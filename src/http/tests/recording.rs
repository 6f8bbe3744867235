use serde_json::json;
use tapedeck_actors::{
    DiskSpace, ListFilter, PauseError, RecordingState, RoomError, SourceKind, StartError,
};
use tapedeck_storage::{Gap, Pause};

use super::fakes::{ROOM, manifest, metadata};
use super::*;

#[actix_web::test]
async fn a_recording_is_started_and_stopped() {
    let server = Server::default();
    let started = server
        .post(
            "/recordings/start",
            json!({"roomName": ROOM, "metadata": {"call": 7}}),
        )
        .await;
    assert_eq!(started.status, 200);
    assert_eq!(
        started.json(),
        json!({"message": "Recording started", "recording": {
            "id": "EG_0123456789ab", "name": "studio-2026-11-21T225328-RM_1.mp4",
            "roomName": ROOM, "roomId": "RM_1", "startedAt": 1_763_765_608_000_i64
        }})
    );
    assert_eq!(
        server.recorder.requests.lock().unwrap()[0].metadata,
        Some(json!({"call": 7}))
    );

    let again = server
        .post("/recordings/start", json!({"roomName": ROOM}))
        .await;
    assert_eq!(
        (again.status, again.error_message().as_str()),
        (409, "Recording already started for this room")
    );
    assert_eq!(again.json()["id"], "EG_0123456789ab");

    let stopped = server
        .post("/recordings/stop", json!({"roomName": ROOM}))
        .await;
    assert_eq!(stopped.status, 200);
    assert_eq!(stopped.json()["message"], "Recording stopped");
    let recording = &stopped.json()["recording"];
    assert_eq!(recording["duration"], 12.3);
    assert_eq!(recording["size"], 1_000);
    assert_eq!(recording["status"], "complete");
    assert_eq!(recording["metadata"], json!({"call": 7}));

    let again = server
        .post("/recordings/stop", json!({"roomName": ROOM}))
        .await;
    assert_eq!(
        (again.status, again.error_message().as_str()),
        (409, "Recording not started for this room")
    );
}

#[actix_web::test]
async fn a_request_may_say_where_the_room_lives() {
    let server = Server::default();
    let whip = json!({"roomName": ROOM, "source": "whip"});
    server.post("/recordings/start", whip.clone()).await;
    let source = server.recorder.requests.lock().unwrap()[0].source;
    assert_eq!(source, SourceKind::Whip);
    server.post("/recordings/stop", whip).await;
    server
        .post("/recordings/stop", json!({"roomName": ROOM}))
        .await;
    assert_eq!(
        *server.recorder.stops.lock().unwrap(),
        [Some(SourceKind::Whip), None]
    );
    for path in ["/recordings/start", "/recordings/stop"] {
        let elsewhere = json!({"roomName": ROOM, "source": "elsewhere"});
        let refused = server.post(path, elsewhere).await;
        assert_eq!(
            (refused.status, refused.error_message().as_str()),
            (400, "source must be one of livekit, whip, agora")
        );
    }
}

#[actix_web::test]
async fn a_stop_that_takes_long_says_ending() {
    let server = Server::default();
    *server.recorder.stopped_state.lock().unwrap() = Some(RecordingState::Uploading);
    server
        .post("/recordings/start", json!({"roomName": ROOM}))
        .await;
    let stopped = server
        .post("/recordings/stop", json!({"roomName": ROOM}))
        .await;
    assert_eq!(stopped.status, 200);
    let recording = &stopped.json()["recording"];
    assert_eq!(recording["status"], "ending");
    assert_eq!(recording["duration"], 12.345);
    assert_eq!(recording["size"], json!(null));
}

#[actix_web::test]
async fn a_stop_tells_what_is_pending() {
    let server = Server::default();
    let mut told = Vec::new();
    for state in [RecordingState::Ending, RecordingState::Uploading] {
        *server.recorder.stopped_state.lock().unwrap() = Some(state);
        *server.recorder.live.lock().unwrap() = Some(manifest(RecordingState::Active));
        let stopped = server
            .post("/recordings/stop", json!({"roomName": ROOM}))
            .await;
        told.push(stopped.json()["recording"]["pending"].clone());
    }
    assert_eq!(
        told[0],
        json!({"renderLag": 7.5, "upload": false, "trouble": null})
    );
    assert_eq!(told[1]["renderLag"], json!(null), "no render is told of");
}

#[actix_web::test]
async fn a_recording_is_paused_and_resumed() {
    let server = Server::default();
    let room = json!({"roomName": ROOM});
    let nothing = server.post("/recordings/pause", room.clone()).await;
    assert_eq!(
        (nothing.status, nothing.error_message().as_str()),
        (409, "Recording not started for this room")
    );
    server.post("/recordings/start", room.clone()).await;
    let paused = server.post("/recordings/pause", room.clone()).await;
    assert_eq!(
        paused.json(),
        json!({"message": "Recording paused", "recording": {
            "id": "EG_0123456789ab", "name": "studio-2026-11-21T225328-RM_1.mp4",
            "roomName": ROOM, "roomId": "RM_1", "startedAt": 1_763_765_608_000_i64,
            "status": "paused",
            "pauses": [{"at": 2.5, "from": 1_763_765_610_500_i64, "to": null}]
        }})
    );
    let status = server.get("/status").await.json();
    let session = &status["sessions"][0];
    assert_eq!(session["state"], "paused");
    assert_eq!(
        session["pauses"],
        json!([{"atMs": 2_500, "fromMs": 1_763_765_610_500_i64, "toMs": null}])
    );
    assert_eq!(session["restarts"]["capture"], 0);

    let resumed = server.post("/recordings/resume", room).await;
    assert_eq!(resumed.json()["message"], "Recording resumed");
    assert_eq!(resumed.json()["recording"]["status"], "active");

    for path in ["/recordings/pause", "/recordings/resume"] {
        let refused = server.post(path, json!({})).await;
        assert_eq!(
            (refused.status, refused.error_message().as_str()),
            (400, "roomName is required")
        );
        assert_eq!(server.get(path).await.status, 405);
    }
    for (error, status) in [
        (PauseError::Pending, 503),
        (PauseError::Overtaken, 409),
        (PauseError::Refused("x".into()), 409),
        (PauseError::Internal("x".into()), 500),
    ] {
        *server.recorder.pause_error.lock().unwrap() = Some(error.clone());
        let answer = server
            .post("/recordings/pause", json!({"roomName": ROOM}))
            .await;
        assert_eq!(answer.status, status, "{error:?}");
    }
}

#[actix_web::test]
async fn a_stop_of_a_failed_recording_tells_the_reason() {
    let server = Server::default();
    *server.recorder.stopped_state.lock().unwrap() = Some(RecordingState::Failed);
    server
        .post("/recordings/start", json!({"roomName": ROOM}))
        .await;
    let stopped = server
        .post("/recordings/stop", json!({"roomName": ROOM}))
        .await;
    assert_eq!(
        (stopped.status, stopped.error_message().as_str()),
        (500, "The recording failed: the disk is full")
    );
}

#[actix_web::test]
async fn each_reason_not_to_start_has_its_status() {
    let cases = [
        (StartError::Room(RoomError::Unknown("x".into())), 404),
        (StartError::Room(RoomError::Unreachable("x".into())), 502),
        (StartError::Room(RoomError::Refused("x".into())), 502),
        (StartError::Room(RoomError::Timeout), 504),
        (StartError::Room(RoomError::NoLivekit), 400),
        (StartError::Timeout(10), 504),
        (StartError::Capacity("8 recordings run already".into()), 503),
        (StartError::DiskFull(DiskSpace::default()), 503),
        (StartError::IdempotencyConflict, 422),
        (StartError::Stopped, 409),
        (StartError::Internal("x".into()), 500),
    ];
    let server = Server::default();
    for (error, status) in cases {
        *server.recorder.start_error.lock().unwrap() = Some(error.clone());
        let answer = server
            .post("/recordings/start", json!({"roomName": ROOM}))
            .await;
        assert_eq!(answer.status, status, "{error:?}");
        assert!(!answer.error_message().is_empty());
    }
}

#[actix_web::test]
async fn nothing_is_started_while_the_server_finishes() {
    let server = Server::default();
    let services = server.services();
    services.begin_to_finish();
    let start = TestRequest::post()
        .uri("/recordings/start")
        .set_json(json!({"roomName": ROOM}));
    assert_eq!(server.send_to(services.clone(), start).await.status, 503);
    assert_eq!(
        server
            .send_to(services, TestRequest::get().uri("/readyz"))
            .await
            .status,
        503
    );
    assert!(server.recorder.requests.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn an_idempotency_key_reaches_the_recorder() {
    let server = Server::default();
    let start = TestRequest::post()
        .uri("/recordings/start")
        .insert_header(("Idempotency-Key", "k-1"));
    server.send(start.set_json(json!({"roomName": ROOM}))).await;
    assert_eq!(
        server.recorder.requests.lock().unwrap()[0]
            .idempotency_key
            .as_deref(),
        Some("k-1")
    );
}

#[actix_web::test]
async fn finished_recordings_are_listed_with_filters() {
    let mut limited = metadata("EG_2", 2);
    limited.end_reason = Some("max_duration".into());
    limited.metadata = Some(json!("mine"));
    limited.gaps.push(Gap {
        from: 2.5,
        to: 4.0,
        reason: "capture_restarted".into(),
    });
    limited.pauses.push(Pause {
        at: 5.0,
        from: 7_000,
        to: None,
    });
    let recorder = FakeRecorder {
        delivered: vec![limited, metadata("EG_1", 1)],
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let listed = server.get("/recordings?roomName=%EB%B0%A9&roomId=").await;
    assert_eq!(
        listed.json(),
        json!({"recordings": [
            {"id": "EG_2", "name": "studio-EG_2.mp4", "roomName": ROOM, "roomId": "RM_1", "startedAt": 2,
             "duration": 12.345, "size": 1_000, "status": "limit_reached", "metadata": "mine",
             "gaps": [{"from": 2.5, "to": 4.0, "reason": "capture_restarted"}],
             "pauses": [{"at": 5.0, "from": 7_000, "to": null}]},
            {"id": "EG_1", "name": "studio-EG_1.mp4", "roomName": ROOM, "roomId": "RM_1", "startedAt": 1,
             "duration": 12.345, "size": 1_000, "status": "complete",
             "gaps": [], "pauses": []},
        ]})
    );
    let (
        ListFilter {
            room_name,
            room_id,
            state,
        },
        _,
        _,
    ) = server.recorder.listed.lock().unwrap().remove(0);
    assert_eq!(
        (room_name.as_deref(), room_id, state),
        (Some("방"), None, None)
    );
    assert_eq!(server.get("/recordings/").await.status, 200);
}

#[actix_web::test]
async fn recordings_are_deleted_unless_they_run() {
    let recorder = FakeRecorder {
        delivered: vec![metadata("EG_1", 1)],
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let delete = |name: &str| TestRequest::delete().uri(&format!("/recordings/{name}"));
    let deleted = server.send(delete("studio-EG_1.mp4")).await;
    assert_eq!(
        (deleted.status, deleted.json()),
        (200, json!({"message": "Recording deleted"}))
    );
    let missing = server.send(delete("other.mp4")).await;
    assert_eq!(
        (missing.status, missing.error_message().as_str()),
        (404, "Recording not found")
    );
    server
        .post("/recordings/start", json!({"roomName": ROOM}))
        .await;
    assert_eq!(
        server
            .send(delete("studio-2026-11-21T225328-RM_1.mp4"))
            .await
            .status,
        409
    );
    for trick in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        ".metadata",
        "a%00.mp4",
        "a%5cb",
        "%ff.mp4",
    ] {
        assert_eq!(server.send(delete(trick)).await.status, 404, "{trick}");
    }
    assert_eq!(
        *server.recorder.deleted.lock().unwrap(),
        ["studio-EG_1.mp4"]
    );
}
