//! Webhooks as operators see them.

use super::Recorder;
use crate::{ReplayError, WebhookCounts, WebhookFilter, WebhookPage};

impl Recorder {
    /// Webhooks that are on their way or kept, the newest first.
    pub fn webhooks(
        &self,
        filter: &WebhookFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> WebhookPage {
        self.inner.services.outbox.page(filter, cursor, limit)
    }

    /// How many webhooks wait or were given up.
    pub fn webhook_counts(&self) -> WebhookCounts {
        self.inner.services.outbox.counts()
    }

    /// Sends a webhook once more; all that were given up if `event_id` is none. How many.
    ///
    /// # Errors
    /// There is no such event, or no receiver.
    pub async fn replay_webhooks(&self, event_id: Option<String>) -> Result<usize, ReplayError> {
        let outbox = self.inner.services.outbox.clone();
        let replayed = tokio::task::spawn_blocking(move || match event_id {
            Some(id) => outbox.replay(&id).map(|()| 1),
            None => outbox.replay_failed(),
        });
        replayed
            .await
            .unwrap_or_else(|error| Err(ReplayError::Internal(error.to_string())))
    }
}
