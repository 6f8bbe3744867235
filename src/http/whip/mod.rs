//! WHIP (RFC 9725): publishers of our own rooms. What is asked is put to the rooms process; here
//! it is checked who asks, and what of HTTP is needed.

mod caller;
mod openapi;
mod publish;
mod refusal;
mod session;

pub use openapi::operations;
pub use publish::publish;
pub use session::{delete, patch};

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, web};
use tapedeck_pipelines::control::{WhipAnswer, WhipRequest};

use super::body;
use super::clients::check_name;
use super::refusal::Refusal;
use super::services::Services;

/// The largest offer or fragment, bytes. A browser's offer has about 6 KB.
const LARGEST_BODY: usize = 64 << 10;

/// Offers and answers (RFC 8866).
const SDP: &str = "application/sdp";
/// Candidates, and credentials of a restarted ICE (RFC 8840, section 9).
pub const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// The room of a path.
fn room_name(text: &str) -> Result<&str, Refusal> {
    // What is not UTF-8 is replaced before it comes here; different names would become one.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Refusal::invalid("The room's name must be UTF-8"));
    }
    check_name(text, "the room's name")?
        .ok_or_else(|| Refusal::invalid("The path must name a room: /whip/ROOM"))
}

/// A body of `media_type`, which alone is taken.
async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    media_type: &str,
) -> Result<String, Refusal> {
    let given = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !given.trim().eq_ignore_ascii_case(media_type) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("The Content-Type must be {media_type}"),
        ));
    }
    let body = body::read(&mut payload.into_inner(), LARGEST_BODY).await?;
    String::from_utf8(body.to_vec())
        .map_err(|_| Refusal::invalid("The request body must be UTF-8 text"))
}

/// Puts a request to the rooms process.
async fn ask(services: &Services, request: WhipRequest) -> Result<WhipAnswer, Refusal> {
    match services.recordings.whip(request).await {
        Ok(WhipAnswer::Refused { reason, message }) => Err(refusal::of(reason, &message)),
        Ok(answer) => Ok(answer),
        Err(error) => {
            log::error!("a WHIP client cannot be served: {error}");
            Err(refusal::unavailable(&error.to_string()))
        }
    }
}

/// Text of the rooms process as a header.
fn header(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| unexpected())
}

/// The rooms process answered something else than was asked.
fn unexpected() -> Refusal {
    log::error!("the rooms process gave an answer that does not belong to what was asked");
    Refusal::internal("The rooms process gave an answer that is not understood")
}
