//! What an object store's errors mean to an operator.

use http::StatusCode;
use object_store::Error;

use super::watched::Clock;
use crate::StoreError;

/// Where objects are, as errors name it: no secret is in it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Such as `bucket films at http://127.0.0.1:9000`.
    pub description: String,
    /// What to check when credentials are refused.
    pub credentials: &'static str,
    /// What to check when the bucket is missing.
    pub bucket: &'static str,
    /// What to check when the bucket is elsewhere.
    pub region: &'static str,
    /// What to check when the server's certificate is not trusted.
    pub certificate: &'static str,
    /// The store's clock.
    pub clock: Clock,
}

/// An answer to a request of our own that is no success.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {text}")]
pub struct AnswerError {
    /// HTTP status.
    pub status: StatusCode,
    /// Body.
    pub text: String,
}

impl From<AnswerError> for Error {
    fn from(error: AnswerError) -> Self {
        let (path, status) = (String::new(), error.status);
        let source = error.into();
        match status {
            StatusCode::NOT_FOUND => Self::NotFound { path, source },
            StatusCode::FORBIDDEN => Self::PermissionDenied { path, source },
            StatusCode::UNAUTHORIZED => Self::Unauthenticated { path, source },
            StatusCode::PRECONDITION_FAILED => Self::Precondition { path, source },
            StatusCode::CONFLICT => Self::AlreadyExists { path, source },
            _ => Self::Generic {
                store: "store",
                source,
            },
        }
    }
}

impl AnswerError {
    /// An answer with this body.
    pub fn new(status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body).into_owned();
        Self { status, text }
    }

    /// Any error, as object stores tell theirs.
    pub fn generic(error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Generic {
            store: "store",
            source: Box::new(error),
        }
    }
}

/// S3 takes requests whose time is off by no more than 15 minutes; a minute is for the way.
const GREATEST_SKEW_MS: i64 = 14 * 60_000;

/// What has to be changed before it can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Credentials,
    Bucket,
    Region,
    Clock,
    Certificate,
}

/// What servers and libraries say, and what it means; the first that fits. Codes:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
/// <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>
const CAUSES: [(&str, Cause); 16] = [
    ("RequestTimeTooSkewed", Cause::Clock),
    ("RequestExpired", Cause::Clock),
    ("NoSuchBucket", Cause::Bucket),
    ("InvalidBucketName", Cause::Bucket),
    ("ContainerNotFound", Cause::Bucket),
    ("AuthorizationHeaderMalformed", Cause::Region),
    ("PermanentRedirect", Cause::Region),
    ("IllegalLocationConstraintException", Cause::Region),
    ("redirect without LOCATION", Cause::Region),
    ("301 Moved Permanently", Cause::Region),
    ("InvalidAccessKeyId", Cause::Credentials),
    ("ExpiredToken", Cause::Credentials),
    ("InvalidToken", Cause::Credentials),
    ("AuthenticationFailed", Cause::Credentials),
    ("invalid peer certificate", Cause::Certificate),
    ("UnknownIssuer", Cause::Certificate),
];

impl Place {
    /// An error of the store in words; `name` is what it was about.
    pub fn error(&self, action: &'static str, name: &str, error: Error) -> StoreError {
        let text = everything(&error);
        let said = CAUSES.iter().find(|(said, _)| text.contains(said));
        let cause = said.map(|(_, cause)| *cause).or(match &error {
            Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => {
                Some(Cause::Credentials)
            }
            Error::NotFound { .. } => Some(Cause::Bucket),
            _ => None,
        });
        // Not every answer says why it was refused.
        let is_skewed = || {
            self.clock
                .ahead_ms()
                .is_some_and(|ahead| ahead.abs() > GREATEST_SKEW_MS)
        };
        let cause = match cause {
            Some(Cause::Credentials) if is_skewed() => Some(Cause::Clock),
            cause => cause,
        };
        let detail = format!("{}: {}", self.description, short(&text));
        match cause {
            Some(cause) => StoreError::Refused {
                action,
                name: name.into(),
                detail: format!("{detail}; {}", self.way_out(cause)),
            },
            None => StoreError::Failed {
                action,
                name: name.into(),
                detail,
            },
        }
    }

    fn way_out(&self, cause: Cause) -> String {
        match cause {
            Cause::Credentials => format!("check {}", self.credentials),
            Cause::Bucket => format!("check {}", self.bucket),
            Cause::Region => format!("check {}", self.region),
            Cause::Clock => match self.clock.ahead_ms() {
                Some(ahead) => format!(
                    "set this machine's clock (NTP): the store's is {} s ahead",
                    ahead / 1000
                ),
                None => "set this machine's clock (NTP)".into(),
            },
            Cause::Certificate => format!(
                "if the certificate is one of your own, name its authority in {}",
                self.certificate
            ),
        }
    }
}

