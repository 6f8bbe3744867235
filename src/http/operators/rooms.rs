use actix_web::{HttpResponse, web};
use serde_json::{Value, json};
use tapedeck_actors::{LiveSession, SourceKind};
use tapedeck_pipelines::control::RoomStatus;

use crate::http::refusal::V1Refusal;
use crate::http::services::Services;

use super::case::camel_case;
use super::unanswered;

/// `GET /v1/rooms`: the rooms of this server, by name, and what their process uses. Those of a media
/// server are not listed.
pub async fn rooms(services: web::Data<Services>) -> Result<HttpResponse, V1Refusal> {
    let live = services.recordings.live().await.map_err(unanswered)?;
    let mut rooms = services.recordings.rooms().await;
    rooms.sort_by(|a, b| a.name.cmp(&b.name));
    let rooms: Vec<Value> = rooms.iter().map(|status| room(status, &live)).collect();
    let process = services.recordings.rooms_process().await;
    Ok(HttpResponse::Ok().json(json!({ "rooms": rooms, "process": process })))
}

fn room(status: &RoomStatus, live: &[LiveSession]) -> Value {
    let recording = live.iter().map(|session| &session.manifest).find(|found| {
        found.source == SourceKind::Whip.name() && found.room_name == status.name && found.is_live()
    });
    json!({
        "name": status.name,
        "id": status.id,
        "source": SourceKind::Whip,
        "sinceMs": status.since_ms,
        "participants": camel_case(&status.participants),
        "recordingId": recording.map(|recording| &recording.id),
    })
}
