//! Whether a Host header names this machine's loopback.
//!
//! Without a key the server trusts everybody who can reach it, which is this machine only. A web
//! page of a stranger could reach it too, by giving its own host name our address (DNS rebinding);
//! the Host header, which the page cannot choose, gives it away.

use std::net::IpAddr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
