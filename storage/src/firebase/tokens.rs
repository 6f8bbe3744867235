//! Access tokens: signed statements of the service account are exchanged for them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::account::ServiceAccount;
use super::client::{Fault, clock_ahead_ms, detail_of};

/// What we ask for: objects and documents, nothing of the bucket or the project.
const SCOPES: &str = "https://www.googleapis.com/auth/devstorage.read_write \
                      https://www.googleapis.com/auth/datastore";
/// How long a statement is valid, s; Google takes no more.
const STATEMENT_S: u64 = 3_600;
/// A token is renewed so long before it ends.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);
/// Clocks that differ by more may be why a statement is refused.
const CLOCKS_DIFFER_MS: i64 = 60_000;

/// The tokens of an account, each used until shortly before its end.
pub struct Tokens {
    account: ServiceAccount,
    http: reqwest::Client,
    current: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    value: String,
    begun: Instant,
    valid: Duration,
}

impl Token {
    fn remaining(&self) -> Duration {
        self.valid.saturating_sub(self.begun.elapsed())
    }

    fn is_due(&self) -> bool {
        self.remaining() < RENEWED_BEFORE.min(self.valid / 2)
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl Tokens {
    pub fn new(account: ServiceAccount, http: reqwest::Client) -> Self {
        Self {
            account,
            http,
            current: Mutex::default(),
        }
    }

    /// A token that is valid for some time yet.
    pub async fn get(&self) -> Result<String, Fault> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| !token.is_due()) {
            return Ok(token.value.clone());
        }
        match self.fetch().await {
            Ok(token) => {
                let value = token.value.clone();
                *current = Some(token);
                Ok(value)
            }
            // The old one is still good while the new one cannot be had.
            Err(error) => match &*current {
                Some(token) if !token.remaining().is_zero() => {
                    log::warn!("no new access token, the old one goes on: {error}");
                    Ok(token.value.clone())
                }
                _ => Err(error),
            },
        }
    }

    /// A token was refused: it is not used again.
    pub async fn forget(&self, refused: &str) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| token.value == refused) {
            *current = None;
        }
    }

    async fn fetch(&self) -> Result<Token, Fault> {
        let begun = Instant::now();
        let statement = self.statement()?;
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={statement}"
        );
        let sent = self
            .http
            .post(&self.account.token_uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await;
        let response = sent.map_err(|error| Fault::unreachable("no access token", error))?;
        let status = response.status();
        let ahead = clock_ahead_ms(&response);
        let body = response
            .bytes()
            .await
            .map_err(|error| Fault::unreachable("no access token", error))?;
        if !status.is_success() {
            return Err(refusal(status.as_u16(), &detail_of(&body), ahead));
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| Fault::Unreachable("no access token: the answer holds none".into()))?;
        Ok(Token {
            value: answer.access_token,
            begun,
            valid: Duration::from_secs(answer.expires_in),
        })
    }

    /// The signed statement (RFC 7523) that is exchanged for a token.
    fn statement(&self) -> Result<String, Fault> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let account = &self.account;
        let header = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": account.key_id});
        let claims = serde_json::json!({
            "iss": account.email,
            "scope": SCOPES,
            "aud": account.token_uri,
            "iat": now,
            "exp": now + STATEMENT_S,
        });
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = account
            .sign(message.as_bytes())
            .map_err(|error| Fault::Refused(error.to_string()))?;
        Ok(format!("{message}.{}", encode(&signature)))
    }
}

/// What it means that no token was given.
fn refusal(status: u16, detail: &str, clock_ahead_ms: Option<i64>) -> Fault {
    if status == 429 || status >= 500 {
        return Fault::Status {
            code: status,
            detail: format!("no access token: {detail}"),
        };
    }
    let clock = match clock_ahead_ms {
        Some(ahead) if ahead > CLOCKS_DIFFER_MS => {
            format!("this machine's clock is {} s slow: set it; ", ahead / 1_000)
        }
        Some(ahead) if ahead < -CLOCKS_DIFFER_MS => format!(
            "this machine's clock is {} s fast: set it; ",
            -ahead / 1_000
        ),
        _ => String::new(),
    };
    Fault::Refused(format!(
        "no access token: {detail}; {clock}check that the service account and its key \
         (FIREBASE_SERVICE_ACCOUNT) are still valid"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_clock_when_it_may_be_that() {
        let text = |ahead| refusal(400, "invalid_grant", ahead).to_string();
        assert!(text(Some(3_600_000)).contains("3600 s slow"));
        assert!(text(Some(-90_000)).contains("90 s fast"));
        assert!(!text(Some(1_000)).contains("clock"));
        assert!(text(None).contains("FIREBASE_SERVICE_ACCOUNT"));
        let busy = refusal(503, "busy", None);
        assert!(matches!(busy, Fault::Status { code: 503, .. }));
    }
}
