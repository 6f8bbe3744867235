//! Where a request comes from, as told by the connection and by proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpMessage;
use actix_web::http::header::{FORWARDED, HOST, HeaderMap, HeaderName, ORIGIN};
use ipnet::IpNet;

use super::local_host::{is_local, is_local_origin};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The proxies whose word on a request's origin counts.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

/// No list of proxies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is neither an IP address nor a network such as 10.0.0.0/8")]
pub struct ProxiesMistake(String);

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The client's, not that of a trusted proxy; `None` only where there is no connection.
    pub address: Option<IpAddr>,
    /// Whether the connection is a trusted proxy's.
    pub by_proxy: bool,
    /// Whether the client came to the proxy over https.
    pub is_https: bool,
    /// Whether it comes from this machine, and not from a page of a stranger in its browser that
    /// made its own name point here.
    pub is_local: bool,
    /// Whether a page that this machine did not serve sends it, from wherever.
    pub is_of_foreign_page: bool,
}

impl Proxies {
    /// Reads addresses and networks that commas separate.
    ///
    /// # Errors
    /// Which is neither.
    pub fn parse(list: &str) -> Result<Self, ProxiesMistake> {
        let items = list.split(',').map(str::trim);
        let networks = items.filter(|item| !item.is_empty()).map(|item| {
            let network = item.parse::<IpNet>();
            network
                .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| ProxiesMistake(item.to_owned()))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// Whether `address` is one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who is behind a request with these headers, on a connection from `peer`.
    pub fn visitor(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Visitor {
        let peer = peer.map(|peer| peer.ip().to_canonical());
        let by_proxy = peer.is_some_and(|peer| self.trust(peer));
        let told = |name| by_proxy.then(|| last(headers, &name)).flatten();
        let chain = chain(headers);
        let host = told(FORWARDED_HOST).or_else(|| {
            // What is no text names nothing on this machine.
            let host = headers.get(HOST)?;
            Some(host.to_str().unwrap_or_default())
        });
        let comes_from_here = !headers.contains_key(FORWARDED)
            && (chain.iter()).all(|hop| hop.is_some_and(|address| address.is_loopback()));
        Visitor {
            address: match by_proxy {
                true => self.client(&chain).or(peer),
                false => peer,
            },
            by_proxy,
            is_https: told(FORWARDED_PROTO).is_some_and(|it| it.eq_ignore_ascii_case("https")),
            // HTTP/1.0 has no Host, and no browser speaks it.
            is_local: comes_from_here && host.is_none_or(is_local),
            is_of_foreign_page: headers.get(ORIGIN).is_some_and(|it| !is_local_origin(it)),
        }
    }

    /// The first address from the right that is no proxy of ours: what is left of it anybody can
    /// have written.
    fn client(&self, chain: &[Option<IpAddr>]) -> Option<IpAddr> {
        let mut client = None;
        for hop in chain.iter().rev() {
            let Some(address) = *hop else { break };
            client = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        client
    }
}

/// Who sent a request, as found out when it came.
pub fn visitor_of(request: &impl HttpMessage) -> Option<Visitor> {
    request.extensions().get::<Visitor>().copied()
}

/// The addresses of `X-Forwarded-For`; `None` for what is no address.
fn chain(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(FORWARDED_FOR);
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    texts
        .flat_map(|text| text.split(','))
        .map(address)
        .collect()
}

/// An address, with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse());
    address.ok().map(|address| address.to_canonical())
}

/// The last value of a header, which the nearest proxy wrote.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get_all(name).last()?.to_str().ok()?;
    let value = value.rsplit(',').next()?.trim();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn visitor(peer: &str, headers: &[(&'static str, &'static str)]) -> Visitor {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        Proxies::parse("127.0.0.1, 10.0.0.0/8,fd00::/8")
            .unwrap()
            .visitor(Some(format!("{peer}:4711").parse().unwrap()), &map)
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_what_they_saw() {
        const FOR: &str = "x-forwarded-for";
        for (peer, forwarded, client) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &[(FOR, "198.51.100.7")], "192.0.2.1"),
            ("10.1.2.3", &[(FOR, "198.51.100.7")], "198.51.100.7"),
            (
                "10.1.2.3",
                &[(FOR, "1.1.1.1, 198.51.100.7, 10.9.9.9")],
                "198.51.100.7",
            ),
            (
                "10.1.2.3",
                &[(FOR, "1.1.1.1"), (FOR, "198.51.100.7")],
                "198.51.100.7",
            ),
            ("10.1.2.3", &[(FOR, "198.51.100.7:1234")], "198.51.100.7"),
            ("10.1.2.3", &[(FOR, "[2001:db8::1]:1234")], "2001:db8::1"),
            ("10.1.2.3", &[(FOR, "198.51.100.7, unknown")], "10.1.2.3"),
            ("10.1.2.3", &[(FOR, "unknown, 10.9.9.9")], "10.9.9.9"),
            ("10.1.2.3", &[], "10.1.2.3"),
            (
                "[::ffff:10.1.2.3]",
                &[(FOR, "::ffff:198.51.100.7")],
                "198.51.100.7",
            ),
            ("[fd00::1]", &[(FOR, "198.51.100.7")], "198.51.100.7"),
        ] {
            let found = visitor(peer, forwarded).address.unwrap();
            assert_eq!(found.to_string(), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn https_and_host_are_the_proxys_to_tell() {
        let told = [
            ("host", "127.0.0.1:6080"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "tapedeck.example"),
        ];
        let behind = visitor("127.0.0.1", &told);
        assert!(behind.is_https && behind.by_proxy && !behind.is_local);
        let lying = visitor("192.0.2.1", &told);
        assert!(!lying.is_https && !lying.by_proxy);
    }

    #[test]
    fn what_came_through_a_proxy_is_not_from_this_machine() {
        for (headers, is_local) in [
            (&[("host", "localhost:6080")][..], true),
            (&[], true),
            (&[("host", "evil.example")], false),
            (
                &[("host", "localhost"), ("x-forwarded-for", "::1, 127.0.0.1")],
                true,
            ),
            (
                &[("host", "localhost"), ("x-forwarded-for", "198.51.100.7")],
                false,
            ),
            (
                &[
                    ("host", "localhost"),
                    ("x-forwarded-for", "127.0.0.1, 198.51.100.7"),
                ],
                false,
            ),
            (
                &[("host", "localhost"), ("x-forwarded-for", "unknown")],
                false,
            ),
            (
                &[("host", "localhost"), ("forwarded", "for=198.51.100.7")],
                false,
            ),
        ] {
            assert_eq!(
                visitor("127.0.0.1", headers).is_local,
                is_local,
                "{headers:?}"
            );
            assert_eq!(visitor("[::1]", headers).is_local, is_local, "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        let error = Proxies::parse("10.0.0.0/8, nginx").unwrap_err();
        assert!(error.to_string().starts_with("nginx is neither"));
        assert!(Proxies::parse("").unwrap().0.is_empty());
    }
}
