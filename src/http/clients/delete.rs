use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use tapedeck_actors::DeleteError;

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::answer::Done;
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
            DeleteError::PartOf(main) => Refusal::new(
                StatusCode::CONFLICT,
                "part_of",
                format!("The file belongs to the recording {main}: delete that one"),
            ),
            DeleteError::StoreAway(reason) => {
                log::error!("recording {} could not be deleted: {reason}", name.as_str());
                Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_unavailable",
                    "The store cannot be asked now, and nothing was deleted: try again later",
                )
            }
            DeleteError::Internal(reason) => {
                log::error!("recording {} could not be deleted: {reason}", name.as_str());
                Refusal::internal("Error deleting recording")
            }
        })?;
    Ok(HttpResponse::Ok().json(Done {
        message: "Recording deleted",
    }))
}
