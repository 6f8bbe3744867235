//! What a participant's token allows, when it is shown to us.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::Credentials;

/// How much the clocks of two machines may differ, s.
const LEEWAY_S: u64 = 10;

/// Whether a token may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It must be valid now.
    Checked,
    /// It may have expired, for what was begun with it.
    Ignored,
}

/// What the holder of a token may do in its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub room: String,
    pub identity: String,
    /// The identity if the token tells no name.
    pub name: String,
    /// The only sources that may be published; none if all may.
    sources: Option<Vec<String>>,
}

/// A source of a track in LiveKit's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackSource {
    Camera,
    Microphone,
    ScreenShare,
    ScreenShareAudio,
}

impl TrackSource {
    /// As tokens call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::ScreenShare => "screen_share",
            Self::ScreenShareAudio => "screen_share_audio",
        }
    }
}

/// Why a token allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error(
        "the token is not for rooms of this server: get one from POST /token with \"source\": \"whip\""
    )]
    Unknown,
    #[error("the token has expired: get another from POST /token")]
    Expired,
    #[error("the token is not valid yet: check the clocks of both machines")]
    TooEarly,
    #[error("the token does not allow this: it needs {0}")]
    Lacks(&'static str),
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    video: Option<Grants>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grants {
    #[serde(default)]
    room: Option<String>,
    #[serde(default)]
    room_join: Option<bool>,
    /// Granted unless it is denied.
    #[serde(default)]
    can_publish: Option<bool>,
    #[serde(default)]
    can_publish_sources: Option<Vec<String>>,
    #[serde(default)]
    room_record: Option<bool>,
}

impl Credentials {
    /// Reads a token that was signed with these credentials, by us or by an application that has
    /// them too.
    ///
    /// # Errors
    /// See [`GrantError`].
    pub fn publisher(&self, token: &str, expiry: Expiry) -> Result<Grant, GrantError> {
        let claims = self.claims(token, expiry)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let video = claims.video.ok_or(GrantError::Lacks("roomJoin"))?;
        if video.room_join != Some(true) {
            return Err(GrantError::Lacks("roomJoin"));
        }
        if video.can_publish == Some(false) {
            return Err(GrantError::Lacks("canPublish"));
        }
        let room = given(video.room).ok_or(GrantError::Lacks("the room's name"))?;
        let identity = given(claims.sub).ok_or(GrantError::Lacks("an identity"))?;
        Ok(Grant {
            name: given(claims.name).unwrap_or_else(|| identity.clone()),
            room,
            identity,
            sources: video
                .can_publish_sources
                .filter(|sources| !sources.is_empty()),
        })
    }

    /// Whether a token that was signed with these credentials allows to record, in whatever room, as
    /// LiveKit's egress takes it.
    ///
    /// # Errors
    /// See [`GrantError`].
    pub fn may_record(&self, token: &str) -> Result<(), GrantError> {
        let video = self.claims(token, Expiry::Checked)?.video;
        match video.and_then(|video| video.room_record) {
            Some(true) => Ok(()),
            _ => Err(GrantError::Lacks("roomRecord")),
        }
    }

    fn claims(&self, token: &str, expiry: Expiry) -> Result<Claims, GrantError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.validate_exp = expiry == Expiry::Checked;
        validation.validate_aud = false;
        validation.set_issuer(&[&self.api_key]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        let key = DecodingKey::from_secret(self.api_secret.reveal().as_bytes());
        jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => GrantError::Expired,
                ErrorKind::ImmatureSignature => GrantError::TooEarly,
                _ => GrantError::Unknown,
            })
            .map(|token| token.claims)
    }
}

