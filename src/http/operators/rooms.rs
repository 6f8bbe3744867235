use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_actors::{LiveSession, ProcessUsage, SourceKind};
use tapedeck_pipelines::control::{ParticipantStatus, RoomStatus};

use crate::http::refusal::V1Refusal;
use crate::http::services::Services;

use super::case::Camel;
use super::unanswered;

/// The rooms of this server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Rooms")]
pub struct RoomsAnswer {
    /// By name.
    rooms: Vec<RoomView>,
    /// What their process uses; null when it does not run.
    process: Option<ProcessUsage>,
}

/// A room with publishers, or one that is recorded.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Room")]
struct RoomView {
    name: String,
    /// `RM_` and 12 characters.
    id: String,
    source: SourceKind,
    /// When it came into being, Unix ms.
    since_ms: i64,
    participants: Camel<Vec<ParticipantStatus>>,
    /// Of its live recording.
    recording_id: Option<String>,
}

/// `GET /v1/rooms`: the rooms of this server, by name, and what their process uses. Those of a media
/// server are not listed.
pub async fn rooms(services: web::Data<Services>) -> Result<HttpResponse, V1Refusal> {
    let live = services.recordings.live().await.map_err(unanswered)?;
    Ok(HttpResponse::Ok().json(all_rooms(&services, &live).await))
}

/// The rooms, of which `live` are recorded.
pub async fn all_rooms(services: &Services, live: &[LiveSession]) -> RoomsAnswer {
    let mut rooms = services.recordings.rooms().await;
    rooms.sort_by(|a, b| a.name.cmp(&b.name));
    RoomsAnswer {
        rooms: rooms.iter().map(|status| room(status, live)).collect(),
        process: services.recordings.rooms_process().await,
    }
}

fn room(status: &RoomStatus, live: &[LiveSession]) -> RoomView {
    let recording = live.iter().map(|session| &session.manifest).find(|found| {
        found.source == SourceKind::Whip.name() && found.room_name == status.name && found.is_live()
    });
    RoomView {
        name: status.name.clone(),
        id: status.id.clone(),
        source: SourceKind::Whip,
        since_ms: status.since_ms,
        participants: Camel::of(&status.participants),
        recording_id: recording.map(|recording| recording.id.clone()),
    }
}
