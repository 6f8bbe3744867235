//! What an object store's errors mean to an operator.

use http::StatusCode;
use object_store::Error;

use crate::StoreError;

/// Where objects are, as errors name it: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl AnswerError {
    /// Any error, as object stores tell theirs.
    pub fn generic(error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Generic {
            store: "S3",
            source: Box::new(error),
        }
    }
}

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
            Cause::Clock => "set this machine's clock (NTP)".into(),
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

/// Servers answer with whole documents, signed addresses are secrets.
fn short(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(|word| match word.split_once('?') {
            Some((address, _)) if address.contains("://") => address,
            _ => word,
        });
    let mut text = words.collect::<Vec<_>>().join(" ");
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
        }
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
