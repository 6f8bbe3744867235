use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

/// The way to a receiver.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Posts a body, signed, and waits for the answer; within a time of its own.
    ///
    /// # Errors
    /// The receiver did not take it: why, in words without secrets.
    async fn send(&self, url: &str, body: &str) -> Result<(), String>;
}

/// Whom webhooks go to, and how long that is tried.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Addresses of receivers; without one nothing is written down.
    pub urls: Vec<String>,
    pub sender: Option<Arc<dyn WebhookSender>>,
    /// The pause after the first try that failed; it doubles from there.
    pub first_pause: Duration,
    /// The longest pause between two tries.
    pub longest_pause: Duration,
    /// An event that is older is given up.
    pub give_up_after: Duration,
    /// How long events are kept after the last of them was delivered or given up.
    pub keep: Duration,
}

impl WebhookSettings {
    /// Whether anybody is to be told.
    pub fn is_on(&self) -> bool {
        !self.urls.is_empty() && self.sender.is_some()
    }
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            sender: None,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
            give_up_after: Duration::from_secs(72 * 3_600),
            keep: Duration::from_secs(168 * 3_600),
        }
    }
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}
