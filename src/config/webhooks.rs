//! Addresses of receivers, which are written as a text.

use reqwest::Url;

/// The most receivers.
const MOST_URLS: usize = 8;

/// Why webhooks cannot be sent there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhooksMistake {
    #[error("holds something that is no http or https address: separate addresses with commas")]
    NoAddress,
    #[error(
        "holds a user name or a password: leave them out, receivers know the server by its signature"
    )]
    HasPassword,
    #[error("holds an address twice")]
    Twice,
    #[error("holds more than {MOST_URLS} addresses")]
    TooMany,
}

/// `http` and `https` addresses, separated by commas.
///
/// # Errors
/// One of them is none, or there are too many.
pub fn urls(text: &str) -> Result<Vec<String>, WebhooksMistake> {
    let mut urls = Vec::new();
    let parts = text.split(',').map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        let url: Url = part.parse().map_err(|_| WebhooksMistake::NoAddress)?;
        if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
            return Err(WebhooksMistake::NoAddress);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhooksMistake::HasPassword);
        }
        if urls.contains(&url.to_string()) {
            return Err(WebhooksMistake::Twice);
        }
        urls.push(url.to_string());
    }
    match urls.len() > MOST_URLS {
        true => Err(WebhooksMistake::TooMany),
        false => Ok(urls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert_eq!(urls(" , "), Ok(Vec::new()));
        let read = urls("http://localhost:6080/livekit/webhook, https://b.example/?a=1").unwrap();
        assert_eq!(
            read,
            [
                "http://localhost:6080/livekit/webhook",
                "https://b.example/?a=1"
            ]
        );
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused() {
        for text in [
            "receiver",
            "ftp://a/b",
            "localhost:6080",
            "http://",
            "unix:/a",
        ] {
            assert_eq!(urls(text), Err(WebhooksMistake::NoAddress), "{text}");
        }
        let refused = urls("https://user:pass@a.example/");
        assert_eq!(refused, Err(WebhooksMistake::HasPassword));
        assert_eq!(urls("http://a/,http://a"), Err(WebhooksMistake::Twice));
        let many: Vec<String> = (0..9).map(|number| format!("http://a/{number}")).collect();
        assert_eq!(urls(&many.join(",")), Err(WebhooksMistake::TooMany));
    }
}
