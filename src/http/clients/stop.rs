use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;
use tapedeck_actors::{RecordingState, StopError};

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::body::Fields;
use super::{fields, view};

/// `POST /recordings/stop`: answers with the finished recording, or with status `ending` when
/// finishing takes longer than the stop time-out.
pub async fn stop(services: web::Data<Services>, body: Fields) -> Result<HttpResponse, Refusal> {
    let room_name = fields::name(&body.0, "roomName")?
        .ok_or_else(|| Refusal::invalid("roomName is required"))?;
    let source = fields::source(&body.0)?;
    let manifest = services
        .recordings
        .stop(&room_name, source)
        .await
        .map_err(refusal)?;
    if manifest.state == RecordingState::Failed {
        let reason = manifest
            .error
            .as_deref()
            .unwrap_or("the reason is not known");
        let refusal = Refusal::internal(format!("The recording failed: {reason}"));
        return Err(refusal.recording_id(manifest.id));
    }
    Ok(HttpResponse::Ok()
        .json(json!({ "message": "Recording stopped", "recording": view::stopped(&manifest) })))
}

fn refusal(error: StopError) -> Refusal {
    match error {
        StopError::NotRecording => Refusal::new(
            StatusCode::CONFLICT,
            "not_recording",
            "Recording not started for this room",
        ),
        StopError::Internal(reason) => {
            log::error!("a recording could not be stopped: {reason}");
            Refusal::internal(format!("Error stopping recording: {reason}"))
        }
    }
}
