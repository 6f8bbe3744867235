//! The first and last thing that happens to a request: who sent it is found out, and what browsers
//! are told of every answer is added.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CROSS_ORIGIN_OPENER_POLICY, HeaderName, HeaderValue,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};

use super::visitor::Proxies;

/// What every answer has that does not say otherwise itself. Nothing is a page, so nothing may run
/// or load anything: a browser that is led to a recording plays it and no more, for which its player
/// must be of the recording's own origin. A recording may be part of pages of other origins
/// (`Cross-Origin-Resource-Policy` is not set), as those of OpenVidu's applications are.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox allow-same-origin",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), display-capture=(), geolocation=()",
    ),
    // Tokens, lists and states are of one moment and for one caller.
    (CACHE_CONTROL, "no-store"),
];

/// Once a browser has come over https it comes that way for a year.
const STRICT_TRANSPORT: &str = "max-age=31536000";

/// Middleware that finds out who sent a request, and completes the headers of its answer.
///
/// # Errors
/// Those of the handler.
pub async fn arrive<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let proxies = request.app_data::<web::Data<Proxies>>();
    let visitor = proxies.map_or_else(
        || Proxies::default().visitor(request.peer_addr(), request.headers()),
        |proxies| proxies.visitor(request.peer_addr(), request.headers()),
    );
    request.extensions_mut().insert(visitor);
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if visitor.is_https {
        let value = HeaderValue::from_static(STRICT_TRANSPORT);
        headers.insert(STRICT_TRANSPORT_SECURITY, value);
    }
    Ok(response)
}
