use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::refusal::{Refusal, V1Refusal};
use crate::http::services::Services;

use super::unanswered;

/// How long a link is valid, s: as long as somebody may watch.
const VALID_S: u64 = 6 * 3_600;

/// Where a recording can be fetched for a while by whoever has the link.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Link")]
pub struct LinkAnswer {
    /// A path of this server with its query.
    url: String,
    /// How long it is valid.
    valid_ms: u64,
}

/// `GET /v1/recordings/:id/link`: where a player that can send no key fetches the recording: a path of
/// this server with a signature, wherever the file is.
pub async fn link(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, V1Refusal> {
    let manifest = services.recordings.get(&id).await.map_err(unanswered)?;
    let manifest = manifest.ok_or_else(Refusal::no_such_recording)?;
    let head = services.store.head(&manifest.name).await;
    head.map_err(|error| Refusal::of_store(&error, "the link of a recording could not be made"))?;
    let url = services.links.link(&manifest.name, VALID_S);
    let url = url.map_err(|error| unanswered(format!("the link cannot be signed: {error}")))?;
    let valid_ms = VALID_S * 1_000;
    Ok(HttpResponse::Ok().json(LinkAnswer { url, valid_ms }))
}
