use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use tapedeck_actors::{Manifest, RecordingState, StopError};

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::answer::Stopped;
use super::body::Fields;
use super::fields;
use super::view::{Pending, StoppedRecording};

/// `POST /recordings/stop`: answers with the finished recording, or with status `ending` when
/// finishing takes longer than the stop time-out.
pub async fn stop(services: web::Data<Services>, body: Fields) -> Result<HttpResponse, Refusal> {
    let room_name = fields::required_name(&body.0, "roomName")?;
    let source = fields::source(&body.0)?;
    let manifest = services
        .recordings
        .stop(&room_name, source)
        .await
        .map_err(refusal)?;
    if manifest.state == RecordingState::Failed && !manifest.is_delivered() {
        let reason = manifest
            .error
            .as_deref()
            .unwrap_or("the reason is not known");
        let refusal = Refusal::internal(format!("The recording failed: {reason}"));
        return Err(refusal.recording_id(manifest.id));
    }
    let mut recording = StoppedRecording::from(&manifest);
    if !manifest.state.is_final() {
        recording.pending = Some(pending(&services, &manifest).await);
    }
    Ok(HttpResponse::Ok().json(Stopped {
        message: "Recording stopped",
        recording,
    }))
}

/// What is left to do until the file is there.
async fn pending(services: &Services, manifest: &Manifest) -> Pending {
    let live = services.recordings.live().await.unwrap_or_else(|reason| {
        log::warn!("what is pending after a stop cannot be told: {reason}");
        Vec::new()
    });
    let session = live
        .into_iter()
        .find(|session| session.manifest.id == manifest.id);
    Pending::of(manifest, session.and_then(|session| session.lag_ms()))
}

fn refusal(error: StopError) -> Refusal {
    match error {
        StopError::NotRecording => not_recording(),
        StopError::Internal(reason) => {
            log::error!("a recording could not be stopped: {reason}");
            Refusal::internal(format!("Error stopping recording: {reason}"))
        }
    }
}

/// There is no live recording of the room.
pub fn not_recording() -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "not_recording",
        "Recording not started for this room",
    )
}
