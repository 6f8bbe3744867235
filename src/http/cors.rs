//! Web pages of other origins may call the clients' paths when these are open, as the front ends
//! of OpenVidu's recording applications do.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use super::access::Access;
use super::paths::{Audience, audience};

const ANY: HeaderValue = HeaderValue::from_static("*");

/// What a preflight is told, besides that any origin is welcome.
const PREFLIGHT: [(HeaderName, &str); 3] = [
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        "GET, HEAD, POST, DELETE, OPTIONS",
    ),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Type, Idempotency-Key, If-Range, Range",
    ),
    (header::ACCESS_CONTROL_MAX_AGE, "86400"),
];

/// Middleware that adds the headers of CORS and answers preflights.
///
/// # Errors
/// Those of the handler.
pub async fn share<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let open = audience(request.path()) == Audience::Clients
        && request
            .app_data::<web::Data<Access>>()
            .is_some_and(|access| access.allows_any_origin());
    if !open {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    if request.method() == Method::OPTIONS {
        let mut response = HttpResponse::NoContent();
        response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY));
        for (name, value) in PREFLIGHT {
            response.insert_header((name, value));
        }
        return Ok(request
            .into_response(response.finish())
            .map_into_right_body());
    }
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Accept-Ranges, Content-Length, Content-Range, ETag"),
    );
    Ok(response.map_into_left_body())
}
