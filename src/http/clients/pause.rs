use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, web};
use tapedeck_actors::PauseError;

use crate::http::refusal::{Refusal, sentence};
use crate::http::services::Services;

use super::answer::Changed;
use super::body::Fields;
use super::view::LiveRecording;
use super::{fields, stop};

/// `POST /recordings/pause`: answers when nothing is recorded any more. One that is paused already
/// is answered likewise.
pub async fn pause(services: web::Data<Services>, body: Fields) -> Result<HttpResponse, Refusal> {
    set_paused(services, body, true).await
}

/// `POST /recordings/resume`: answers when recording goes on, or goes on already.
pub async fn resume(services: web::Data<Services>, body: Fields) -> Result<HttpResponse, Refusal> {
    set_paused(services, body, false).await
}

async fn set_paused(
    services: web::Data<Services>,
    body: Fields,
    paused: bool,
) -> Result<HttpResponse, Refusal> {
    let room_name = fields::required_name(&body.0, "roomName")?;
    let source = fields::source(&body.0)?;
    let manifest = services
        .recordings
        .set_paused(&room_name, source, paused)
        .await
        .map_err(refusal)?;
    let message = match paused {
        true => "Recording paused",
        false => "Recording resumed",
    };
    Ok(HttpResponse::Ok().json(Changed {
        message,
        recording: LiveRecording::from(&manifest),
    }))
}

fn refusal(error: PauseError) -> Refusal {
    let text = sentence(&error.to_string());
    match error {
        PauseError::NotRecording => stop::not_recording(),
        PauseError::Overtaken => Refusal::new(StatusCode::CONFLICT, "overtaken", text),
        PauseError::Refused(_) => Refusal::new(StatusCode::CONFLICT, "cannot_pause", text),
        PauseError::Pending => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "pending", text)
            .header(RETRY_AFTER, HeaderValue::from_static("2")),
        PauseError::Internal(reason) => {
            log::error!("a recording could not be paused or resumed: {reason}");
            Refusal::internal(text)
        }
    }
}
