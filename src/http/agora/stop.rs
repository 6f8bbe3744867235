use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};
use tapedeck_actors::{Manifest, RecordingState, Selected, SourceKind, StopError};

use crate::http::clients::{Fields, address};
use crate::http::refusal::{ApiRefusal, Refusal};
use crate::http::services::Services;

use super::log::Call;
use super::{absolute, fields, sid, view};

/// The tag of its lines in the log.
const TAG: &str = "STOP";

/// `POST /api/recording/stop`: ends a recording and answers when it is in its store, or after the
/// configured time. Asked again by `sid` it answers the same.
pub async fn stop(
    services: web::Data<Services>,
    request: HttpRequest,
    body: Result<Fields, Refusal>,
) -> Result<HttpResponse, ApiRefusal> {
    let call = Call::begin(TAG, &request, body.as_ref().ok().map(|fields| &fields.0));
    match end(&services, &request, body, &call).await {
        Ok(answer) => Ok(answer),
        Err(refusal) => Err(call.refused(refusal)),
    }
}

async fn end(
    services: &Services,
    request: &HttpRequest,
    body: Result<Fields, Refusal>,
    call: &Call,
) -> Result<HttpResponse, Refusal> {
    let wanted = wanted(&body?.0)?;
    let which = match &wanted {
        Wanted::Recording(id) => {
            // A recording that is not of Agora is none of this interface's.
            let known = services.recordings.get(id).await.map_err(failed)?;
            known.filter(is_of_agora).ok_or_else(no_such_session)?;
            Selected::Id(id)
        }
        Wanted::Channel(channel) => Selected::Room {
            name: channel,
            source: Some(SourceKind::Agora),
        },
    };
    let patience = Duration::from_secs(services.settings.agora.stop_wait_s);
    let stopped = services.recordings.stop_within(which, patience).await;
    let manifest = stopped.map_err(|error| match error {
        StopError::NotRecording => match wanted {
            Wanted::Recording(_) => no_such_session(),
            Wanted::Channel(_) => Refusal::new(
                StatusCode::NOT_FOUND,
                "not_recording",
                "This channel is not being recorded",
            ),
        },
        StopError::Internal(reason) => failed(reason),
    })?;
    if manifest.state == RecordingState::Failed && !manifest.is_delivered() {
        let reason = manifest.error.as_deref();
        let reason = reason.unwrap_or("the reason is not known");
        let refusal = Refusal::internal(format!("The recording failed: {reason}"));
        return Err(refusal.recording_id(manifest.id));
    }
    let mut answer = view::stopped(&manifest);
    if manifest.is_delivered() && answer.firebase.is_none() {
        answer.url = Some(absolute(request, &address(services, &manifest.name).await?));
    }
    call.succeeded(&format!(
        "channel={}, sid={}, filename={}, duration={}",
        manifest.room_name,
        answer.sid.as_deref().unwrap_or_default(),
        manifest.name,
        answer.duration
    ));
    Ok(HttpResponse::Ok().json(answer))
}

/// What is to be stopped.
enum Wanted {
    /// The recording with this id.
    Recording(String),
    Channel(String),
}

/// `sid`, or else `channel`.
fn wanted(fields: &Map<String, Value>) -> Result<Wanted, Refusal> {
    let sid = match fields.get("sid") {
        None | Some(Value::Null) => None,
        Some(Value::String(sid)) => Some(sid.trim()).filter(|sid| !sid.is_empty()),
        Some(_) => return Err(Refusal::invalid("sid must be a text")),
    };
    if let Some(sid) = sid {
        let id = sid::recording_id(sid).map_err(|error| Refusal::invalid(error.to_string()))?;
        return id.map(Wanted::Recording).ok_or_else(no_such_session);
    }
    match fields.get("channel") {
        None | Some(Value::Null) => Err(Refusal::invalid("sid or channel is required")),
        Some(_) => fields::channel(fields).map(Wanted::Channel),
    }
}

fn is_of_agora(manifest: &Manifest) -> bool {
    manifest.source == SourceKind::Agora.name()
}

fn no_such_session() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "no_such_session",
        "There is no session with this sid",
    )
}

fn failed(reason: String) -> Refusal {
    log::error!("a recording of a channel could not be stopped: {reason}");
    Refusal::internal(format!("Error stopping recording: {reason}"))
}
