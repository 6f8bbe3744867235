use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, web};

use crate::http::events;
use crate::http::refusal::{Refusal, V1Refusal, sentence};
use crate::http::services::Services;

/// `GET /v1/events`: what pages show, as server-sent events: everything at first, then what has
/// changed, a topic at a time. Each event's data is what the path of its topic answers.
pub async fn events(services: web::Data<Services>) -> Result<HttpResponse, V1Refusal> {
    let events = events::events(&services).map_err(|error| {
        let text = sentence(&error.to_string());
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", text)
            .header(RETRY_AFTER, HeaderValue::from_static("10"))
    })?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx would collect them.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(events))
}
