//! LiveKit's signature of a webhook: a JWT, HS256, whose claim `sha256` is the digest of the body
//! (<https://docs.livekit.io/home/server/webhooks/>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::livekit::{Credentials, TokenError, unix_seconds};

/// How long a signature is valid, s: LiveKit's.
const VALID_FOR_S: u64 = 300;

/// How much the clocks of two machines may differ, s.
const LEEWAY_S: u64 = 30;

/// Why a webhook is not LiveKit's. The sender is told no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the webhook is not signed with livekit.api_key and livekit.api_secret")]
    Token,
    #[error("the webhook's body is not the one that was signed")]
    Body,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    nbf: u64,
    exp: u64,
    sha256: String,
}

/// What goes into `Authorization`, without a scheme.
///
/// # Errors
/// The secret cannot be used.
pub fn sign(credentials: &Credentials, body: &[u8]) -> Result<String, TokenError> {
    let now = unix_seconds();
    let claims = Claims {
        iss: credentials.api_key.clone(),
        // Clocks of two machines may differ a little.
        nbf: now.saturating_sub(10),
        exp: now + VALID_FOR_S,
        sha256: STANDARD.encode(Sha256::digest(body)),
    };
    let key = EncodingKey::from_secret(credentials.api_secret.reveal().as_bytes());
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
}

/// Checks the `Authorization` of a webhook with this body.
///
/// # Errors
/// It was not signed with these credentials, is over, or belongs to another body.
pub fn verify(
    credentials: &Credentials,
    authorization: &str,
    body: &[u8],
) -> Result<(), SignatureError> {
    // LiveKit sends no scheme; some proxies and clients add one.
    let token = authorization
        .strip_prefix("Bearer ")
        .unwrap_or(authorization)
        .trim();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.validate_aud = false;
    validation.set_issuer(&[&credentials.api_key]);
    validation.set_required_spec_claims(&["exp", "iss"]);
    let key = DecodingKey::from_secret(credentials.api_secret.reveal().as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|_| SignatureError::Token)?
        .claims;
    let digest = STANDARD
        .decode(&claims.sha256)
        .map_err(|_| SignatureError::Body)?;
    match digest.ct_eq(&Sha256::digest(body)).into() {
        true => Ok(()),
        false => Err(SignatureError::Body),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tapedeck_pipelines::job::Secret;

    use super::*;

    fn credentials(secret: &str) -> Credentials {
        Credentials {
            api_key: "key-1".into(),
            api_secret: Secret::new(secret),
        }
    }

    fn token(claims: &Value, secret: &str) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::default(), claims, &key).unwrap()
    }

    #[test]
    fn what_is_signed_is_verified_and_a_changed_body_is_not() {
        let own = credentials("hush");
        let signed = sign(&own, b"body").unwrap();
        assert_eq!(verify(&own, &signed, b"body"), Ok(()));
        assert_eq!(verify(&own, &format!("Bearer {signed}"), b"body"), Ok(()));
        assert_eq!(verify(&own, &signed, b"other"), Err(SignatureError::Body));
        assert_eq!(
            verify(&credentials("else"), &signed, b"body"),
            Err(SignatureError::Token)
        );
    }

    #[test]
    fn tokens_for_other_things_and_old_ones_are_no_signatures() {
        let own = credentials("hush");
        let digest = STANDARD.encode(Sha256::digest(b"body"));
        let good = json!({"iss": "key-1", "exp": unix_seconds() + 60, "sha256": digest});
        assert_eq!(verify(&own, &token(&good, "hush"), b"body"), Ok(()));
        for (name, value) in [
            ("iss", json!("key-2")),
            ("iss", Value::Null),
            ("exp", json!(unix_seconds() - 60)),
            ("exp", Value::Null),
            ("nbf", json!(unix_seconds() + 60)),
            // A participant's token.
            ("sha256", Value::Null),
        ] {
            let mut claims = good.clone();
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                ref value => claims[name] = value.clone(),
            }
            let refused = verify(&own, &token(&claims, "hush"), b"body");
            assert_eq!(refused, Err(SignatureError::Token), "{name} {value}");
        }
        let mut claims = good;
        claims["sha256"] = json!("no base64!");
        let refused = verify(&own, &token(&claims, "hush"), b"body");
        assert_eq!(refused, Err(SignatureError::Body));
        assert_eq!(verify(&own, "", b"body"), Err(SignatureError::Token));
    }
}
