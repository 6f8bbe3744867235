//! Whether a Host or Origin header names this machine's loopback.
//!
//! Without a key the server trusts everybody who can reach it, which is this machine only. A web
//! page of a stranger could reach it too, by giving its own host name our address (DNS rebinding);
//! the Host header, which the page cannot choose, gives it away. One that asks under our name is given
//! away by the Origin header, which browsers add to all requests that change something or whose
//! answers a page of another origin wants to read.

use std::net::IpAddr;

use actix_web::http::header::HeaderValue;

/// Whether `host` (with or without port) is `localhost`, a name below it, or a loopback address.
pub fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// Whether an Origin header names a page that this machine served.
pub fn is_local_origin(origin: &HeaderValue) -> bool {
    let host = (origin.to_str().ok()).and_then(|origin| origin.split_once("://"));
    host.is_some_and(|(scheme, host)| ["http", "https"].contains(&scheme) && is_local(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_loopback_names_are_local() {
        for (origin, expected) in [
            ("http://localhost:5080", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:6080", true),
            ("null", false),
            ("", false),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("chrome-extension://localhost", false),
        ] {
            let origin = HeaderValue::from_static(origin);
            assert_eq!(is_local_origin(&origin), expected, "{origin:?}");
        }
    }

    #[test]
    fn only_loopback_names_are_local() {
        for host in [
            "localhost",
            "localhost:6080",
            "LOCALHOST.",
            "127.0.0.1:6080",
            "127.9.9.9",
            "[::1]:6080",
            "[::1]",
            "app.localhost",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:6080",
            "10.0.0.1",
            "[fe80::1]",
            "0.0.0.0:6080",
            "notlocalhost",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
