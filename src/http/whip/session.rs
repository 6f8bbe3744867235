use actix_web::http::header::{ETAG, HeaderMap, IF_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use tapedeck_pipelines::control::{WhipAnswer, WhipRefusal, WhipRequest};

use crate::http::access::Access;
use crate::http::refusal::Refusal;
use crate::http::services::Services;
use crate::livekit::Expiry;

use super::caller::Caller;
use super::{SDP_FRAGMENT, ask, header, read, refusal, room_name, unexpected};

/// What is longer names no session.
const LONGEST_SESSION: usize = 64;

/// `PATCH /whip/:room/:session`: trickled candidates, or an ICE restart.
pub async fn patch(
    services: web::Data<Services>,
    access: web::Data<Access>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let (room, session) = authorised(&services, &access, &request, &path)?;
    let fragment = read(&request, payload, SDP_FRAGMENT).await?;
    let if_match = if_match(request.headers())?;
    let patch = WhipRequest::Patch {
        room,
        session,
        if_match,
        fragment,
    };
    match ask(&services, patch).await? {
        WhipAnswer::Trickled => Ok(HttpResponse::NoContent().finish()),
        WhipAnswer::Restarted {
            entity_tag,
            fragment,
        } => Ok(HttpResponse::Ok()
            .insert_header((ETAG, header(&entity_tag)?))
            .content_type(SDP_FRAGMENT)
            .body(fragment)),
        _ => Err(unexpected()),
    }
}

/// `DELETE /whip/:room/:session`: the publisher leaves. `If-Match` does not matter here.
pub async fn delete(
    services: web::Data<Services>,
    access: web::Data<Access>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refusal> {
    let (room, session) = authorised(&services, &access, &request, &path)?;
    match ask(&services, WhipRequest::Delete { room, session }).await? {
        WhipAnswer::Deleted => Ok(HttpResponse::Ok().finish()),
        _ => Err(unexpected()),
    }
}

/// Room and session, if who asks may touch them. A token that has expired since it began the
/// session may still end it, and restart its ICE.
fn authorised(
    services: &Services,
    access: &Access,
    request: &HttpRequest,
    path: &(String, String),
) -> Result<(String, String), Refusal> {
    let (room, session) = path;
    let room = room_name(room)?;
    Caller::identify(services, access, request.headers(), room, Expiry::Ignored)?;
    let is_plausible = session.len() <= LONGEST_SESSION
        && session.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_plausible {
        let message = "there is no such session, or there is no more";
        return Err(refusal::of(WhipRefusal::UnknownSession, message));
    }
    Ok((room.to_owned(), session.clone()))
}

fn if_match(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    headers
        .get(IF_MATCH)
        .map(|value| value.to_str().map(str::to_owned))
        .transpose()
        .map_err(|_| Refusal::invalid("If-Match must be printable ASCII"))
}
