use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use tapedeck_pipelines::control::WhipRefusal;

use crate::http::refusal::{Refusal, sentence};

/// When a client may try again what is not possible now, s.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// The status of each reason (RFC 9725, sections 4.2 to 4.5).
pub fn of(reason: WhipRefusal, message: &str) -> Refusal {
    let (status, code) = match reason {
        WhipRefusal::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
        WhipRefusal::NotAcceptable => (StatusCode::UNPROCESSABLE_ENTITY, "not_acceptable"),
        WhipRefusal::UnknownSession => (StatusCode::NOT_FOUND, "unknown_session"),
        WhipRefusal::EntityTagMismatch => (StatusCode::PRECONDITION_FAILED, "other_ice_session"),
        WhipRefusal::EntityTagMissing => {
            (StatusCode::PRECONDITION_REQUIRED, "if_match_is_required")
        }
        WhipRefusal::Full | WhipRefusal::NoPort => return unavailable(message),
        WhipRefusal::Internal => {
            log::error!("a WHIP client cannot be served: {message}");
            return Refusal::internal(sentence(message));
        }
    };
    Refusal::new(status, code, sentence(message))
}

/// It is not possible now.
pub fn unavailable(message: &str) -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        sentence(message),
    )
    .header(RETRY_AFTER, RETRY_AFTER_S)
}

/// There is no token.
pub fn no_token() -> Refusal {
    unauthorized(
        "A token is needed: get one from POST /token and send it as Authorization: Bearer TOKEN",
        "Bearer",
    )
}

/// The token is not accepted.
pub fn invalid_token(message: &str) -> Refusal {
    unauthorized(&sentence(message), "Bearer error=\"invalid_token\"")
}

/// RFC 6750, section 3: a client is told that a bearer token is wanted.
fn unauthorized(message: &str, challenge: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
        .header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// The token does not allow this.
pub fn forbidden(message: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "forbidden", sentence(message))
}
