use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use tapedeck_actors::SourceKind;

use crate::http::access::{Access, ClientPaths, OperatorPaths};
use crate::http::keys::bearer;
use crate::http::services::Services;
use crate::http::throttle::WrongCredentials;
use crate::http::visitor::visitor_of;

/// What a page must know first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Info")]
pub struct InfoAnswer {
    /// Where a room lives unless a request says otherwise.
    default_source: SourceKind,
    /// Where it may live.
    sources: Vec<SourceKind>,
    /// Who may call `/token` and `/recordings`: `open` or `key`.
    clients: &'static str,
    /// Who may call `/v1` and `/status`: `open`, `key` or `closed`.
    operators: &'static str,
    /// Only for who may read the paths of operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
}

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
    let is_reader = access.lets_read(visitor_of(&request), request.headers());
    let mut response = HttpResponse::Ok().json(InfoAnswer {
        default_source: settings.default_source(),
        sources,
        clients: match access.clients {
            ClientPaths::Open | ClientPaths::OpenLocally => "open",
            ClientPaths::Key => "key",
        },
        operators: match access.operators {
            OperatorPaths::OpenLocally => "open",
            OperatorPaths::Key => "key",
            OperatorPaths::Closed => "closed",
        },
        version: is_reader.then_some(env!("CARGO_PKG_VERSION")),
    });
    let has_wrong_key =
        bearer(request.headers()).is_some() && access.role(request.headers()).is_none();
    if has_wrong_key && !is_reader {
        // The missing version tells so.
        response.extensions_mut().insert(WrongCredentials);
    }
    response
}
