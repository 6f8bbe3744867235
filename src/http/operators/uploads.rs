use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use tapedeck_actors::RetryError;

use crate::http::refusal::{Refusal, V1Refusal, sentence};
use crate::http::services::Services;

use super::unanswered;
use super::v1::page_size;

#[derive(Deserialize)]
struct Query {
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /v1/uploads`: recordings on their way into their stores, the oldest first.
pub async fn uploads(
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, V1Refusal> {
    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| Refusal::invalid(format!("The query cannot be read: {error}")))?
        .into_inner();
    let limit = page_size(query.limit)?;
    let cursor = query.cursor.filter(|cursor| !cursor.is_empty());
    Ok(HttpResponse::Ok().json(services.recordings.uploads(cursor.as_deref(), limit)))
}

/// `POST /v1/uploads/:id/retry`: tries an upload that waits, or is blocked, at once.
pub async fn retry(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, V1Refusal> {
    match services.recordings.retry_upload(&id).await {
        Ok(()) => Ok(HttpResponse::Accepted().json(json!({ "id": *id }))),
        Err(RetryError::NotFound) => Err(Refusal::no_such_recording().into()),
        Err(RetryError::NotWaiting(reason)) => {
            Err(Refusal::new(StatusCode::CONFLICT, "not_waiting", sentence(reason)).into())
        }
        Err(RetryError::Internal(reason)) => Err(unanswered(reason).into()),
    }
}
