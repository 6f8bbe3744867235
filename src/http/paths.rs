//! Which interface a path belongs to.

use actix_web::http::Method;

/// Who is meant to call a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Load balancers, health checks, and whoever opens our pages: always open.
    Public,
    /// WHIP clients, each with a token of its own.
    Publishers,
    /// The applications that record.
    Clients,
    /// Whoever runs the server. Also paths that do not exist.
    Operators,
}

/// The audience of a path as it was sent. A client's path that is spelt with escapes counts as
/// an operator's, which is the stricter one.
pub fn audience(path: &str) -> Audience {
    match path {
        "/healthz" | "/readyz" | "/v1/info" | "/openapi.json" => Audience::Public,
        "/" | "/publish" | "/api-docs" => Audience::Public,
        "/token" | "/recordings" => Audience::Clients,
        "/api/health" | "/api/health/" => Audience::Public,
        // It is signed.
        "/livekit/webhook" => Audience::Public,
        path if path.starts_with("/recordings/") || path.starts_with("/api/") => Audience::Clients,
        path if path.starts_with("/whip/") => Audience::Publishers,
        path if path.starts_with("/web/") => Audience::Public,
        _ => Audience::Operators,
    }
}

/// What LiveKit's grant `roomRecord` is for, as at LiveKit's own egress: recordings of all rooms are
/// started, stopped and listed with it, but not fetched or deleted, and it makes no further tokens.
const ROOM_RECORD: [(Method, &str); 6] = [
    (Method::POST, "/recordings/start"),
    (Method::POST, "/recordings/stop"),
    (Method::POST, "/recordings/pause"),
    (Method::POST, "/recordings/resume"),
    (Method::GET, "/recordings"),
    (Method::GET, "/recordings/"),
];

/// Whether a token with `roomRecord` is for this.
pub fn is_room_record(method: &Method, path: &str) -> bool {
    ROOM_RECORD
        .iter()
        .any(|(allowed, of)| allowed == method && *of == path)
}
