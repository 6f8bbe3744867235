//! Requests to Google's services: with a token, tried again over short troubles, their errors told
//! apart.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Request, Response, StatusCode, header};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::tokens::Tokens;
use crate::StoreError;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may be heard while an answer is awaited.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a piece of a file may take on a slow line, and its answer after it.
const SEND_TIMEOUT: Duration = Duration::from_secs(300);
/// A larger body is a piece of a file, bytes.
const SMALL: usize = 64 << 10;
/// Whoever asks tries again for as long as it takes: here only short troubles are bridged.
const TRIES: u32 = 3;
/// Before the second try; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The most of an answer that an error repeats, characters.
const DETAIL: usize = 300;

/// Who vouches for our requests.
pub enum Identity {
    Account(Box<Tokens>),
    /// Emulators take whoever says so for an administrator.
    Emulator,
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service answered with this status.
    Status { code: u16, detail: String },
    /// Nobody answered, or not to the end.
    Unreachable(String),
    /// Nothing will work before somebody has changed something.
    Refused(String),
}

impl Fault {
    /// An error of the connection. Addresses may hold keys: they are left out.
    pub fn unreachable(what: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = format!("{what}: {error}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::Unreachable(text)
    }

    pub fn is_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Status { code, .. } if *code == wanted)
    }

    /// Whether it may go away by itself.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Status { code, detail } => {
                matches!(code, 408 | 429 | 500..) || (*code == 403 && is_quota(detail))
            }
            Self::Unreachable(_) => true,
            Self::Refused(_) => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { code, detail } if detail.is_empty() => write!(f, "status {code}"),
            Self::Status { code, detail } => write!(f, "status {code}: {detail}"),
            Self::Unreachable(text) | Self::Refused(text) => f.write_str(text),
        }
    }
}

/// Limits that pass by themselves are told with the status of a lack of rights too.
fn is_quota(detail: &str) -> bool {
    let reasons = [
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "quotaExceeded",
    ];
    reasons.iter().any(|reason| detail.contains(reason))
}

/// One of the services, as errors name it: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Such as `bucket films at https://storage.googleapis.com`.
    pub description: String,
    /// What to check when we are refused.
    pub rights: &'static str,
    /// What to check when it is not there.
    pub existence: &'static str,
}

impl Service {
    /// A fault in words; `name` is what it was about.
    pub fn error(&self, action: &'static str, name: &str, fault: Fault) -> StoreError {
        let way_out = match &fault {
            fault if fault.may_pass() => None,
            Fault::Refused(_) => Some(""),
            Fault::Status {
                code: 401 | 403, ..
            } => Some(self.rights),
            Fault::Status { code: 404, .. } => Some(self.existence),
            _ => None,
        };
        let text = format!("{}: {fault}", self.description);
        let name = name.to_owned();
        match way_out {
            Some("") => StoreError::Refused {
                action,
                name,
                detail: text,
            },
            Some(way_out) => StoreError::Refused {
                action,
                name,
                detail: format!("{text}; check {way_out}"),
            },
            None => StoreError::Failed {
                action,
                name,
                detail: text,
            },
        }
    }
}

/// Sends requests.
pub struct Client {
    http: reqwest::Client,
    /// For pieces of files: the other one would count the time that they take as silence.
    sending: reqwest::Client,
    identity: Identity,
    /// As of the last answer that told the time.
    clock_ahead_ms: Mutex<Option<i64>>,
}

/// What requests go through but pieces of files.
pub fn http() -> reqwest::Result<reqwest::Client> {
    builder().read_timeout(READ_TIMEOUT).build()
}

fn builder() -> reqwest::ClientBuilder {
    // Whoever runs a process may have chosen one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // "Resume Incomplete" has the status of a redirection.
        .redirect(reqwest::redirect::Policy::none())
}

impl Client {
    pub fn new(http: reqwest::Client, identity: Identity) -> reqwest::Result<Self> {
        Ok(Self {
            http,
            sending: builder().timeout(SEND_TIMEOUT).build()?,
            identity,
            clock_ahead_ms: Mutex::default(),
        })
    }

    /// How far the services' clock is ahead of ours, ms, where they have told their time.
    pub fn clock_ahead_ms(&self) -> Option<i64> {
        *self.clock()
    }

    fn clock(&self) -> MutexGuard<'_, Option<i64>> {
        self.clock_ahead_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// For building requests.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends a request that may be repeated, and again when that may help. Any answer that is no
    /// success is a fault.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Fault> {
        let request = request
            .build()
            .map_err(|error| Fault::unreachable("no request", error))?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let Some(copy) = request.try_clone() else {
                break;
            };
            match self.succeed(copy).await {
                Err(fault) if fault.may_pass() => {
                    tokio::time::sleep(jittered(pause)).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
        self.succeed(request).await
    }

    async fn succeed(&self, request: Request) -> Result<Response, Fault> {
        let response = self.once(request).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(fault_of(response).await),
        }
    }

