//! LiveKit's room service, of which only ListRooms is used: a room is never created.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tapedeck_actors::{Room, RoomError, Rooms};
use tapedeck_pipelines::job::Source;

use super::{Credentials, ServerAddress};

/// The rooms of a LiveKit or OpenVidu server.
pub struct LivekitRooms {
    address: ServerAddress,
    credentials: Credentials,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct ListRooms {
    #[serde(default)]
    rooms: Vec<ListedRoom>,
}

#[derive(Deserialize)]
struct ListedRoom {
    sid: String,
    name: String,
}

impl LivekitRooms {
    /// `timeout` is for a whole request.
    ///
    /// # Errors
    /// No HTTP client can be made, which is the case without usable root certificates.
    pub fn new(
        address: ServerAddress,
        credentials: Credentials,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            // Media goes straight to the server, so its room service is reached straight as well.
            .no_proxy()
            .build()?;
        Ok(Self {
            address,
            credentials,
            client,
        })
    }

    fn unreachable(&self, reason: impl std::fmt::Display) -> RoomError {
        RoomError::Unreachable(format!(
            "{} {reason}; check LIVEKIT_URL",
            self.address.http()
        ))
    }
}

#[async_trait]
impl Rooms for LivekitRooms {
    async fn find(&self, name: &str) -> Result<Room, RoomError> {
        let token = self
            .credentials
            .room_list()
            .map_err(|error| RoomError::Refused(error.to_string()))?;
        let response = self
            .client
            .post(format!(
                "{}/twirp/livekit.RoomService/ListRooms",
                self.address.http()
            ))
            .bearer_auth(token.reveal())
            .json(&json!({ "names": [name] }))
            .send()
            .await
            .map_err(|error| match error {
                error if error.is_timeout() => RoomError::Timeout,
                error => self.unreachable(format!("gives no connection: {}", root_cause(&error))),
            })?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(RoomError::Refused(format!(
                    "{} does not accept key {}; check LIVEKIT_API_KEY and LIVEKIT_API_SECRET",
                    self.address.http(),
                    self.credentials.api_key
                )));
            }
            status => {
                return Err(
                    self.unreachable(format!("does not answer as a room service ({status})"))
                );
            }
        }
        let listed: ListRooms = response.json().await.map_err(|error| match error {
            error if error.is_timeout() => RoomError::Timeout,
            _ => self.unreachable("does not answer as a room service (no list of rooms)"),
        })?;
        listed
            .rooms
            .into_iter()
            .find(|room| room.name == name)
            .map(|room| Room {
                name: room.name,
                id: room.sid,
            })
            .ok_or_else(|| RoomError::Unknown(name.to_owned()))
    }

    fn source(
        &self,
        room: &Room,
        identity: &str,
        valid_for: Duration,
    ) -> Result<Source, RoomError> {
        let token = self
            .credentials
            .recorder(&room.name, identity, valid_for)
            .map_err(|error| RoomError::Refused(error.to_string()))?;
        Ok(Source::Livekit {
            url: self.address.websocket(),
            token,
        })
    }
}

/// The innermost cause: what the operating system or TLS said.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
