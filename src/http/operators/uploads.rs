use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_actors::RetryError;

use crate::http::refusal::{Refusal, V1Refusal, sentence};
use crate::http::services::Services;

use super::page::PageQuery;
use super::unanswered;

/// `GET /v1/uploads`: recordings on their way into their stores, the oldest first.
pub async fn uploads(services: web::Data<Services>, page: PageQuery) -> HttpResponse {
    let uploads = services
        .recordings
        .uploads(page.cursor.as_deref(), page.limit);
    HttpResponse::Ok().json(uploads)
}

/// An upload that is tried again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UploadRetried")]
pub struct RetryAnswer {
    /// The recording's.
    id: String,
}

/// `POST /v1/uploads/:id/retry`: tries an upload that waits, or is blocked, at once.
pub async fn retry(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, V1Refusal> {
    match services.recordings.retry_upload(&id).await {
        Ok(()) => Ok(HttpResponse::Accepted().json(RetryAnswer {
            id: id.into_inner(),
        })),
        Err(RetryError::NotFound) => Err(Refusal::no_such_recording().into()),
        Err(RetryError::NotWaiting(reason)) => {
            Err(Refusal::new(StatusCode::CONFLICT, "not_waiting", sentence(reason)).into())
        }
        Err(RetryError::Internal(reason)) => Err(unanswered(reason).into()),
    }
}
