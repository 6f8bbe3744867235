use serde_json::json;

use crate::http::openapi::{Operation, Schemas};

use super::{SDP, SDP_FRAGMENT};

/// WHIP.
pub fn operations(_: &mut Schemas) -> Vec<Operation> {
    let media = json!({ "type": "string", "enum": ["", "camera", "screen"] });
    let text = || json!({ "type": "string", "maxLength": 256 });
    vec![
        Operation::new("post", "/whip/{room}", "Publish in a room")
            .query(
                "media",
                "What is published: camera (also if left out) or screen",
                media,
            )
            .query("identity", "With the operator's key: who publishes", text())
            .query(
                "name",
                "With the operator's key: the label in the picture",
                text(),
            )
            .takes_text(SDP)
            .returns(201, "The SDP answer; Location names the session", SDP)
            .refuses(&[404, 412, 415, 422, 428, 500, 503]),
        Operation::new(
            "patch",
            "/whip/{room}/{session}",
            "Trickle candidates, or restart ICE",
        )
        .header(
            "If-Match",
            "The entity tag of the ICE session, or * to restart it",
        )
        .takes_text(SDP_FRAGMENT)
        .returns(200, "ICE is restarted", SDP_FRAGMENT)
        .returns(204, "The candidates are taken", "")
        .refuses(&[404, 412, 415, 422, 428, 500, 503]),
        Operation::new("delete", "/whip/{room}/{session}", "Stop publishing")
            .returns(200, "The session has ended", "")
            .refuses(&[400, 404, 412, 422, 428, 500, 503]),
    ]
}
