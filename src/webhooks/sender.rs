use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use tapedeck_actors::WebhookSender;

use super::sign;
use crate::livekit::{Credentials, root_cause};

/// Posts webhooks, signed as LiveKit signs them.
pub struct SignedPosts {
    credentials: Credentials,
    client: reqwest::Client,
}

impl SignedPosts {
    /// `timeout` is for a whole request.
    ///
    /// # Errors
    /// No HTTP client can be made, which is the case without usable root certificates.
    pub fn new(credentials: Credentials, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            // Whoever is configured is told, and nobody else.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            credentials,
            client,
        })
    }
}

#[async_trait]
impl WebhookSender for SignedPosts {
    async fn send(&self, url: &str, body: &str) -> Result<(), String> {
        let token = sign(&self.credentials, body.as_bytes()).map_err(|error| error.to_string())?;
        let sent = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/webhook+json")
            .header(AUTHORIZATION, token)
            .body(body.to_owned())
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().is_redirection() => Err(format!(
                "it answers {}: redirects are not followed",
                answer.status()
            )),
            Ok(answer) => Err(format!("it answers {}", answer.status())),
            Err(error) if error.is_timeout() => Err("it does not answer in time".into()),
            // The address, which reqwest's own words hold, may have a secret behind its `?`.
            Err(error) => Err(format!(
                "no connection: {}",
                root_cause(&error.without_url())
            )),
        }
    }
}