impl Grant {
    /// Whether tracks of this source may be published.
    pub fn allows(&self, source: TrackSource) -> bool {
        self.sources.as_ref().is_none_or(|sources| {
            sources
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(source.name()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};
    use tapedeck_pipelines::job::Secret;

    use super::super::ParticipantToken;
    use super::*;

    const SECRET: &str = "hidden-secret";

    fn credentials() -> Credentials {
        Credentials {
            api_key: "key-1".into(),
            api_secret: Secret::new(SECRET),
        }
    }

    fn now() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    }

    fn signed(header: &Header, secret: &str, claims: &Value) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    /// A good token of an application with `changes`; null removes.
    fn token(changes: Value) -> String {
        let mut claims = json!({
            "iss": "key-1", "sub": "alice", "exp": now() + 60,
            "video": {"roomJoin": true, "room": "studio"}
        });
        for (key, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
                value => claims[key] = value.clone(),
            }
        }
        signed(&Header::default(), SECRET, &claims)
    }

    fn read(token: &str) -> Result<Grant, GrantError> {
        credentials().publisher(token, Expiry::Checked)
    }

    #[test]
    fn our_own_tokens_and_those_of_applications_are_read() {
        let own = credentials()
            .participant(&ParticipantToken {
                room: "방",
                participant: "참가자",
                room_record: false,
                valid_for: Duration::from_secs(60),
            })
            .unwrap();
        let grant = read(&own).unwrap();
        assert_eq!(
            (&*grant.room, &*grant.identity, &*grant.name),
            ("방", "참가자", "참가자")
        );
        let grant = read(&token(
            json!({"name": "Alice", "nbf": now() + 5, "metadata": "x"}),
        ));
        assert_eq!(grant.unwrap().name, "Alice");
        assert_eq!(read(&token(json!({"name": ""}))).unwrap().name, "alice");
        // The clock of who signed it may be a little slow.
        assert!(read(&token(json!({"exp": now() - 5}))).is_ok());
    }

    #[test]
    fn only_sources_that_are_granted_may_be_published() {
        let all = read(&token(json!({}))).unwrap();
        assert!(all.allows(TrackSource::Camera) && all.allows(TrackSource::ScreenShareAudio));
        let video =
            json!({"roomJoin": true, "room": "studio", "canPublishSources": ["microphone"]});
        let some = read(&token(json!({ "video": video }))).unwrap();
        assert!(some.allows(TrackSource::Microphone) && !some.allows(TrackSource::Camera));
    }

    #[test]
    fn other_tokens_are_refused_with_the_reason() {
        let video = |changes: Value| {
            let mut video = json!({"roomJoin": true, "room": "studio"});
            for (key, value) in changes.as_object().unwrap() {
                video[key] = value.clone();
            }
            token(json!({ "video": video }))
        };
        let none = Header::new(Algorithm::HS512);
        let claims = json!({"iss": "key-1", "sub": "a", "exp": now() + 60,
            "video": {"roomJoin": true, "room": "studio"}});
        let unsigned = format!(
            "eyJhbGciOiJub25lIn0.{}.",
            token(json!({})).split('.').nth(1).unwrap()
        );
        let cases = [
            (String::new(), GrantError::Unknown),
            ("a.b.c".into(), GrantError::Unknown),
            (unsigned, GrantError::Unknown),
            (signed(&none, SECRET, &claims), GrantError::Unknown),
            (
                signed(&Header::default(), "secret", &claims),
                GrantError::Unknown,
            ),
            (token(json!({"iss": "key-2"})), GrantError::Unknown),
            (token(json!({"iss": null})), GrantError::Unknown),
            (token(json!({"exp": null})), GrantError::Unknown),
            (token(json!({"sub": 7})), GrantError::Unknown),
            (token(json!({"exp": now() - 60})), GrantError::Expired),
            (token(json!({"nbf": now() + 60})), GrantError::TooEarly),
            (token(json!({"video": null})), GrantError::Lacks("roomJoin")),
            (
                video(json!({"roomJoin": false})),
                GrantError::Lacks("roomJoin"),
            ),
            (
                video(json!({"canPublish": false})),
                GrantError::Lacks("canPublish"),
            ),
            (
                video(json!({"room": ""})),
                GrantError::Lacks("the room's name"),
            ),
            (
                token(json!({"sub": null})),
                GrantError::Lacks("an identity"),
            ),
        ];
        for (token, error) in cases {
            assert_eq!(read(&token), Err(error), "{token}");
        }
    }

    #[test]
    fn what_was_begun_with_a_token_may_outlive_it() {
        let expired = token(json!({"exp": now() - 3_600}));
        assert_eq!(read(&expired), Err(GrantError::Expired));
        assert!(credentials().publisher(&expired, Expiry::Ignored).is_ok());
    }
}
