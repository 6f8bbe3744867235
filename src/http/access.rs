//! Who may call what.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::bearer::AccessKeys;
use super::local_host::is_local;
use super::paths::{Audience, audience};
use super::refusal::Refusal;
use super::services::Services;

/// Who may call the paths of each audience.
#[derive(Clone, Debug)]
pub struct Access {
    pub clients: ClientPaths,
    pub operators: OperatorPaths,
}

/// Who may call the clients' paths.
#[derive(Clone, Debug)]
pub enum ClientPaths {
    /// Everybody, as configured.
    Open,
    /// Everybody on this machine, since nothing is configured.
    OpenLocally,
    /// Holders of a key.
    Key(AccessKeys),
}

/// Who may call the operators' paths.
#[derive(Clone, Debug)]
pub enum OperatorPaths {
    /// Everybody on this machine, since nothing is configured.
    OpenLocally,
    /// Holders of a key.
    Key(AccessKeys),
    /// Nobody: there is no key.
    Closed,
}

impl Access {
    /// Whether scripts of any web page may call the clients' paths.
    pub fn allows_any_origin(&self) -> bool {
        !matches!(self.clients, ClientPaths::Key(_))
    }

    /// Whether these headers carry the operator's key.
    pub fn is_operator(&self, headers: &HeaderMap) -> bool {
        matches!(&self.operators, OperatorPaths::Key(keys) if keys.open(headers))
    }

    /// Whether a request with these headers may call the operators' paths.
    pub fn lets_operate(&self, headers: &HeaderMap) -> bool {
        match &self.operators {
            OperatorPaths::OpenLocally => check_host(headers).is_ok(),
            OperatorPaths::Key(keys) => keys.open(headers),
            OperatorPaths::Closed => false,
        }
    }

    /// # Errors
    /// Why a request with these headers may not call `path`.
    fn check(&self, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        match (audience(path), &self.clients, &self.operators) {
            // WHIP's handlers look at the token themselves.
            (Audience::Public | Audience::Publishers, _, _)
            | (Audience::Clients, ClientPaths::Open, _) => Ok(()),
            (Audience::Clients, ClientPaths::OpenLocally, _)
            | (Audience::Operators, _, OperatorPaths::OpenLocally) => check_host(headers),
            (Audience::Clients, ClientPaths::Key(keys), _)
            | (Audience::Operators, _, OperatorPaths::Key(keys)) => check_key(keys, headers),
            (Audience::Operators, _, OperatorPaths::Closed) => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "no_operator_key",
                "This path needs an operator key, and none is configured: set auth.operator_key (TAPEDECK_AUTH_OPERATOR_KEY)",
            )),
        }
    }
}

fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    // HTTP/1.0 has no Host, and no browser speaks it.
    let host = headers
        .get(HOST)
        .map(|host| host.to_str().unwrap_or_default());
    if host.is_none_or(is_local) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::MISDIRECTED_REQUEST,
        "foreign_host",
        "Without a key this server answers only to localhost: set auth.operator_key (TAPEDECK_AUTH_OPERATOR_KEY) or auth.clients = \"open\"",
    ))
}

fn check_key(keys: &AccessKeys, headers: &HeaderMap) -> Result<(), Refusal> {
    if keys.open(headers) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "A key is needed: send it as Authorization: Bearer KEY",
    )
    .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
}

/// Whether a signed link lets a request through that nothing else does.
fn has_link(request: &ServiceRequest) -> bool {
    let services = request.app_data::<web::Data<Services>>();
    services.is_some_and(|services| {
        let (method, query) = (request.method(), request.query_string());
        services.links.open(method, request.path(), query)
    })
}

/// Middleware that lets through what [`Access`] allows.
///
/// # Errors
/// Those of the handler.
pub async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let verdict = match request.app_data::<web::Data<Access>>() {
        Some(access) => access.check(request.path(), request.headers()),
        None => Err(Refusal::internal("Access is not configured")),
    };
    match verdict.or_else(|refusal| match has_link(&request) {
        true => Ok(()),
        false => Err(refusal),
    }) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(refusal) => {
            let response = refusal.respond_at(request.path());
            Ok(request.into_response(response).map_into_right_body())
        }
    }
}
