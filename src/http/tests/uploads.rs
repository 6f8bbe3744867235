use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::json;
use tapedeck_actors::{DeliveryState, PendingUpload, RetryError, WebhookFilter};

use crate::config::Playback;

use super::fakes::{MemoryStore, metadata};
use super::*;

#[actix_web::test]
async fn uploads_are_listed_in_pages_and_tried_on_request() {
    let retries = BTreeMap::from([
        ("EG_waits".to_owned(), Ok(())),
        (
            "EG_done".to_owned(),
            Err(RetryError::NotWaiting("the recording is delivered already")),
        ),
    ]);
    let recorder = FakeRecorder {
        retries,
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let page = server.get("/v1/uploads?cursor=c&limit=7").await;
    assert_eq!(
        (page.status, page.json()),
        (200, json!({"uploads": [], "nextCursor": "next"}))
    );
    let (_, cursor, limit) = server.recorder.listed.lock().unwrap().remove(0);
    assert_eq!((cursor.as_deref(), limit), (Some("c"), 7));
    assert_eq!(server.get("/v1/uploads?limit=0").await.status, 400);

    for (id, status, code) in [
        ("EG_waits", 202, None),
        ("EG_done", 409, Some("not_waiting")),
        ("EG_other", 404, Some("not_found")),
    ] {
        let retried = server
            .post(&format!("/v1/uploads/{id}/retry"), json!({}))
            .await;
        assert_eq!(retried.status, status, "{id}");
        assert_eq!(retried.json()["error"]["code"].as_str(), code, "{id}");
    }
    assert_eq!(server.get("/v1/uploads/EG_waits/retry").await.status, 405);
}

#[actix_web::test]
async fn webhooks_are_listed_in_pages_and_sent_again_on_request() {
    let server = Server::default();
    let page = server
        .get("/v1/webhooks?state=failed&recordingId=EG_1&cursor=c&limit=7")
        .await;
    assert_eq!(
        (page.status, page.json()),
        (200, json!({"events": [], "nextCursor": "next"}))
    );
    let filter = WebhookFilter {
        state: Some(DeliveryState::Failed),
        recording_id: Some("EG_1".into()),
    };
    let asked = server.recorder.asked_webhooks.lock().unwrap().remove(0);
    assert_eq!(asked, (filter, Some("c".into()), 7));
    for query in ["state=lost", "limit=0", "limit=501"] {
        let refused = server.get(&format!("/v1/webhooks?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
    }
    for (path, status, code) in [
        ("EV_known/replay", 202, None),
        ("replay", 202, None),
        ("EV_other/replay", 404, Some("not_found")),
        ("EV_off/replay", 409, Some("no_receiver")),
    ] {
        let path = format!("/v1/webhooks/{path}");
        let replayed = server.post(&path, json!({})).await;
        assert_eq!(replayed.status, status, "{path}");
        assert_eq!(replayed.json()["error"]["code"].as_str(), code, "{path}");
        assert_eq!(server.get(&path).await.status, 405, "{path}");
    }
}

#[actix_web::test]
async fn a_recording_on_its_way_is_listed_with_what_blocks_it() {
    let blocked = PendingUpload {
        blocked: true,
        trouble: Some("the bucket is not there".into()),
    };
    let recorder = FakeRecorder {
        delivered: vec![metadata("EG_1", 1)],
        pending: BTreeMap::from([("EG_1".to_owned(), blocked)]),
        unavailable: vec!["the store cannot list".into()],
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let listed = server.get("/recordings").await.json();
    let recording = &listed["recordings"][0];
    assert_eq!(recording["status"], "uploading");
    assert_eq!(
        recording["upload"],
        json!({"state": "blocked", "trouble": "the bucket is not there"})
    );
    assert_eq!(listed["unavailable"], json!(["the store cannot list"]));
}

#[actix_web::test]
async fn the_address_of_a_recording_works_without_a_key() {
    let mut server = Server {
        store: MemoryStore::with("a b.mp4", b"film"),
        access: Access {
            clients: ClientPaths::Key,
            operators: OperatorPaths::Closed,
            keys: keys("", "client-key", ""),
        },
        ..Server::default()
    };
    let ask = |name: &str| {
        TestRequest::get()
            .uri(&format!("/recordings/{name}/url"))
            .insert_header(("authorization", "Bearer client-key"))
    };
    let told = server.send(ask("a%20b.mp4")).await;
    assert_eq!(told.status, 200, "{}", told.json_text());
    let url = told.json()["recordingUrl"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&url).await.body, "film");
    let head = TestRequest::default().method(Method::HEAD).uri(&url);
    assert_eq!(server.send(head).await.status, 200);
    let delete = TestRequest::delete().uri(&url);
    assert_eq!(server.send(delete).await.status, 401);
    assert_eq!(server.get("/recordings/a%20b.mp4").await.status, 401);
    assert_eq!(server.get("/recordings/a%20b.mp4/url").await.status, 401);
    assert_eq!(server.send(ask("other.mp4")).await.status, 404);

    server.settings.storage.playback = Playback::Server;
    let told = server.send(ask("a%20b.mp4")).await;
    assert_eq!(
        told.json(),
        json!({"recordingUrl": "/recordings/a%20b.mp4"})
    );
}
