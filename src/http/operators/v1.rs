use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};
use tapedeck_actors::{ListFilter, LiveSession, Page, RecordingState};

use crate::http::refusal::{Refusal, V1Refusal};
use crate::http::services::Services;

use super::page::{PageQuery, given, query};
use super::unanswered;
use super::view::{OneRecording, RecordingView};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    state: Option<String>,
    room_name: Option<String>,
    room_id: Option<String>,
}

/// A page of recordings.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RecordingsPage")]
pub struct RecordingsAnswer {
    recordings: Vec<RecordingView>,
    /// Give it back to get the next page; null for the last one.
    next_cursor: Option<String>,
}

/// `GET /v1/recordings`: recordings in any state, newest first.
pub async fn list(
    services: web::Data<Services>,
    request: HttpRequest,
    page: PageQuery,
) -> Result<HttpResponse, V1Refusal> {
    let wanted: Filter = query(&request)?;
    let filter = ListFilter {
        state: given(wanted.state)
            .map(|state| parse_state(&state))
            .transpose()?,
        room_name: given(wanted.room_name),
        room_id: given(wanted.room_id),
    };
    let page = services
        .recordings
        .list(filter, page.cursor, page.limit)
        .await
        .map_err(unanswered)?;
    Ok(HttpResponse::Ok().json(page_of(page)))
}

/// A page of the list.
pub fn page_of(page: Page) -> RecordingsAnswer {
    RecordingsAnswer {
        recordings: page.recordings.iter().map(RecordingView::from).collect(),
        next_cursor: page.next_cursor,
    }
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
    let mut render_lag_ms = None;
    if !manifest.state.is_final() {
        let live = services.recordings.live().await.map_err(unanswered)?;
        let session = live.iter().find(|session| session.manifest.id == *id);
        render_lag_ms = Some(session.and_then(LiveSession::lag_ms));
    }
    Ok(HttpResponse::Ok().json(OneRecording {
        recording: RecordingView::from(&manifest),
        render_lag_ms,
    }))
}

fn parse_state(state: &str) -> Result<RecordingState, Refusal> {
    let state: StrDeserializer<Error> = state.into_deserializer();
    RecordingState::deserialize(state).map_err(|error| Refusal::invalid(format!("state: {error}")))
}