    /// Sends a request once, twice if its token was refused; any answer is a success.
    pub async fn once(&self, request: Request) -> Result<Response, Fault> {
        let again = request.try_clone();
        let (response, token) = self.authorized(request).await?;
        match (&self.identity, again) {
            (Identity::Account(tokens), Some(again))
                if response.status() == StatusCode::UNAUTHORIZED =>
            {
                tokens.forget(&token).await;
                Ok(self.authorized(again).await?.0)
            }
            _ => Ok(response),
        }
    }

    async fn authorized(&self, mut request: Request) -> Result<(Response, String), Fault> {
        let token = match &self.identity {
            Identity::Account(tokens) => tokens.get().await?,
            Identity::Emulator => "owner".to_owned(),
        };
        let mut value = header::HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Fault::Refused("the access token is not usable".into()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        let http = match request.body().and_then(reqwest::Body::as_bytes) {
            Some(body) if body.len() > SMALL => &self.sending,
            _ => &self.http,
        };
        match http.execute(request).await {
            Ok(response) => {
                if let Some(ahead) = clock_ahead_ms(&response) {
                    *self.clock() = Some(ahead);
                }
                Ok((response, token))
            }
            Err(error) => Err(Fault::unreachable("no answer", error)),
        }
    }
}

/// Between half and the whole of `pause`, so that many who wait do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let random = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos() % 1_000);
    pause / 2 + pause * random / 2_000
}

/// What an answer that is no success says.
pub async fn fault_of(response: Response) -> Fault {
    let code = response.status().as_u16();
    let body = response.bytes().await.unwrap_or_default();
    Fault::Status {
        code,
        detail: detail_of(&body),
    }
}

/// The reason in an answer, of all that Google's services write around it.
pub fn detail_of(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    // A query of Firestore answers with a list.
    let json = json.get(0).cloned().unwrap_or(json);
    let error = &json["error"];
    let parts = [
        error.as_str(),
        json["error_description"].as_str(),
        error["status"].as_str(),
        error["errors"][0]["reason"].as_str(),
        error["message"].as_str(),
    ];
    let known: Vec<&str> = parts.into_iter().flatten().collect();
    let text = match known.is_empty() {
        true => String::from_utf8_lossy(body).into_owned(),
        false => known.join(", "),
    };
    let text = text.replace(|c: char| c.is_control(), " ");
    match text.char_indices().nth(DETAIL) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// How far the clock of whoever answered is ahead of ours, ms.
pub fn clock_ahead_ms(response: &Response) -> Option<i64> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    let date = date.replace("GMT", "+0000");
    let theirs = OffsetDateTime::parse(&date, &Rfc2822).ok()?;
    i64::try_from((theirs - OffsetDateTime::now_utc()).whole_milliseconds()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(fault: Fault) -> &'static str {
        let service = Service {
            description: "bucket b".into(),
            rights: "the rights",
            existence: "the bucket",
        };
        match service.error("store", "a.mp4", fault) {
            StoreError::Refused { detail, .. } if detail.ends_with("the rights") => "rights",
            StoreError::Refused { detail, .. } if detail.ends_with("the bucket") => "bucket",
            StoreError::Refused { .. } => "refused",
            StoreError::Failed { .. } => "failed",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        let status = |code, detail: &str| Fault::Status {
            code,
            detail: detail.into(),
        };
        let cases = [
            (status(401, ""), "rights"),
            (status(403, "forbidden"), "rights"),
            (status(403, "rateLimitExceeded, slow down"), "failed"),
            (status(404, "notFound"), "bucket"),
            (status(429, ""), "failed"),
            (status(503, ""), "failed"),
            (Fault::Unreachable("cut".into()), "failed"),
            (Fault::Refused("invalid_grant".into()), "refused"),
        ];
        for (fault, expected) in cases {
            assert_eq!(kind(fault.clone()), expected, "{fault:?}");
        }
    }

    #[test]
    fn the_reason_is_found_in_every_shape() {
        let cases = [
            (
                r#"{"error":"invalid_grant","error_description":"Invalid JWT"}"#,
                "invalid_grant, Invalid JWT",
            ),
            (
                r#"{"error":{"code":403,"message":"no access","errors":[{"reason":"forbidden"}]}}"#,
                "forbidden, no access",
            ),
            (
                r#"[{"error":{"status":"NOT_FOUND","message":"no database"}}]"#,
                "NOT_FOUND, no database",
            ),
            ("Not\nFound", "Not Found"),
            ("", ""),
        ];
        for (body, expected) in cases {
            assert_eq!(detail_of(body.as_bytes()), expected);
        }
        assert!(detail_of("x".repeat(9_000).as_bytes()).len() < 400);
    }
}
