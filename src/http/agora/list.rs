use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::{self, StreamExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tapedeck_actors::{FinishedRecording, ListFilter};

use crate::http::clients::address;
use crate::http::refusal::{ApiRefusal, Refusal};
use crate::http::services::Services;

use super::absolute;
use super::log::Call;
use super::view::{self, ListedView};

/// The tag of its lines in the log.
const TAG: &str = "LIST";
/// Recordings in an answer unless the query says otherwise, and at most.
pub const PAGE: usize = 200;
pub const LARGEST_PAGE: usize = 1_000;
/// Addresses that are asked of stores at the same time.
const AT_ONCE: usize = 16;

#[derive(Deserialize)]
struct Query {
    channel: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

/// Recordings of channels, the newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelRecordings")]
pub struct ListAnswer {
    recordings: Vec<ListedView>,
    /// How many there are, also beyond these.
    total: usize,
    /// Stores that did not answer, so that what they have is missing, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<String>,
}

/// `GET /api/recording/list`: recordings of channels that can be fetched, newest first, also those
/// that an earlier server left in the bucket. `total` tells how many there are beyond `limit`.
pub async fn list(
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiRefusal> {
    let call = Call::begin(TAG, &request, None);
    match listed(&services, &request, &call).await {
        Ok(answer) => Ok(answer),
        Err(refusal) => Err(call.refused(refusal)),
    }
}

async fn listed(
    services: &Services,
    request: &HttpRequest,
    call: &Call,
) -> Result<HttpResponse, Refusal> {
    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| Refusal::invalid(format!("The query cannot be read: {error}")))?
        .into_inner();
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "limit must be from 1 to {LARGEST_PAGE}"
        )));
    }
    let filter = ListFilter {
        room_name: query.channel.filter(|channel| !channel.is_empty()),
        ..ListFilter::default()
    };
    let finished = services
        .recordings
        .finished(filter)
        .await
        .map_err(|error| {
            log::error!("recordings of channels could not be listed: {error}");
            Refusal::internal(format!("Error listing recordings: {error}"))
        })?;
    for reason in &finished.unavailable {
        log::warn!("a store could not be listed: {reason}");
    }
    let mut found = finished.recordings;
    found.retain(|recording| view::is_of_channel(&recording.metadata));
    found.sort_by_key(|recording| std::cmp::Reverse(view::created_at(&recording.metadata)));
    let total = found.len();
    let page = found
        .into_iter()
        .skip(query.offset.unwrap_or(0))
        .take(limit);
    let entries = stream::iter(page)
        .map(|recording| entry(services, request, recording))
        .buffered(AT_ONCE);
    let recordings: Vec<ListedView> = entries.collect().await;
    call.succeeded(&format!("recordings={} of {total}", recordings.len()));
    Ok(HttpResponse::Ok().json(ListAnswer {
        recordings,
        total,
        unavailable: finished.unavailable,
    }))
}

async fn entry(
    services: &Services,
    request: &HttpRequest,
    recording: FinishedRecording,
) -> ListedView {
    let mut entry = view::listed(&recording);
    // A store that does not tell an address now does so for the next who asks.
    let url = address(services, &recording.metadata.name).await.ok();
    entry.url = url.map(|url| absolute(request, &url));
    entry
}
