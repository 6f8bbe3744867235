use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;
use tapedeck_actors::DeleteError;

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::name::RecordingName;

/// `DELETE /recordings/:name`
pub async fn delete(
    services: web::Data<Services>,
    name: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let name = RecordingName::parse(&name)?;
    services
        .recordings
        .delete(name.as_str())
        .await
        .map_err(|error| match error {
            DeleteError::NotFound => Refusal::no_such_recording(),
            DeleteError::Live => Refusal::new(
                StatusCode::CONFLICT,
                "live",
                "The recording is still running: stop it first",
            ),
            DeleteError::Internal(reason) => {
                log::error!("recording {} could not be deleted: {reason}", name.as_str());
                Refusal::internal("Error deleting recording")
            }
        })?;
    Ok(HttpResponse::Ok().json(json!({ "message": "Recording deleted" })))
}
