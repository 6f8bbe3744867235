use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::clients;
use crate::http::refusal::{Refusal, V1Refusal};
use crate::http::services::Services;

use super::unanswered;

/// `GET` and `HEAD /v1/recordings/:id/poster`: the JPEG that shows a finished recording, as it is at
/// `/recordings/NAME.jpg`.
pub async fn poster(
    services: web::Data<Services>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, V1Refusal> {
    let manifest = services.recordings.get(&id).await.map_err(unanswered)?;
    let manifest = manifest.ok_or_else(Refusal::no_such_recording)?;
    let poster = manifest
        .names()
        .into_iter()
        .find(|name| name.ends_with(".jpg"));
    let poster = poster.ok_or_else(Refusal::no_such_recording)?;
    Ok(clients::stream(services, request, web::Path::from(poster)).await?)
}
