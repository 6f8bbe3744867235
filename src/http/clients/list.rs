use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use tapedeck_actors::ListFilter;

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::view;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    room_name: Option<String>,
    room_id: Option<String>,
}

/// `GET /recordings`: finished recordings, newest first.
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
    let recordings = services
        .recordings
        .delivered(filter)
        .await
        .map_err(|error| {
            log::error!("recordings could not be listed: {error}");
            Refusal::internal("Error listing recordings")
        })?;
    let recordings: Vec<_> = recordings.iter().map(view::delivered).collect();
    Ok(HttpResponse::Ok().json(json!({ "recordings": recordings })))
}
