//! Which interface a path belongs to.

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
        "/healthz" | "/readyz" | "/v1/info" | "/" | "/publish" => Audience::Public,
        "/token" | "/recordings" => Audience::Clients,
        "/api/health" | "/api/health/" => Audience::Public,
        path if path.starts_with("/recordings/") || path.starts_with("/api/") => Audience::Clients,
        path if path.starts_with("/whip/") => Audience::Publishers,
        path if path.starts_with("/web/") => Audience::Public,
        _ => Audience::Operators,
    }
}
