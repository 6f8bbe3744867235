use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};

use crate::http::refusal::{Refusal, V1Refusal};
use crate::http::services::Services;

use super::unanswered;

/// `GET /v1/recordings/:id/preview`: how a live recording looks just now, a JPEG.
pub async fn preview(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, V1Refusal> {
    let picture = services.recordings.preview(&id).await;
    let picture = picture
        .map_err(|error| unanswered(format!("the picture cannot be read: {error}")))?
        .ok_or_else(|| {
            let text = "There is no picture of this recording now: it is not live, has just begun, or has sound only";
            Refusal::new(StatusCode::NOT_FOUND, "no_preview", text)
        })?;
    Ok(HttpResponse::Ok()
        .content_type("image/jpeg")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(picture))
}
