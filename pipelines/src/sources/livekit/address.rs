//! Where a media server is.

use std::io;
use std::net::IpAddr;

/// The host and port that a `ws`, `wss`, `http` or `https` address names.
fn host_and_port(url: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => 80,
        "wss" | "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
    (!host.is_empty()).then_some((host, port))
}

/// Looks up a server's address.
///
/// # Errors
/// The URL names no host, or the name is not known.
pub async fn resolve(url: &str) -> io::Result<IpAddr> {
    let (host, port) = host_and_port(url)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the address names no host"))?;
    let first = tokio::net::lookup_host((host, port)).await?.next();
    first
        .map(|address| address.ip())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_host_and_port() {
        for (url, expected) in [
            ("ws://localhost:7880", Some(("localhost", 7880))),
            ("wss://rooms.example.org", Some(("rooms.example.org", 443))),
            ("http://10.0.0.1/livekit?x=1", Some(("10.0.0.1", 80))),
            ("wss://user:secret@host:8443/", Some(("host", 8443))),
            ("ws://[::1]:7880/rtc", Some(("::1", 7880))),
            ("ws://[fe80::1]", Some(("fe80::1", 80))),
            ("ftp://host", None),
            ("localhost:7880", None),
            ("ws://:7880", None),
            ("ws://host:port", None),
        ] {
            assert_eq!(host_and_port(url), expected, "{url}");
        }
    }
}