/// An error and its reasons, each once.
fn everything(error: &Error) -> String {
    let mut text = error.to_string();
    let mut reason = std::error::Error::source(error);
    while let Some(error) = reason {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        reason = error.source();
    }
    text
}

/// What of an answer's document is for people, and nothing of how and when it was asked: the same
/// refusal reads the same each time.
fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    const STATUS: &str = "non-2xx status code: ";
    if let Some(from) = plain.find("Error performing ")
        && let Some(to) = plain[from..].find(STATUS)
    {
        plain.replace_range(from..from + to + STATUS.len(), "");
    }
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.trim().to_owned())
    };
    if let Some(code) = element("Code")
        && let Some(at) = plain.find('<')
    {
        let message = element("Message").unwrap_or_default();
        plain.replace_range(at.., &format!("{code} {message}"));
    }
    plain
}

/// Servers answer with whole documents, signed addresses are secrets.
fn short(text: &str) -> String {
    let text = plain(text);
    let words = text
        .split_whitespace()
        .map(|word| match word.split_once('?') {
            Some((address, _)) if address.contains("://") => address,
            _ => word,
        });
    let mut text = words.collect::<Vec<_>>().join(" ");
    // Behind which an empty answer had nothing to say.
    text.truncate(text.trim_end_matches([':', ' ']).len());
    if let Some((at, _)) = text.char_indices().nth(400) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            description: "bucket films".into(),
            credentials: "KEYS",
            bucket: "BUCKET",
            region: "REGION",
            certificate: "CA_FILE",
            clock: Clock::default(),
        }
    }

    #[test]
    fn a_refusal_is_told_in_plain_words() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code>\
            <Message>Check your key.</Message><StringToSign>AWS4 2026</StringToSign></Error>";
        let error = place().error("list", "recordings", answer(403, body));
        let text = error.to_string();
        assert!(
            text.contains("SignatureDoesNotMatch Check your key.; check KEYS"),
            "{text}"
        );
        assert!(
            !text.contains(['<', '>']) && !text.contains("AWS4"),
            "{text}"
        );
        let told = "Error performing HEAD http://s3/b/a.mp4 in 1.02ms - Server returned non-2xx \
                    status code: 403 Forbidden: ";
        assert_eq!(short(told), "403 Forbidden");
    }

    #[test]
    fn a_refusal_by_a_store_with_another_time_is_the_clocks() {
        let place = place();
        let mut headers = http::HeaderMap::new();
        headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        place.clock.learn(&headers);
        let error = place.error("look up", "a.mp4", answer(403, ""));
        assert!(error.to_string().contains("clock"), "{error}");
        let error = place.error("look up", "a.mp4", answer(503, ""));
        assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    }

    fn answer(status: u16, text: &str) -> Error {
        AnswerError {
            status: StatusCode::from_u16(status).unwrap(),
            text: text.into(),
        }
        .into()
    }

    #[test]
    fn what_somebody_has_to_change_is_named() {
        for (status, code, way_out) in [
            (403, "AccessDenied", Some("KEYS")),
            (401, "", Some("KEYS")),
            (400, "ExpiredToken", Some("KEYS")),
            (403, "SignatureDoesNotMatch", Some("KEYS")),
            (404, "NoSuchBucket", Some("BUCKET")),
            (404, "ContainerNotFound", Some("BUCKET")),
            (301, "PermanentRedirect", Some("REGION")),
            (400, "AuthorizationHeaderMalformed", Some("REGION")),
            (403, "RequestTimeTooSkewed", Some("clock")),
            (503, "SlowDown", None),
            (429, "TooManyRequests", None),
            (500, "InternalError", None),
            (507, "XMinioStorageFull", None),
        ] {
            let error = answer(status, &format!("<Error><Code>{code}</Code></Error>"));
            match (place().error("store", "a.mp4", error), way_out) {
                (StoreError::Refused { detail, .. }, Some(way_out)) => {
                    assert!(detail.contains(way_out), "{status} {code}: {detail}");
                }
                (StoreError::Failed { detail, .. }, None) => {
                    assert!(detail.contains(code), "{detail}");
                }
                (error, _) => panic!("{status} {code}: {error}"),
            }
        }
    }

    #[test]
    fn signed_addresses_and_long_answers_are_cut() {
        let text = short(&format!(
            "at https://h/x?X-Amz-Signature=secret {}",
            "x".repeat(900)
        ));
        assert!(text.starts_with("at https://h/x x"), "{text}");
        assert!(text.chars().count() <= 401);
    }
}
