use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::http::openapi::{Operation, Schemas};

use super::health::HealthAnswer;
use super::list::{LARGEST_PAGE, ListAnswer, PAGE};
use super::start::StartAnswer;
use super::status::SessionsAnswer;
use super::token::TokenAnswer;
use super::view::StoppedView;

/// Who wants to join which channel. `uid` or `user_account` is needed.
#[derive(Default, Serialize, JsonSchema)]
struct ChannelTokenBody {
    #[schemars(length(min = 1, max = 64))]
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_account: Option<String>,
    /// `publisher` or `subscriber`.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// For how long, s.
    #[serde(skip_serializing_if = "Option::is_none")]
    expire: Option<u32>,
}

/// What is to be recorded.
#[derive(Serialize, JsonSchema)]
struct ChannelBody {
    /// `{groupId}_{user1}_{user2}`
    #[schemars(length(min = 1, max = 64))]
    channel: String,
}

/// Which recording is meant: `sid` or `channel` is needed.
#[derive(Default, Serialize, JsonSchema)]
struct ChannelStopBody {
    /// The session's id, a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
}

/// The paths of Memharbor.
pub fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let channel = || "7_alice_bob".to_owned();
    let token = ChannelTokenBody {
        channel: channel(),
        uid: Some(7),
        ..ChannelTokenBody::default()
    };
    let stop = ChannelStopBody {
        sid: None,
        channel: Some(channel()),
    };
    let (limit, offset) = (
        json!({ "type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE }),
        json!({ "type": "integer", "minimum": 0, "default": 0 }),
    );
    let mut operations = vec![
        Operation::new("post", "/api/token", "A token to join a channel")
            .takes(schemas, &token)
            .answers::<TokenAnswer>(schemas, 200, "The token")
            .refuses(&[503]),
        Operation::new("post", "/api/recording/start", "Record a channel as a WAV")
            .description("Answers when the recorder is in the channel.")
            .takes(schemas, &ChannelBody { channel: channel() })
            .answers::<StartAnswer>(schemas, 200, "It is recorded")
            .refuses(&[404, 409, 422, 500, 502, 503, 504]),
        Operation::new("post", "/api/recording/stop", "End a recording")
            .description("Answers when it is in its store, or after `agora.stop_wait_s`. Asked again by `sid` it answers the same.")
            .takes(schemas, &stop)
            .answers::<StoppedView>(schemas, 200, "It has ended")
            .refuses(&[404, 500, 503]),
        Operation::new("get", "/api/recording/status", "Channels that are recorded")
            .answers::<SessionsAnswer>(schemas, 200, "As it is now")
            .refuses(&[500]),
        Operation::new("get", "/api/recording/list", "Recordings of channels")
            .query("channel", "Only of this channel", json!({ "type": "string" }))
            .query("limit", "Entries in an answer", limit)
            .query("offset", "Entries to skip", offset)
            .answers::<ListAnswer>(schemas, 200, "The newest first")
            .refuses(&[400, 500]),
    ];
    for method in ["get", "head"] {
        operations.push(
            Operation::new(method, "/api/health", "Whether recordings can be made")
                .answers::<HealthAnswer>(schemas, 200, "They can")
                .refuses(&[503]),
        );
    }
    operations
}
