//! The requests of a WHIP client.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, LOCATION};
use reqwest::{Client, StatusCode, Url};

use super::WhipError;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The most of a refusal that is told, characters.
const TOLD: usize = 300;

/// Where to publish, and with which right.
#[derive(Clone)]
pub struct Endpoint {
    /// `http://127.0.0.1:6080/whip/ROOM`
    pub url: Url,
    /// The bearer token.
    pub token: String,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.url)
    }
}

/// A session as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub url: Url,
    /// The `ETag` header: names the ICE session.
    pub entity_tag: String,
}

/// Asks a WHIP endpoint.
pub(super) struct WhipClient {
    http: Client,
    endpoint: Endpoint,
}

impl WhipClient {
    pub(super) fn new(endpoint: Endpoint) -> Result<Self, WhipError> {
        let http = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self { http, endpoint })
    }

    /// `POST`: the session and the SDP answer.
    pub(super) async fn post(&self, offer: String) -> Result<(Resource, String), WhipError> {
        let answer = self
            .http
            .post(self.endpoint.url.clone())
            .header(CONTENT_TYPE, "application/sdp")
            .header(AUTHORIZATION, self.bearer())
            .body(offer)
            .send()
            .await?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let body = answer.text().await?;
        if status != StatusCode::CREATED {
            return Err(refused(status, &body));
        }
        let location = text(&headers, LOCATION)?;
        let url = self.endpoint.url.join(&location);
        let url = url.map_err(|error| WhipError::Answer(format!("Location: {error}")))?;
        let entity_tag = text(&headers, ETAG)?;
        Ok((Resource { url, entity_tag }, body))
    }

    /// `DELETE`
    pub(super) async fn delete(&self, resource: &Resource) -> Result<(), WhipError> {
        let answer = self
            .http
            .delete(resource.url.clone())
            .header(AUTHORIZATION, self.bearer())
            .send()
            .await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(refused(status, &answer.text().await?))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.endpoint.token)
    }
}

fn refused(status: StatusCode, body: &str) -> WhipError {
    WhipError::Refused {
        status: status.as_u16(),
        body: body.chars().take(TOLD).collect(),
    }
}

fn text(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Result<String, WhipError> {
    let value = headers.get(&name).and_then(|value| value.to_str().ok());
    value
        .map(str::to_owned)
        .ok_or_else(|| WhipError::Answer(format!("it has no {name}")))
}
