//! Who may call what.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::livekit::{Credentials, GrantError};

use super::keys::{Keys, Role, bearer};
use super::local_host::is_local_origin;
use super::paths::{Audience, audience, is_room_record};
use super::refusal::Refusal;
use super::services::Services;
use super::visitor::{Visitor, visitor_of};

/// Who may call the paths of each audience.
#[derive(Clone, Debug)]
pub struct Access {
    pub clients: ClientPaths,
    pub operators: OperatorPaths,
    pub keys: Keys,
}

/// Who may call the clients' paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPaths {
    /// Everybody, as configured.
    Open,
    /// Everybody on this machine, since nothing is configured.
    OpenLocally,
    /// Holders of a key, and of a token with `roomRecord`.
    Key,
}

/// Who may call the operators' paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorPaths {
    /// Everybody on this machine, since nothing is configured.
    OpenLocally,
    /// Holders of a key.
    Key,
    /// Nobody but readers: there is no operator key.
    Closed,
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    audience: Audience,
}

impl Asked<'_> {
    fn reads(self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }

    /// Whether a key for `role` opens it.
    fn is_open_to(self, role: Role) -> bool {
        match (role, self.audience) {
            (Role::Operator, _) => true,
            (Role::Controller, audience) => audience == Audience::Clients,
            (Role::Reader, _) => self.reads(),
        }
    }
}

impl Access {
    /// What scripts of pages of `origin` are told that may call the clients' paths; `None` where
    /// they may not.
    pub fn allowed_origin(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self.clients {
            ClientPaths::Open => Some(HeaderValue::from_static("*")),
            ClientPaths::OpenLocally => origin.filter(|origin| is_local_origin(origin)).cloned(),
            ClientPaths::Key => None,
        }
    }

    /// What the key in these headers opens; `None` also when there is none.
    pub fn role(&self, headers: &HeaderMap) -> Option<Role> {
        self.keys.role_of(bearer(headers)?)
    }

    /// Whether these headers carry an operator key.
    pub fn is_operator(&self, headers: &HeaderMap) -> bool {
        self.role(headers) == Some(Role::Operator)
    }

    /// Whether `visitor`, with these headers, may read the operators' paths.
    pub fn lets_read(&self, visitor: Option<Visitor>, headers: &HeaderMap) -> bool {
        match (self.role(headers), self.operators) {
            (Some(Role::Operator | Role::Reader), _) => true,
            (_, OperatorPaths::OpenLocally) => check_local(visitor).is_ok(),
            _ => false,
        }
    }

    /// # Errors
    /// Why a request is refused. Tokens must be signed with `credentials`.
    fn check(&self, request: &ServiceRequest, credentials: &Credentials) -> Result<(), Refusal> {
        let (path, headers) = (request.path(), request.headers());
        let audience = audience(path);
        let asked = Asked {
            method: request.method(),
            path,
            audience,
        };
        match (audience, self.clients, self.operators) {
            // WHIP's handlers look at the token themselves.
            (Audience::Public | Audience::Publishers, _, _)
            | (Audience::Clients, ClientPaths::Open, _) => return Ok(()),
            _ => {}
        }
        let role = self.role(headers);
        if role.is_some_and(|role| asked.is_open_to(role)) {
            return Ok(());
        }
        match (audience, self.clients, self.operators) {
            (Audience::Clients, ClientPaths::OpenLocally, _)
            | (Audience::Operators, _, OperatorPaths::OpenLocally) => {
                check_local(visitor_of(request))
            }
            (Audience::Operators, _, OperatorPaths::Closed)
                if !(asked.reads() && self.keys.has(Role::Reader)) =>
            {
                Err(no_operator_key())
            }
            _ if role.is_some() => Err(insufficient_key()),
            (Audience::Clients, _, _) => check_token(asked, headers, credentials),
            _ => Err(unauthorized(
                "A key is needed: send it as Authorization: Bearer KEY",
            )),
        }
    }
}

/// Lets through what LiveKit's `roomRecord` is for.
fn check_token(
    asked: Asked,
    headers: &HeaderMap,
    credentials: &Credentials,
) -> Result<(), Refusal> {
    match bearer(headers).map(|token| credentials.may_record(token)) {
        Some(Ok(())) if is_room_record(asked.method, asked.path) => Ok(()),
        Some(Ok(()) | Err(GrantError::Lacks(_))) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "insufficient_token",
            "The token does not allow this: with roomRecord it starts, stops, pauses, resumes and lists recordings",
        )),
        Some(Err(GrantError::Expired)) => Err(unauthorized("The token has expired")),
        Some(Err(_)) => Err(unauthorized("Neither a key nor a token of this server")),
        None => Err(unauthorized(
            "A key or a token with roomRecord is needed: send it as Authorization: Bearer …",
        )),
    }
}

fn unauthorized(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn insufficient_key() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "insufficient_key",
        "This key does not open this: auth.read_key reads, auth.client_key records, auth.operator_key does everything",
    )
}

fn no_operator_key() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "no_operator_key",
        "This path needs an operator key, and none is configured: set auth.operator_key (TAPEDECK_AUTH_OPERATOR_KEY)",
    )
}

fn check_local(visitor: Option<Visitor>) -> Result<(), Refusal> {
    match visitor {
        Some(visitor) if visitor.is_local && visitor.is_of_foreign_page => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "foreign_page",
            "Without a key this server answers only to web pages of localhost: set auth.operator_key (TAPEDECK_AUTH_OPERATOR_KEY) or auth.clients = \"open\"",
        )),
        Some(visitor) if visitor.is_local => Ok(()),
        _ => Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign_host",
            "Without a key this server answers only to localhost: set auth.operator_key (TAPEDECK_AUTH_OPERATOR_KEY) or auth.clients = \"open\"",
        )),
    }
}

/// Whether a signed link lets a request through that nothing else does.
fn has_link(services: &Services, request: &ServiceRequest) -> bool {
    let (method, query) = (request.method(), request.query_string());
    services.links.open(method, request.path(), query)
}

/// Middleware that lets through what [`Access`] allows.
///
/// # Errors
/// Those of the handler.
pub async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let access = request.app_data::<web::Data<Access>>();
    let services = request.app_data::<web::Data<Services>>();
    let verdict = match (access, services) {
        (Some(access), Some(services)) => access
            .check(&request, &services.credentials.own)
            .or_else(|refusal| match has_link(services, &request) {
                true => Ok(()),
                false => Err(refusal),
            }),
        _ => Err(Refusal::internal("Access is not configured")),
    };
    match verdict {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(refusal) => {
            let response = refusal.respond_at(request.path());
            Ok(request.into_response(response).map_into_right_body())
        }
    }
}
