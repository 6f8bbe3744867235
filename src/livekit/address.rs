use std::str::FromStr;

use reqwest::Url;

/// The address of a media server, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Whether it is spoken to over TLS.
    secure: bool,
    /// Everything behind `://`.
    rest: String,
}

/// Why a text is not the address of a media server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("is not an address: write it as http://host:7880 or wss://host")]
    NotAnAddress,
    #[error("must begin with http://, https://, ws:// or wss://")]
    Scheme,
    #[error(
        "must not hold a user name or password: keys go into livekit.api_key and livekit.api_secret"
    )]
    Credentials,
    #[error("must end with host, port or path: no ? and no #")]
    Query,
}

impl ServerAddress {
    /// For its HTTP interface.
    pub fn http(&self) -> String {
        format!(
            "{}://{}",
            if self.secure { "https" } else { "http" },
            self.rest
        )
    }

    /// For its signalling.
    pub fn websocket(&self) -> String {
        format!("{}://{}", if self.secure { "wss" } else { "ws" }, self.rest)
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (scheme, _) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(AddressError::Scheme),
        };
        let url = Url::parse(text).map_err(|_| AddressError::NotAnAddress)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Query);
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(AddressError::NotAnAddress)?;
        let port = url
            .port()
            .map_or_else(String::new, |port| format!(":{port}"));
        Ok(Self {
            secure,
            rest: format!("{host}{port}{}", url.path().trim_end_matches('/')),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_serves_both_purposes() {
        let cases = [
            (
                "http://localhost:7880",
                "http://localhost:7880",
                "ws://localhost:7880",
            ),
            (
                "ws://localhost:7880/",
                "http://localhost:7880",
                "ws://localhost:7880",
            ),
            (
                "https://rooms.example",
                "https://rooms.example",
                "wss://rooms.example",
            ),
            (
                "wss://rooms.example/livekit/",
                "https://rooms.example/livekit",
                "wss://rooms.example/livekit",
            ),
            ("HTTP://[::1]:7880", "http://[::1]:7880", "ws://[::1]:7880"),
        ];
        for (text, http, websocket) in cases {
            let address: ServerAddress = text.parse().unwrap();
            assert_eq!(
                (address.http().as_str(), address.websocket().as_str()),
                (http, websocket)
            );
        }
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        let cases = [
            ("localhost:7880", AddressError::Scheme),
            ("ftp://localhost", AddressError::Scheme),
            ("http://", AddressError::NotAnAddress),
            ("http://key:secret@localhost", AddressError::Credentials),
            ("http://localhost?x=1", AddressError::Query),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<ServerAddress>(), Err(error), "{text}");
        }
    }
}
