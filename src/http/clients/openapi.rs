use serde_json::json;

use crate::http::openapi::{Operation, Schemas};

use super::answer::{AddressAnswer, Changed, Done, Listed, Started, Stopped, TokenAnswer};
use super::request::{RoomBody, StartBody, TokenBody};

/// The paths of OpenVidu's recording applications.
pub fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let room = || RoomBody {
        room_name: "studio".into(),
        source: None,
    };
    let token = TokenBody {
        room_name: "studio".into(),
        participant_name: "Alice".into(),
        source: None,
    };
    let start = StartBody {
        room_name: "studio".into(),
        max_duration: Some(3_600),
        metadata: Some(json!({ "call": 7 })),
        ..StartBody::default()
    };
    let mut operations = vec![
        Operation::new("post", "/token", "A token to join a room")
            .takes(schemas, &token)
            .answers::<TokenAnswer>(schemas, 200, "The token")
            .refuses(&[500]),
        Operation::new("post", "/recordings/start", "Record a room")
            .description("Answers when the recorder is in the room: from then on everything is recorded. A second start of a room that is recorded is refused with 409.")
            .header("Idempotency-Key", "A repeated start with the same key answers with the recording that the first one made; 1 to 255 printable characters")
            .takes(schemas, &start)
            .answers::<Started>(schemas, 200, "It is recorded")
            .refuses(&[404, 409, 422, 500, 502, 503, 504]),
        Operation::new("post", "/recordings/stop", "End a recording")
            .description("Answers with the finished recording, or with status `ending` when its file takes longer than `recording.stop_timeout_s`.")
            .takes(schemas, &room())
            .answers::<Stopped>(schemas, 200, "It has ended")
            .refuses(&[409, 500]),
        Operation::new("get", "/recordings", "Finished recordings")
            .query("roomName", "Only of this room", text())
            .query("roomId", "Only of this room", text())
            .answers::<Listed>(schemas, 200, "The newest first")
            .refuses(&[400, 500]),
        Operation::new("delete", "/recordings/{name}", "Delete a recording")
            .answers::<Done>(schemas, 200, "It has gone, with its further files")
            .refuses(&[404, 409, 500, 503]),
        Operation::new("get", "/recordings/{name}/url", "An address of a recording")
            .description("One that needs no key: at the store, or a path at this server.")
            .answers::<AddressAnswer>(schemas, 200, "The address")
            .refuses(&[404, 500, 503]),
    ];
    for (path, summary) in [
        ("/recordings/pause", "Let a recording pause"),
        ("/recordings/resume", "Let a paused recording go on"),
    ] {
        operations.push(
            Operation::new("post", path, summary)
                .takes(schemas, &room())
                .answers::<Changed>(schemas, 200, "It is so, perhaps since before")
                .refuses(&[409, 500, 503]),
        );
    }
    for method in ["get", "head"] {
        operations.push(
            Operation::new(method, "/recordings/{name}", "A recording's file")
                .header("Range", "One range of bytes")
                .header(
                    "If-Range",
                    "The entity tag, or the time, of what is there already",
                )
                .header("If-None-Match", "The entity tag of what is there already")
                .returns(200, "All of it", "*/*")
                .returns(206, "The range", "*/*")
                .returns(304, "It is there already", "")
                .refuses(&[404, 416, 500, 503]),
        );
    }
    operations
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderMap;
    use serde_json::Value;

    use super::*;
    use crate::config::Settings;
    use crate::http::clients::start::start_request;

    #[test]
    fn a_start_takes_each_field_that_is_documented() {
        let given = [
            ("source", json!("whip")),
            ("format", json!("wav")),
            ("perSpeaker", json!(false)),
            ("audioOnly", json!(false)),
            ("width", json!(640)),
            ("height", json!(360)),
            ("framerate", json!(10)),
            ("videoBitrate", json!(90_000)),
            ("maxDuration", json!(10)),
            ("thumbnailInterval", json!(5)),
            ("metadata", json!({})),
        ];
        let mut documented = Schemas::default();
        documented.of::<StartBody>();
        let documented = documented.into_definitions();
        let fields = documented["StartBody"]["properties"].as_object().unwrap();
        assert_eq!(fields.len(), given.len() + 1);
        for (field, value) in given {
            assert!(fields.contains_key(field), "{field}");
            let read = |value: Value| {
                let body = json!({ "roomName": "r", field: value });
                start_request(
                    body.as_object().unwrap(),
                    &HeaderMap::new(),
                    &Settings::default(),
                )
            };
            assert!(read(value).is_ok(), "{field}");
            if field != "metadata" {
                assert!(read(json!([])).is_err(), "{field} is not looked at");
            }
        }
    }
}
