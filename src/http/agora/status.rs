use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_actors::SourceKind;

use crate::http::refusal::{ApiRefusal, Refusal};
use crate::http::services::Services;

use super::log::Call;
use super::view::{self, SessionView};

/// The tag of its lines in the log.
const TAG: &str = "STATUS";

/// The recordings of channels that take in sound.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelSessions")]
pub struct SessionsAnswer {
    sessions: Vec<SessionView>,
}

/// `GET /api/recording/status`: the recordings of channels that take in sound.
pub async fn status(
    services: web::Data<Services>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiRefusal> {
    let call = Call::begin(TAG, &request, None);
    let live = services.recordings.live().await.map_err(|reason| {
        log::error!("recordings of channels cannot be told: {reason}");
        call.refused(Refusal::internal(reason))
    })?;
    let uid = services.settings.agora.uid;
    let sessions: Vec<SessionView> = live
        .iter()
        .filter(|session| {
            session.manifest.source == SourceKind::Agora.name() && session.manifest.is_live()
        })
        .map(|session| view::session(session, uid))
        .collect();
    call.succeeded(&format!("sessions={}", sessions.len()));
    Ok(HttpResponse::Ok().json(SessionsAnswer { sessions }))
}
