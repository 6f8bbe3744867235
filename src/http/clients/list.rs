use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use tapedeck_actors::ListFilter;

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::answer::Listed;
use super::view::FinishedView;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    room_name: Option<String>,
    room_id: Option<String>,
}

/// `GET /recordings`: finished recordings, newest first. `unavailable` tells which stores did not
/// answer; what they have is missing.
pub async fn list(
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| Refusal::invalid(format!("The query cannot be read: {error}")))?
        .into_inner();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = ListFilter {
        room_name: given(query.room_name),
        room_id: given(query.room_id),
        state: None,
    };
    let finished = services
        .recordings
        .finished(filter)
        .await
        .map_err(|error| {
            log::error!("recordings could not be listed: {error}");
            Refusal::internal("Error listing recordings")
        })?;
    for reason in &finished.unavailable {
        log::warn!("a store could not be listed: {reason}");
    }
    Ok(HttpResponse::Ok().json(Listed {
        recordings: finished.recordings.iter().map(FinishedView::from).collect(),
        unavailable: finished.unavailable,
    }))
}
