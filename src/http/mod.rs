//! The HTTP surfaces. Handlers hold no state: they translate, check and authorise, and leave the
//! rest to the recorder.
//!
//! - The paths of OpenVidu's recording applications (`/token`, `/recordings`): [`clients`].
//! - The paths of Memharbor, for channels of Agora (`/api`): [`agora`].
//! - What a LiveKit server tells us (`/livekit/webhook`): [`livekit`].
//! - WHIP (RFC 9725): [`whip`].
//! - Our pages: [`pages`].
//! - Our own (`/v1`, `/status`): [`operators`].
//! - What Prometheus asks (`/metrics`): [`metrics`].
//! - What all of it is, for programs (`/openapi.json`): [`openapi`].
//! - What load balancers ask (`/healthz`, `/readyz`): [`health`].

mod access;
mod agora;
mod arrival;
mod body;
mod clients;
mod cors;
mod events;
mod health;
mod keys;
mod links;
mod livekit;
mod local_host;
mod metrics;
mod openapi;
mod operators;
mod pages;
mod paths;
mod rates;
mod recordings;
mod refusal;
mod services;
mod throttle;
mod visitor;
mod whip;

pub use access::{Access, ClientPaths, OperatorPaths, guard};
pub use agora::{ApiLog, check_channel};
pub use arrival::arrive;
pub use clients::request;
pub use cors::share;
pub use keys::{Keys, Role, separate};
pub use links::SignedLinks;
pub use metrics::measure;
pub use recordings::Recordings;
pub use services::Services;
pub use throttle::{Throttle, throttle};
pub use visitor::{Proxies, ProxiesMistake};

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

use refusal::Refusal;

/// Registers all routes; `Data<Services>` and `Data<Access>` must be registered too.
pub fn routes(app: &mut ServiceConfig) {
    app.app_data(path_config())
        .service(resource(
            &["/token"],
            [web::post().to(clients::token)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/recordings/start"],
            [web::post().to(clients::start)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/recordings/stop"],
            [web::post().to(clients::stop)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/recordings/pause"],
            [web::post().to(clients::pause)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/recordings/resume"],
            [web::post().to(clients::resume)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/recordings", "/recordings/"],
            [web::get().to(clients::list)],
            "GET, OPTIONS",
        ))
        .service(resource(
            &["/recordings/{name}"],
            [
                web::get().to(clients::stream),
                web::head().to(clients::stream),
                web::delete().to(clients::delete),
            ],
            "GET, HEAD, DELETE, OPTIONS",
        ))
        .service(resource(
            &["/recordings/{name}/url"],
            [web::get().to(clients::url)],
            "GET, OPTIONS",
        ))
        .service(resource(
            &["/api/health", "/api/health/"],
            [web::get().to(agora::health), web::head().to(agora::health)],
            "GET, HEAD, OPTIONS",
        ))
        .service(resource(
            &["/api/token", "/api/token/"],
            [web::post().to(agora::token)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/api/recording/start", "/api/recording/start/"],
            [web::post().to(agora::start)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/api/recording/stop", "/api/recording/stop/"],
            [web::post().to(agora::stop)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/api/recording/status", "/api/recording/status/"],
            [web::get().to(agora::status)],
            "GET, OPTIONS",
        ))
        .service(resource(
            &["/api/recording/list", "/api/recording/list/"],
            [web::get().to(agora::list)],
            "GET, OPTIONS",
        ))
        .service(resource(
            &["/livekit/webhook"],
            [web::post().to(livekit::webhook)],
            "POST",
        ))
        .service(resource(
            &["/whip/{room}"],
            [web::post().to(whip::publish)],
            "POST, OPTIONS",
        ))
        .service(resource(
            &["/whip/{room}/{session}"],
            [web::patch().to(whip::patch), web::delete().to(whip::delete)],
            "PATCH, DELETE, OPTIONS",
        ))
        .service(resource(
            &["/", "/publish", "/api-docs", "/web/{file}"],
            [web::get().to(pages::page), web::head().to(pages::page)],
            "GET, HEAD",
        ))
        .service(resource(
            &["/openapi.json"],
            [
                web::get().to(openapi::openapi),
                web::head().to(openapi::openapi),
            ],
            "GET, HEAD",
        ))
        .service(resource(
            &["/v1/events"],
            [web::get().to(operators::events)],
            "GET",
        ))
        .service(resource(
            &["/v1/info"],
            [web::get().to(operators::info)],
            "GET",
        ))
        .service(resource(
            &["/v1/rooms"],
            [web::get().to(operators::rooms)],
            "GET",
        ))
        .service(resource(
            &["/v1/recordings"],
            [web::get().to(operators::list)],
            "GET",
        ))
        .service(resource(
            &["/v1/recordings/{id}"],
            [web::get().to(operators::get)],
            "GET",
        ))
        .service(resource(
            &["/v1/recordings/{id}/preview"],
            [web::get().to(operators::preview)],
            "GET",
        ))
        .service(resource(
            &["/v1/recordings/{id}/poster"],
            [
                web::get().to(operators::poster),
                web::head().to(operators::poster),
            ],
            "GET, HEAD",
        ))
        .service(resource(
            &["/v1/recordings/{id}/link"],
            [web::get().to(operators::link)],
            "GET",
        ))
        .service(resource(
            &["/v1/uploads"],
            [web::get().to(operators::uploads)],
            "GET",
        ))
        .service(resource(
            &["/v1/uploads/{id}/retry"],
            [web::post().to(operators::retry)],
            "POST",
        ))
        .service(resource(
            &["/v1/webhooks"],
            [web::get().to(operators::webhooks)],
            "GET",
        ))
        .service(resource(
            &["/v1/webhooks/replay"],
            [web::post().to(operators::replay_failed)],
            "POST",
        ))
        .service(resource(
            &["/v1/webhooks/{id}/replay"],
            [web::post().to(operators::replay)],
            "POST",
        ))
        .service(resource(
            &["/status"],
            [web::get().to(operators::status)],
            "GET",
        ))
        .service(resource(
            &["/status/{id}"],
            [web::get().to(operators::status_of)],
            "GET",
        ))
        .service(resource(
            &["/metrics"],
            [web::get().to(metrics::metrics)],
            "GET",
        ))
        .service(resource(
            &["/healthz"],
            [web::get().to(health::alive), web::head().to(health::alive)],
            "GET, HEAD",
        ))
        .service(resource(
            &["/readyz"],
            [web::get().to(health::ready), web::head().to(health::ready)],
            "GET, HEAD",
        ))
        .default_service(web::to(not_found));
}

/// A path with its methods; other methods are answered with 405 and `allow`.
fn resource<const N: usize>(
    paths: &[&str],
    methods: [Route; N],
    allow: &'static str,
) -> impl HttpServiceFactory + 'static {
    methods
        .into_iter()
        .fold(web::resource(paths.to_vec()), actix_web::Resource::route)
        .default_service(web::to(move |request: HttpRequest| async move {
            Refusal::method_not_allowed(request.method(), allow).respond_at(request.path())
        }))
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    Refusal::no_such_path().respond_at(request.path())
}

/// A path that is not UTF-8 names nothing that exists.
fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, request| {
        let response = Refusal::no_such_path().respond_at(request.path());
        actix_web::error::InternalError::from_response("the path is not UTF-8", response).into()
    })
}

#[cfg(test)]
mod tests;
