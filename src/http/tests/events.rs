use std::pin::pin;
use std::time::Duration;

use actix_web::body::{BodyStream, BoxBody, MessageBody};
use serde_json::json;
use tapedeck_actors::RecordingState;
use tokio::time::timeout;

use crate::http::events::events;

use super::fakes::{ROOM, manifest};
use super::*;

/// What a stream says next.
async fn next(body: &mut BoxBody) -> Option<String> {
    let mut body = pin!(body);
    let next = std::future::poll_fn(|context| body.as_mut().poll_next(context));
    let bytes = timeout(Duration::from_secs(10), next)
        .await
        .expect("it says something")?;
    Some(String::from_utf8(bytes.expect("it does not break").to_vec()).unwrap())
}

fn open(services: &Data<Services>) -> BoxBody {
    let stream = events(services).expect("there is a place");
    BodyStream::new(Box::pin(stream)).boxed()
}

/// The data of an event in what a stream said.
fn data(text: &str, topic: &str) -> Value {
    let (_, rest) = text
        .split_once(&format!("event: {topic}\ndata: "))
        .unwrap_or_else(|| panic!("no {topic} in {text}"));
    serde_json::from_str(rest.lines().next().unwrap()).unwrap()
}

#[actix_web::test]
async fn everything_is_told_at_first_and_then_what_changes() {
    let server = Server::default();
    let services = server.services();
    let mut body = open(&services);
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n\n");
    let first = next(&mut body).await.unwrap();
    assert_eq!(data(&first, "status")["sessions"], json!([]));
    assert_eq!(data(&first, "rooms"), server.get("/v1/rooms").await.json());
    assert_eq!(
        data(&first, "recordings")["recordings"][0]["state"],
        "failed"
    );
    assert_eq!(data(&first, "uploads")["uploads"], json!([]));
    assert_eq!(data(&first, "disk")["freeBytes"], 0);
    assert_eq!(data(&first, "trouble")["messages"], json!([]));

    *server.recorder.live.lock().unwrap() = Some(manifest(RecordingState::Active));
    let then = next(&mut body).await.unwrap();
    let status = data(&then, "status");
    assert_eq!(status, server.get("/status").await.json());
    assert_eq!(status["sessions"][0]["roomName"], ROOM);
    assert!(
        !then.contains("event: disk") && !then.contains("event: uploads"),
        "{then}"
    );

    services.events.close();
    assert_eq!(next(&mut body).await, None);
    assert_eq!(next(&mut open(&services)).await.unwrap(), "retry: 2000\n\n");
}

#[actix_web::test]
async fn what_cannot_be_told_is_said() {
    let recorder = FakeRecorder {
        unready: Some("the index failed".into()),
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let mut body = open(&server.services());
    next(&mut body).await;
    let first = next(&mut body).await.unwrap();
    assert!(!first.contains("event: status"), "{first}");
    assert!(
        data(&first, "trouble")
            .to_string()
            .contains("the index failed")
    );
}

#[actix_web::test]
async fn streams_are_for_operators_and_not_endless_in_number() {
    let server = Server {
        access: Access {
            clients: ClientPaths::Open,
            operators: OperatorPaths::Key,
            keys: keys("the-key", "", ""),
        },
        ..Server::default()
    };
    assert_eq!(server.get("/v1/events").await.status, 401);
    let services = server.services();
    let streams: Vec<BoxBody> = (0..32).map(|_| open(&services)).collect();
    let asked = || {
        TestRequest::get()
            .uri("/v1/events")
            .insert_header(("authorization", "Bearer the-key"))
    };
    let refused = server.send_to(services.clone(), asked()).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (503, Some("too_many_streams"))
    );
    drop(streams);
    services.events.close();
    let answer = server.send_to(services, asked()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.json_text(), "retry: 2000\n\n");
}
