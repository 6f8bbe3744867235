//! Web pages of other origins may call the clients' paths when these are open, as the front ends
//! of OpenVidu's recording applications do; while they are open to this machine only, so are they to
//! the pages. They may publish by WHIP in any case: who publishes is
//! told by a token that a page must have, and that no browser adds by itself.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use super::access::Access;
use super::paths::{Audience, audience};
use super::whip;

const ANY: HeaderValue = HeaderValue::from_static("*");

/// What pages of other origins may do with some paths.
struct Sharing {
    /// Of the answer to a preflight.
    status: StatusCode,
    /// What a preflight is told, besides that its origin is welcome.
    preflight: &'static [(&'static str, &'static str)],
    /// The headers of answers that scripts may read.
    exposed: &'static str,
}

const CLIENTS: Sharing = Sharing {
    status: StatusCode::NO_CONTENT,
    preflight: &[
        (
            "access-control-allow-methods",
            "GET, HEAD, POST, DELETE, OPTIONS",
        ),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, Idempotency-Key, If-Range, Range",
        ),
        ("access-control-max-age", "86400"),
    ],
    exposed: "Accept-Ranges, Content-Length, Content-Range, ETag",
};

/// RFC 9725, section 4.2: 200, with what may be posted. `Accept-Patch` is that of RFC 5789.
const PUBLISHERS: Sharing = Sharing {
    status: StatusCode::OK,
    preflight: &[
        (
            "access-control-allow-methods",
            "POST, PATCH, DELETE, OPTIONS",
        ),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, If-Match",
        ),
        ("access-control-max-age", "86400"),
        ("accept-post", "application/sdp"),
        ("accept-patch", whip::SDP_FRAGMENT),
    ],
    exposed: "ETag, Link, Location, Retry-After, WWW-Authenticate",
};

/// Middleware that adds the headers of CORS and answers preflights.
///
/// # Errors
/// Those of the handler.
pub async fn share<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let shared = match audience(request.path()) {
        Audience::Publishers => Some((PUBLISHERS, ANY)),
        Audience::Clients => {
            let access = request.app_data::<web::Data<Access>>();
            let origin = request.headers().get(header::ORIGIN);
            let allowed = access.and_then(|access| access.allowed_origin(origin));
            allowed.map(|allowed| (CLIENTS, allowed))
        }
        _ => None,
    };
    let Some((sharing, allowed)) = shared else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let allow = |headers: &mut HeaderMap| {
        if allowed != ANY {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    };
    if request.method() == Method::OPTIONS {
        let mut response = HttpResponse::build(sharing.status);
        for (name, value) in sharing.preflight {
            response.insert_header((*name, *value));
        }
        let mut response = response.finish();
        allow(response.headers_mut());
        return Ok(request.into_response(response).map_into_right_body());
    }
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    allow(headers);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(sharing.exposed),
    );
    Ok(response.map_into_left_body())
}
