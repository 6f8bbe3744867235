use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tapedeck_actors::SourceKind;

use crate::http::access::{Access, ClientPaths, OperatorPaths};
use crate::http::services::Services;
use crate::http::visitor::visitor_of;

/// `GET /v1/info`: what a page must know before it can ask anything else. Open to everybody; only
/// who may read the operators' paths is told the version.
pub async fn info(
    services: web::Data<Services>,
    access: web::Data<Access>,
    request: HttpRequest,
) -> HttpResponse {
    let settings = &services.settings;
    let is_there = |source: &SourceKind| match source {
        SourceKind::Livekit => settings.livekit.is_configured(),
        SourceKind::Whip => true,
        SourceKind::Agora => settings.agora.is_configured(),
    };
    let sources: Vec<SourceKind> = SourceKind::ALL.into_iter().filter(is_there).collect();
    let mut info = json!({
        // Where a room lives unless a request says otherwise, and where it may live.
        "defaultSource": settings.default_source(),
        "sources": sources,
        // Who may call /token and /recordings, and who /v1 and /status.
        "clients": match access.clients {
            ClientPaths::Open | ClientPaths::OpenLocally => "open",
            ClientPaths::Key => "key",
        },
        "operators": match access.operators {
            OperatorPaths::OpenLocally => "open",
            OperatorPaths::Key => "key",
            OperatorPaths::Closed => "closed",
        },
    });
    if access.lets_read(visitor_of(&request), request.headers()) {
        info["version"] = json!(env!("CARGO_PKG_VERSION"));
    }
    HttpResponse::Ok().json(info)
}
