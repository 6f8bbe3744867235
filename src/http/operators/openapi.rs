use serde_json::{Value, json};
use tapedeck_actors::{DeliveryState, RecordingState, UploadPage, WebhookPage};

use crate::http::openapi::{Operation, Schemas};

use super::info::InfoAnswer;
use super::link::LinkAnswer;
use super::page::{LARGEST_PAGE, PAGE};
use super::rooms::RoomsAnswer;
use super::status::StatusAnswer;
use super::uploads::RetryAnswer;
use super::v1::RecordingsAnswer;
use super::view::{OneRecording, SessionView};
use super::webhooks::{ReplayAnswer, ReplayedAnswer};

/// The paths of operators.
pub fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let state = schemas.of::<RecordingState>();
    let delivery = schemas.of::<DeliveryState>();
    let poster = ["get", "head"].map(|method| {
        Operation::new(
            method,
            "/v1/recordings/{id}/poster",
            "A picture of a finished recording",
        )
        .returns(200, "A picture", "image/jpeg")
        .returns(206, "A part of it", "image/jpeg")
        .returns(304, "It is known already", "")
        .refuses(&[404, 416, 500, 503])
    });
    let mut operations = vec![
        Operation::new("get", "/v1/info", "What pages must know first")
            .answers::<InfoAnswer>(schemas, 200, "Where rooms live, and who may call what"),
        Operation::new("get", "/v1/rooms", "Rooms of this server")
            .description("Those that participants publish to by WHIP; rooms of a media server are not listed.")
            .answers::<RoomsAnswer>(schemas, 200, "By name")
            .refuses(&[500]),
        paged(Operation::new("get", "/v1/recordings", "Recordings in any state"))
            .query("state", "Only in this state", state)
            .query("roomName", "Only of this room", text())
            .query("roomId", "Only of this room", text())
            .answers::<RecordingsAnswer>(schemas, 200, "The newest first")
            .refuses(&[500]),
        Operation::new("get", "/v1/recordings/{id}", "A recording in any state")
            .answers::<OneRecording>(schemas, 200, "The recording")
            .refuses(&[404, 500]),
        Operation::new("get", "/v1/recordings/{id}/preview", "How a live recording looks just now")
            .returns(200, "A picture", "image/jpeg")
            .refuses(&[404, 500]),
        Operation::new("get", "/v1/recordings/{id}/link", "A link that plays without a key")
            .answers::<LinkAnswer>(schemas, 200, "The link")
            .refuses(&[404, 500, 503]),
        Operation::new("get", "/v1/events", "All of this as it changes")
            .description("Server-sent events without an end: status, rooms, recordings, uploads, disk, trouble.")
            .returns(200, "Events", "text/event-stream")
            .refuses(&[503]),
        paged(Operation::new("get", "/v1/uploads", "Recordings on their way into their stores"))
            .answers::<UploadPage>(schemas, 200, "The oldest first"),
        Operation::new("post", "/v1/uploads/{id}/retry", "Try an upload at once")
            .answers::<RetryAnswer>(schemas, 202, "It is tried")
            .refuses(&[404, 409, 500]),
        paged(Operation::new("get", "/v1/webhooks", "Events for webhooks"))
            .query("state", "Only with a delivery in this state", delivery)
            .query("recordingId", "Only of this recording", text())
            .answers::<WebhookPage>(schemas, 200, "The newest first"),
        Operation::new("post", "/v1/webhooks/replay", "Send all that was given up once more")
            .answers::<ReplayedAnswer>(schemas, 202, "It is sent")
            .refuses(&[404, 409, 500]),
        Operation::new("post", "/v1/webhooks/{id}/replay", "Send an event once more")
            .answers::<ReplayAnswer>(schemas, 202, "It is sent")
            .refuses(&[404, 409, 500]),
        Operation::new("get", "/status", "Live sessions, and what there is for more")
            .answers::<StatusAnswer>(schemas, 200, "As it is now")
            .refuses(&[500]),
        Operation::new("get", "/status/{id}", "A live session")
            .answers::<SessionView>(schemas, 200, "As it is now")
            .refuses(&[404, 500]),
    ];
    operations.extend(poster);
    operations
}

/// With the fields that choose a page of a list.
fn paged(operation: Operation) -> Operation {
    let limit: Value =
        json!({ "type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE });
    operation
        .query(
            "cursor",
            "What the page before gave",
            json!({ "type": "string" }),
        )
        .query("limit", "Entries in a page", limit)
        .refuses(&[400])
}
