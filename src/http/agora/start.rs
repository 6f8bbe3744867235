use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_actors::{SourceKind, StartRequest};
use tapedeck_pipelines::job::{OutputFormat, OutputSettings};

use crate::http::clients::{Fields, check_not_finishing, start_refusal};
use crate::http::refusal::{ApiRefusal, Refusal};
use crate::http::services::Services;
use crate::serve::output_settings;

use super::app::credentials;
use super::log::Call;
use super::{fields, sid};

/// The tag of its lines in the log.
const TAG: &str = "START";

/// A channel is recorded.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelStarted")]
pub struct StartAnswer {
    /// The session's id.
    sid: Option<String>,
    channel: String,
    /// The recorder's user id.
    uid: u32,
    filename: String,
    /// `recording`.
    status: &'static str,
}

/// `POST /api/recording/start`: records a channel as a WAV; answers when the recorder is in it.
pub async fn start(
    services: web::Data<Services>,
    request: HttpRequest,
    body: Result<Fields, Refusal>,
) -> Result<HttpResponse, ApiRefusal> {
    let call = Call::begin(TAG, &request, body.as_ref().ok().map(|fields| &fields.0));
    match begin(&services, body, &call).await {
        Ok(answer) => Ok(answer),
        Err(refusal) => Err(call.refused(refusal)),
    }
}

async fn begin(
    services: &Services,
    body: Result<Fields, Refusal>,
    call: &Call,
) -> Result<HttpResponse, Refusal> {
    let channel = fields::channel(&body?.0)?;
    fields::parts(&channel)?;
    credentials(services)?;
    check_not_finishing(services)?;
    let request = StartRequest {
        room_name: channel,
        source: SourceKind::Agora,
        output: OutputSettings {
            format: OutputFormat::Wav,
            ..output_settings(&services.settings)
        },
        max_duration_ms: None,
        metadata: None,
        idempotency_key: None,
    };
    let started = services.recordings.start(request).await;
    let manifest = started.map_err(start_refusal)?;
    let sid = sid::of(&manifest.id);
    call.succeeded(&format!(
        "channel={}, sid={}, filename={}",
        manifest.room_name,
        sid.as_deref().unwrap_or_default(),
        manifest.name
    ));
    Ok(HttpResponse::Ok().json(StartAnswer {
        sid,
        channel: manifest.room_name,
        uid: services.settings.agora.uid,
        filename: manifest.name,
        status: "recording",
    }))
}
