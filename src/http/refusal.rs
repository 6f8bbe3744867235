//! Why a request is refused, in the three shapes of our interfaces.

use std::fmt;

use actix_web::http::header::{ALLOW, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_storage::StoreError;

use super::agora::session_id;

/// Why a request is refused. As a response it has the shape of OpenVidu's applications,
/// `{"errorMessage": "…"}`; see [`V1Refusal`] and [`ApiRefusal`]
/// for the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// A word for programs.
    pub code: &'static str,
    pub message: String,
    /// The way out, if the message does not tell.
    pub hint: &'static str,
    /// The recording that is in the way.
    pub recording_id: Option<String>,
    /// What the response says beside its body.
    pub header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// A refusal in the shape of `/v1`: `{"error": {code, message, hint}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Refusal(pub Refusal);

/// A refusal in the shape of `/api`: `{"error": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRefusal(pub Refusal);

/// Why a request is refused.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Refusal")]
pub struct RefusalBody {
    error_message: String,
    /// The recording that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// Why a request to `/v1` is refused.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "V1Refusal")]
pub struct V1RefusalBody {
    error: V1Reason,
}

/// The reason.
#[derive(Serialize, JsonSchema)]
struct V1Reason {
    /// A word for programs.
    code: &'static str,
    message: String,
    /// The way out, if the message does not tell; else empty.
    hint: &'static str,
}

/// Why a request to `/api` is refused.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiRefusal")]
pub struct ApiRefusalBody {
    error: String,
    /// Of the session that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: "",
            recording_id: None,
            header: None,
        }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            .hint("the server's log tells more")
    }

    /// A store did not give what was asked of it; `what` could not be done, for the log.
    pub fn of_store(error: &StoreError, what: &str) -> Self {
        if let StoreError::NotFound(_) = error {
            return Self::no_such_recording();
        }
        log::error!("{what}: {error}");
        match error {
            StoreError::Refused { .. } | StoreError::Failed { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "The store cannot be asked now: try again later",
            )
            .hint("the server's log tells more"),
            _ => Self::internal("The store's recording cannot be read"),
        }
    }

    pub fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_such_path",
            "There is nothing at this path",
        )
        .hint("the README lists all paths")
    }

    pub fn no_such_recording() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Recording not found")
    }

    pub fn method_not_allowed(method: &Method, allow: &'static str) -> Self {
        let message = format!("{method} is not possible here, only {allow}");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
        .header(ALLOW, HeaderValue::from_static(allow))
    }

    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    pub fn recording_id(mut self, id: String) -> Self {
        self.recording_id = Some(id);
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    fn builder(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status);
        if let Some(header) = &self.header {
            response.insert_header((**header).clone());
        }
        response
    }

    /// The response in the shape that belongs to the interface of `path`.
    pub fn respond_at(self, path: &str) -> HttpResponse {
        if path.starts_with("/v1/") {
            V1Refusal(self).error_response()
        } else if path.starts_with("/api/") {
            ApiRefusal(self).error_response()
        } else {
            self.error_response()
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.builder().json(RefusalBody {
            error_message: self.message.clone(),
            id: self.recording_id.clone(),
        })
    }
}

impl fmt::Display for V1Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for V1Refusal {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        self.0.builder().json(V1RefusalBody {
            error: V1Reason {
                code: self.0.code,
                message: self.0.message.clone(),
                hint: self.0.hint,
            },
        })
    }
}

impl From<Refusal> for V1Refusal {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl fmt::Display for ApiRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for ApiRefusal {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        self.0.builder().json(ApiRefusalBody {
            error: self.0.message.clone(),
            sid: self.0.recording_id.as_deref().and_then(session_id),
        })
    }
}

impl From<Refusal> for ApiRefusal {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// An error's text, which begins in lower case, as a sentence.
pub fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
