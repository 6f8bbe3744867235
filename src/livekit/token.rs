//! Access tokens: JWT, HS256, with LiveKit's grants
//! (<https://docs.livekit.io/home/get-started/authentication/>).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use tapedeck_pipelines::job::Secret;

/// A key of the media server with its secret.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub api_key: String,
    pub api_secret: Secret,
}

/// The keys of both kinds of rooms.
#[derive(Clone, Debug)]
pub struct RoomCredentials {
    /// Of the media server.
    pub livekit: Credentials,
    /// Of our own rooms: the same ones, unless their secret is one that everybody knows.
    pub own: Credentials,
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign a token with livekit.api_secret: {0}")]
pub struct TokenError(#[from] jsonwebtoken::errors::Error);

/// What a participant's token allows.
#[derive(Clone, Debug)]
pub struct ParticipantToken<'a> {
    pub room: &'a str,
    /// Identity and name.
    pub participant: &'a str,
    /// Whether its holder may record through LiveKit itself.
    pub room_record: bool,
    pub valid_for: Duration,
}

#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// Unix s.
    nbf: u64,
    /// Unix s.
    exp: u64,
    video: Grants<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

/// LiveKit's video grants; what is absent is not granted.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Grants<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    room_join: bool,
    #[serde(skip_serializing_if = "is_false")]
    room_list: bool,
    #[serde(skip_serializing_if = "is_false")]
    room_record: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    can_publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    can_subscribe: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    can_publish_data: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    hidden: bool,
    #[serde(skip_serializing_if = "is_false")]
    recorder: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// The wall clock, Unix s.
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Credentials {
    /// A token to join a room, publish and subscribe.
    ///
    /// # Errors
    /// The secret cannot be used.
    pub fn participant(&self, token: &ParticipantToken) -> Result<String, TokenError> {
        let grants = Grants {
            room: Some(token.room),
            room_join: true,
            room_record: token.room_record,
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..Grants::default()
        };
        self.sign(grants, Some(token.participant), None, token.valid_for)
    }

    /// A token for our recorder: nobody sees it, it only subscribes, and the room says that it is
    /// being recorded while it is there.
    ///
    /// # Errors
    /// The secret cannot be used.
    pub fn recorder(
        &self,
        room: &str,
        identity: &str,
        valid_for: Duration,
    ) -> Result<Secret, TokenError> {
        let grants = Grants {
            room: Some(room),
            room_join: true,
            can_publish: Some(false),
            can_subscribe: Some(true),
            can_publish_data: Some(false),
            hidden: true,
            recorder: true,
            ..Grants::default()
        };
        self.sign(grants, Some(identity), Some("egress"), valid_for)
            .map(Secret::new)
    }

    /// A token to ask the room service for rooms.
    ///
    /// # Errors
    /// The secret cannot be used.
    pub fn room_list(&self) -> Result<Secret, TokenError> {
        let grants = Grants {
            room_list: true,
            ..Grants::default()
        };
        self.sign(grants, None, None, Duration::from_secs(60))
            .map(Secret::new)
    }

    fn sign(
        &self,
        video: Grants,
        identity: Option<&str>,
        kind: Option<&'static str>,
        valid_for: Duration,
    ) -> Result<String, TokenError> {
        let now = unix_seconds();
        let claims = Claims {
            iss: &self.api_key,
            sub: identity,
            name: identity,
            // Clocks of two machines may differ a little.
            nbf: now.saturating_sub(10),
            exp: now + valid_for.as_secs(),
            video,
            kind,
        };
        let key = EncodingKey::from_secret(self.api_secret.reveal().as_bytes());
        Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use serde_json::{Value, json};

    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            api_key: "devkey".into(),
            api_secret: Secret::new("secret"),
        }
    }

    fn claims(token: &str) -> Value {
        let validation = Validation::new(Algorithm::HS256);
        jsonwebtoken::decode(token, &DecodingKey::from_secret(b"secret"), &validation)
            .unwrap()
            .claims
    }

    #[test]
    fn a_participant_may_join_its_room_only() {
        let token = ParticipantToken {
            room: "방",
            participant: "참가자",
            room_record: false,
            valid_for: Duration::from_secs(600),
        };
        let claims = claims(&credentials().participant(&token).unwrap());
        assert_eq!(claims["iss"], "devkey");
        assert_eq!(
            (&claims["sub"], &claims["name"]),
            (&json!("참가자"), &json!("참가자"))
        );
        assert_eq!(
            claims["video"],
            json!({"room": "방", "roomJoin": true, "canPublish": true, "canSubscribe": true, "canPublishData": true})
        );
        let lifetime = claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap();
        assert_eq!(lifetime, 610);
    }

    #[test]
    fn room_record_is_granted_when_configured() {
        let token = ParticipantToken {
            room: "r",
            participant: "p",
            room_record: true,
            valid_for: Duration::from_secs(9),
        };
        assert_eq!(
            claims(&credentials().participant(&token).unwrap())["video"]["roomRecord"],
            true
        );
    }

    #[test]
    fn the_recorder_is_hidden_and_publishes_nothing() {
        let token = credentials()
            .recorder("r", "EG_abc", Duration::from_secs(60))
            .unwrap();
        let claims = claims(token.reveal());
        assert_eq!(claims["kind"], "egress");
        assert_eq!(
            claims["video"],
            json!({"room": "r", "roomJoin": true, "canPublish": false, "canSubscribe": true,
                "canPublishData": false, "hidden": true, "recorder": true})
        );
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
