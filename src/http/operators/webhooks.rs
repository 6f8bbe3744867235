use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};
use tapedeck_actors::{DeliveryState, ReplayError, WebhookFilter};

use crate::http::refusal::{Refusal, V1Refusal, sentence};
use crate::http::services::Services;

use super::page::{PageQuery, given, query};
use super::unanswered;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    state: Option<String>,
    recording_id: Option<String>,
}

/// `GET /v1/webhooks`: events that are on their way or kept, the newest first.
pub async fn webhooks(
    services: web::Data<Services>,
    request: HttpRequest,
    page: PageQuery,
) -> Result<HttpResponse, V1Refusal> {
    let wanted: Filter = query(&request)?;
    let filter = WebhookFilter {
        state: given(wanted.state)
            .map(|state| parse_state(&state))
            .transpose()?,
        recording_id: given(wanted.recording_id),
    };
    let cursor = page.cursor.as_deref();
    let page = services.recordings.webhooks(&filter, cursor, page.limit);
    Ok(HttpResponse::Ok().json(page))
}

/// An event that is sent once more.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookReplayed")]
pub struct ReplayAnswer {
    id: String,
}

/// All that was given up is sent once more.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhooksReplayed")]
pub struct ReplayedAnswer {
    /// How many.
    replayed: usize,
}

/// `POST /v1/webhooks/:id/replay`: sends an event to all receivers once more.
pub async fn replay(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, V1Refusal> {
    let id = id.into_inner();
    let replayed = services.recordings.replay_webhooks(Some(id.clone())).await;
    replayed.map_err(refusal)?;
    Ok(HttpResponse::Accepted().json(ReplayAnswer { id }))
}

/// `POST /v1/webhooks/replay`: sends all that was given up once more.
pub async fn replay_failed(services: web::Data<Services>) -> Result<HttpResponse, V1Refusal> {
    let replayed = services.recordings.replay_webhooks(None).await;
    let replayed = replayed.map_err(refusal)?;
    Ok(HttpResponse::Accepted().json(ReplayedAnswer { replayed }))
}

fn refusal(error: ReplayError) -> Refusal {
    let text = sentence(&error.to_string());
    match error {
        ReplayError::NotFound => Refusal::new(StatusCode::NOT_FOUND, "not_found", text),
        ReplayError::NoReceiver => Refusal::new(StatusCode::CONFLICT, "no_receiver", text),
        ReplayError::Internal(reason) => unanswered(reason),
    }
}

fn parse_state(state: &str) -> Result<DeliveryState, Refusal> {
    let state: StrDeserializer<Error> = state.into_deserializer();
    DeliveryState::deserialize(state).map_err(|error| Refusal::invalid(format!("state: {error}")))
}
