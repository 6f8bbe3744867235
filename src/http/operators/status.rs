use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_actors::{Capacity, LiveSession};

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::unanswered;
use super::view::SessionView;

/// What the server does just now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub struct StatusAnswer {
    version: &'static str,
    capacity: Capacity,
    /// The newest first.
    sessions: Vec<SessionView>,
}

/// `GET /status`: live sessions, and what there is for more.
pub async fn status(services: web::Data<Services>) -> Result<HttpResponse, Refusal> {
    let live = services.recordings.live().await.map_err(unanswered)?;
    let capacity = services.recordings.capacity().await.map_err(unanswered)?;
    Ok(HttpResponse::Ok().json(status_of_all(capacity, &live)))
}

/// These sessions, and what there is for more.
pub fn status_of_all(capacity: Capacity, live: &[LiveSession]) -> StatusAnswer {
    StatusAnswer {
        version: env!("CARGO_PKG_VERSION"),
        capacity,
        sessions: live.iter().map(SessionView::from).collect(),
    }
}

/// `GET /status/:id`
pub async fn status_of(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let live = services.recordings.live().await.map_err(unanswered)?;
    let found = live.iter().find(|session| session.manifest.id == *id);
    found
        .map(|found| HttpResponse::Ok().json(SessionView::from(found)))
        .ok_or_else(|| Refusal {
            message: "No live recording has this id".to_owned(),
            ..Refusal::no_such_recording()
        })
}
