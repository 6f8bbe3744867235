use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};
use serde_json::json;
use tapedeck_actors::{ListFilter, LiveSession, RecordingState};

use crate::http::refusal::{Refusal, V1Refusal};
use crate::http::services::Services;

use super::{unanswered, view};

/// Recordings in a page unless the query says otherwise, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    state: Option<String>,
    room_name: Option<String>,
    room_id: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /v1/recordings`: recordings in any state, newest first.
pub async fn list(
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, V1Refusal> {
    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| Refusal::invalid(format!("The query cannot be read: {error}")))?
        .into_inner();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = ListFilter {
        state: given(query.state)
            .map(|state| parse_state(&state))
            .transpose()?,
        room_name: given(query.room_name),
        room_id: given(query.room_id),
    };
    let limit = page_size(query.limit)?;
    let page = services
        .recordings
        .list(filter, given(query.cursor), limit)
        .await
        .map_err(unanswered)?;
    let recordings: Vec<_> = page.recordings.iter().map(view::recording).collect();
    Ok(
        HttpResponse::Ok()
            .json(json!({ "recordings": recordings, "nextCursor": page.next_cursor })),
    )
}

/// `GET /v1/recordings/:id`
pub async fn get(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, V1Refusal> {
    let manifest = services
        .recordings
        .get(&id)
        .await
        .map_err(unanswered)?
        .ok_or_else(Refusal::no_such_recording)?;
    let mut recording = view::recording(&manifest);
    if !manifest.state.is_final() {
        let live = services.recordings.live().await.map_err(unanswered)?;
        let session = live.iter().find(|session| session.manifest.id == *id);
        recording["renderLagMs"] = json!(session.and_then(LiveSession::lag_ms));
    }
    Ok(HttpResponse::Ok().json(recording))
}

fn parse_state(state: &str) -> Result<RecordingState, Refusal> {
    let state: StrDeserializer<Error> = state.into_deserializer();
    RecordingState::deserialize(state).map_err(|error| Refusal::invalid(format!("state: {error}")))
}

/// How many entries a query's `limit` asks for.
pub(super) fn page_size(limit: Option<String>) -> Result<usize, Refusal> {
    let given = limit.filter(|text| !text.is_empty());
    given.map_or(Ok(PAGE), |limit| parse_limit(&limit))
}

fn parse_limit(limit: &str) -> Result<usize, Refusal> {
    limit
        .parse()
        .ok()
        .filter(|limit| (1..=LARGEST_PAGE).contains(limit))
        .ok_or_else(|| Refusal::invalid(format!("limit must be from 1 to {LARGEST_PAGE}")))
}
