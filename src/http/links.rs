//! Links to single recordings that work without a key until they expire.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::Method;
use actix_web::web;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde::Deserialize;
use tapedeck_pipelines::job::Secret;

/// What links are signed with, HMAC with SHA-256.
#[derive(Clone)]
pub struct SignedLinks {
    signing: EncodingKey,
    checking: DecodingKey,
}

#[derive(Deserialize)]
struct Query {
    /// Unix s.
    expires: u64,
    signature: String,
}

impl SignedLinks {
    pub fn new(key: &Secret) -> Self {
        let key = key.reveal().as_bytes();
        Self {
            signing: EncodingKey::from_secret(key),
            checking: DecodingKey::from_secret(key),
        }
    }

    /// Path and query by which the recording `name` can be fetched for so many seconds.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn link(&self, name: &str, valid_s: u64) -> Result<String, jsonwebtoken::errors::Error> {
        let (path, expires) = (path_of(name), now_s().saturating_add(valid_s));
        let message = message(&path, expires);
        let signature = crypto::sign(message.as_bytes(), &self.signing, Algorithm::HS256)?;
        Ok(format!("{path}?expires={expires}&signature={signature}"))
    }

    /// Whether a request is one that a link made, which has not expired. The path is taken as it was
    /// sent: another spelling is another path.
    pub fn open(&self, method: &Method, path: &str, query: &str) -> bool {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return false;
        }
        let Ok(query) = web::Query::<Query>::from_query(query) else {
            return false;
        };
        let message = message(path, query.expires);
        // It compares in constant time.
        let verified = crypto::verify(
            &query.signature,
            message.as_bytes(),
            &self.checking,
            Algorithm::HS256,
        );
        verified.unwrap_or(false) && now_s() < query.expires
    }
}

/// The path of a recording, escaped.
pub fn path_of(name: &str) -> String {
    let mut path = "/recordings/".to_owned();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                path.push(char::from(byte));
            }
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

fn message(path: &str, expires: u64) -> String {
    format!("GET\n{expires}\n{path}")
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> SignedLinks {
        SignedLinks::new(&Secret::new("a key that nobody knows"))
    }

    fn opens(links: &SignedLinks, link: &str) -> bool {
        let (path, query) = link.split_once('?').unwrap();
        links.open(&Method::GET, path, query)
    }

    #[test]
    fn a_link_opens_its_recording_only_and_for_its_time() {
        let link = links().link("회의 a+b.mp4", 60).unwrap();
        assert!(link.starts_with("/recordings/%ED%9A%8C%EC%9D%98%20a%2Bb.mp4?expires="));
        assert!(opens(&links(), &link));
        let other = link.replace("a%2Bb", "a%2Bc");
        assert!(!opens(&links(), &other));
        let expires = link.split(['=', '&']).nth(1).unwrap();
        let later = (expires.parse::<u64>().unwrap() + 1).to_string();
        assert!(!opens(&links(), &link.replace(expires, &later)));
        assert!(!opens(&links(), &links().link("a.mp4", 0).unwrap()));
        let others = SignedLinks::new(&Secret::new("another key"));
        assert!(!opens(&others, &link));
        let (path, query) = link.split_once('?').unwrap();
        assert!(!links().open(&Method::DELETE, path, query));
        for query in [
            "",
            "expires=99999999999",
            "expires=99999999999&signature=",
            "expires=x&signature=x",
        ] {
            assert!(!links().open(&Method::GET, path, query), "{query}");
        }
    }
}
