use actix_web::{HttpResponse, web};
use serde_json::{Value, json};
use tapedeck_actors::LiveSession;

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::case::camel_case;
use super::{unanswered, view};

/// `GET /status`: live sessions, and how many there may be.
pub async fn status(services: web::Data<Services>) -> Result<HttpResponse, Refusal> {
    let live = services.recordings.live().await.map_err(unanswered)?;
    let sessions: Vec<Value> = live.iter().map(session).collect();
    Ok(HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "capacity": { "used": sessions.len(), "max": services.settings.recording.max_recordings },
        "sessions": sessions,
    })))
}

/// `GET /status/:id`
pub async fn status_of(
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let live = services.recordings.live().await.map_err(unanswered)?;
    let found = live.iter().find(|session| session.manifest.id == *id);
    found
        .map(|found| HttpResponse::Ok().json(session(found)))
        .ok_or_else(|| Refusal {
            message: "No live recording has this id".to_owned(),
            ..Refusal::no_such_recording()
        })
}

fn session(session: &LiveSession) -> Value {
    let mut view = view::recording(&session.manifest);
    if let (Value::Null, Some(capture)) = (&view["durationMs"], &session.capture) {
        view["durationMs"] = json!(capture.duration_ms);
    }
    if let Some(capture) = session
        .capture
        .as_ref()
        .filter(|capture| !capture.gaps.is_empty())
    {
        // Newer than those of the manifest.
        view["gaps"] = view::gaps(&capture.gaps);
    }
    view["capture"] = camel_case(&session.capture);
    if let Some(capture) = view["capture"].as_object_mut() {
        capture.remove("gaps");
        capture.remove("pauses");
    }
    view["render"] = camel_case(&session.render);
    if let (Some(render), Some(lag_ms)) = (view["render"].as_object_mut(), session.lag_ms()) {
        render.insert("lagMs".to_owned(), json!(lag_ms));
    }
    if let Some(output) = view["render"]
        .get_mut("output")
        .and_then(Value::as_object_mut)
    {
        // Where files lie on this machine is nobody's business.
        output.remove("path");
    }
    view["processes"] = camel_case(&session.processes);
    view
}
