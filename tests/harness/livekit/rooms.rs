//! The room service of a test server, by Twirp's JSON.

use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{API_KEY, API_SECRET, Livekit};

/// A room as its server tells it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RoomInfo {
    /// `RM_…`
    pub sid: String,
    pub name: String,
    pub active_recording: bool,
    pub num_participants: u32,
    pub num_publishers: u32,
}

/// A participant as its server tells it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ParticipantInfo {
    /// `PA_…`
    pub sid: String,
    pub identity: String,
    pub name: String,
    pub tracks: Vec<Value>,
    permission: Permission,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Permission {
    hidden: bool,
}

impl Livekit {
    /// The room of that name, if it exists.
    pub async fn room(&self, name: &str) -> Option<RoomInfo> {
        let answer = self
            .call("ListRooms", "", json!({ "names": [name] }))
            .await
            .expect("ListRooms");
        let rooms = answer.get("rooms")?.as_array()?;
        rooms
            .first()
            .and_then(|room| serde_json::from_value(room.clone()).ok())
    }

    /// Creates a room that nobody is in.
    pub async fn create_room(&self, name: &str) -> RoomInfo {
        let answer = self
            .call("CreateRoom", "", json!({ "name": name }))
            .await
            .expect("CreateRoom");
        serde_json::from_value(answer).expect("a room")
    }

    /// Closes a room and disconnects everybody.
    pub async fn delete_room(&self, name: &str) {
        self.call("DeleteRoom", name, json!({ "room": name }))
            .await
            .expect("DeleteRoom");
    }

    /// Everybody who is in the room and not hidden.
    pub async fn participants(&self, room: &str) -> Vec<ParticipantInfo> {
        let answer = self
            .call("ListParticipants", room, json!({ "room": room }))
            .await
            .unwrap_or_default();
        let mut participants: Vec<ParticipantInfo> = answer
            .get("participants")
            .and_then(|list| serde_json::from_value(list.clone()).ok())
            .unwrap_or_default();
        // The service tells of hidden ones too, other participants do not hear of them.
        participants.retain(|participant| !participant.permission.hidden);
        participants
    }

    /// Throws a participant out.
    pub async fn remove_participant(&self, room: &str, identity: &str) {
        self.call(
            "RemoveParticipant",
            room,
            json!({ "room": room, "identity": identity }),
        )
        .await
        .expect("RemoveParticipant");
    }

    /// Waits until the room says that it is (or is not) being recorded.
    pub async fn wait_for_recording_flag(&self, room: &str, flag: bool) {
        crate::wait::until(
            &format!("active_recording = {flag}"),
            Duration::from_secs(15),
            || async {
                let active = self
                    .room(room)
                    .await
                    .is_some_and(|room| room.active_recording);
                (active == flag).then_some(())
            },
        )
        .await;
    }

    async fn call(&self, method: &str, room: &str, body: Value) -> Result<Value, String> {
        let token = AccessToken::with_api_key(API_KEY, API_SECRET)
            .with_identity("tests")
            .with_grants(VideoGrants {
                room_create: true,
                room_list: true,
                room_admin: true,
                room: room.to_owned(),
                ..Default::default()
            })
            .to_jwt()
            .map_err(|error| error.to_string())?;
        let answer = self
            .http
            .post(format!(
                "{}/twirp/livekit.RoomService/{method}",
                self.http_url()
            ))
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{method}: {status} {text}"));
        }
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}
