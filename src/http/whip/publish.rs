use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use tapedeck_pipelines::control::{WhipAnswer, WhipMedia, WhipRequest};

use crate::http::access::Access;
use crate::http::clients::check_name;
use crate::http::refusal::Refusal;
use crate::http::services::Services;
use crate::livekit::{Expiry, Grant, TrackSource};

use super::caller::Caller;
use super::{SDP, ask, header, read, refusal, room_name, unexpected};

#[derive(Deserialize)]
struct Query {
    /// `camera` or `screen`.
    media: Option<String>,
    /// With the operator's key: who publishes.
    identity: Option<String>,
    /// With the operator's key: the label in the picture.
    name: Option<String>,
}

/// `POST /whip/:room`
pub async fn publish(
    services: web::Data<Services>,
    access: web::Data<Access>,
    request: HttpRequest,
    room: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let room = room_name(&room)?;
    let caller = Caller::identify(&services, &access, request.headers(), room, Expiry::Checked)?;
    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| Refusal::invalid(format!("The query cannot be read: {error}")))?
        .into_inner();
    let media = parse_media(query.media.as_deref())?;
    let offer = read(&request, payload, SDP).await?;
    let (identity, name) = match &caller {
        Caller::Operator => introduce(query.identity.as_deref(), query.name.as_deref())?,
        Caller::Participant(grant) => {
            check_sources(grant, media, &offer)?;
            (grant.identity.clone(), grant.name.clone())
        }
    };
    let publish = WhipRequest::Publish {
        room: room.to_owned(),
        identity,
        name,
        media,
        offer,
    };
    let WhipAnswer::Published {
        session,
        entity_tag,
        answer,
    } = ask(&services, publish).await?
    else {
        return Err(unexpected());
    };
    let location = format!("/whip/{}/{}", escape(room), escape(&session));
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, header(&location)?))
        .insert_header((ETAG, header(&entity_tag)?))
        .content_type(SDP)
        .body(answer))
}

fn parse_media(text: Option<&str>) -> Result<WhipMedia, Refusal> {
    match text {
        None | Some("" | "camera") => Ok(WhipMedia::Camera),
        Some("screen") => Ok(WhipMedia::Screen),
        Some(_) => Err(Refusal::invalid("media must be camera or screen")),
    }
}

/// Identity and name of who comes with the operator's key; drawn if nothing is told.
fn introduce(identity: Option<&str>, name: Option<&str>) -> Result<(String, String), Refusal> {
    let identity = check_name(identity.unwrap_or_default(), "identity")?;
    let name = check_name(name.unwrap_or_default(), "name")?;
    let identity = identity.or(name).map_or_else(
        || format!("publisher-{:06x}", rand::random::<u32>() >> 8),
        str::to_owned,
    );
    let name = name.map_or_else(|| identity.clone(), str::to_owned);
    Ok((identity, name))
}

/// # Errors
/// The offer has media that the token does not allow.
fn check_sources(grant: &Grant, media: WhipMedia, offer: &str) -> Result<(), Refusal> {
    let (sound, picture) = match media {
        WhipMedia::Camera => (TrackSource::Microphone, TrackSource::Camera),
        WhipMedia::Screen => (TrackSource::ScreenShareAudio, TrackSource::ScreenShare),
    };
    for (description, source) in [("m=audio", sound), ("m=video", picture)] {
        let is_offered = offer.lines().any(|line| line.starts_with(description));
        if is_offered && !grant.allows(source) {
            return Err(refusal::forbidden(&format!(
                "the token does not allow to publish {}",
                source.name()
            )));
        }
    }
    Ok(())
}

/// A segment of a path (RFC 3986, section 2).
fn escape(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
