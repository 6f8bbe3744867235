//! Pictures of recordings, and links for what can send no key.

use serde_json::json;
use tapedeck_actors::{Manifest, RecordingState};

use super::fakes::manifest;
use super::*;

const ID: &str = "EG_0123456789ab";
const NAME: &str = "studio-2026-11-21T225328-RM_1.mp4";
const POSTER: &str = "studio-2026-11-21T225328-RM_1.jpg";

/// A server whose paths need a key.
fn server(store: MemoryStore) -> Server {
    Server {
        access: Access {
            clients: ClientPaths::Key,
            operators: OperatorPaths::Key,
            keys: keys("the-key", "", ""),
        },
        store,
        ..Server::default()
    }
}

fn with_key(path: &str) -> TestRequest {
    let key = ("authorization", "Bearer the-key");
    TestRequest::get().uri(path).insert_header(key)
}

fn finished_with_poster() -> Manifest {
    let mut manifest = manifest(RecordingState::Complete);
    let file = |path: &str| json!({ "path": path, "size_bytes": 4, "sha256": "00" });
    manifest.file = serde_json::from_value(file("/work/output.mp4")).unwrap();
    manifest.further_files = serde_json::from_value(json!([file("/work/output.jpg")])).unwrap();
    manifest
}

#[actix_web::test]
async fn the_present_picture_is_kept_nowhere() {
    let mut server = server(MemoryStore::default());
    let path = format!("/v1/recordings/{ID}/preview");
    let missing = server.send(with_key(&path)).await;
    assert_eq!(
        (missing.status, missing.json()["error"]["code"].as_str()),
        (404, Some("no_preview"))
    );
    let previews = [(ID.to_owned(), b"a picture".to_vec())].into();
    server.recorder = Arc::new(FakeRecorder {
        previews,
        ..FakeRecorder::default()
    });
    let found = server.send(with_key(&path)).await;
    assert_eq!((found.status, &found.body[..]), (200, &b"a picture"[..]));
    assert_eq!(found.header("content-type"), Some("image/jpeg"));
    assert_eq!(found.header("cache-control"), Some("no-store"));
    assert_eq!(server.get(&path).await.status, 401);
}

#[actix_web::test]
async fn the_poster_is_found_by_the_id_and_by_its_name() {
    let server = server(MemoryStore::with(POSTER, b"a poster"));
    let by_id = format!("/v1/recordings/{ID}/poster");
    assert_eq!(server.send(with_key(&by_id)).await.status, 404);
    *server.recorder.live.lock().unwrap() = Some(finished_with_poster());
    for path in [by_id, format!("/recordings/{POSTER}")] {
        let found = server.send(with_key(&path)).await;
        assert_eq!(
            (found.status, &found.body[..]),
            (200, &b"a poster"[..]),
            "{path}"
        );
        assert_eq!(found.header("content-type"), Some("image/jpeg"));
        assert_eq!(server.get(&path).await.status, 401, "{path}");
    }
}

#[actix_web::test]
async fn a_link_opens_the_file_without_the_key() {
    let path = format!("/v1/recordings/{ID}/link");
    let away = server(MemoryStore::default()).send(with_key(&path)).await;
    assert_eq!(away.status, 404);
    let server = server(MemoryStore::with(NAME, b"film"));
    assert_eq!(server.get(&path).await.status, 401);
    let link = server.send(with_key(&path)).await.json();
    let url = link["url"].as_str().unwrap();
    let played = server.get(url).await;
    assert_eq!((played.status, &played.body[..]), (200, &b"film"[..]));
    let bare = server.get(url.split('?').next().unwrap()).await;
    assert_eq!(bare.status, 401);
    let unknown = server.send(with_key("/v1/recordings/EG_other/link")).await;
    assert_eq!(unknown.status, 404);
}
