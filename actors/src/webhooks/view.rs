//! The outbox as operators see it.

use schemars::JsonSchema;
use serde::Serialize;

use super::ledger::{Delivery, DeliveryState, Event, Ledger};
use super::outbox::{Outbox, without_query};
use crate::clock::now_ms;

/// Which events to list; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookFilter {
    /// One of its deliveries is in this state.
    pub state: Option<DeliveryState>,
    pub recording_id: Option<String>,
}

/// Events, the newest first.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookPage {
    pub events: Vec<WebhookEventStatus>,
    /// Give it back to get the next page.
    pub next_cursor: Option<String>,
}

/// An event and where it stands. Times are Unix ms.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEventStatus {
    /// `EV_…`
    pub id: String,
    /// `egress_started`, `egress_updated` or `egress_ended`.
    pub event: &'static str,
    /// `EGRESS_…`
    pub status: String,
    pub recording_id: String,
    pub room_name: String,
    pub created_at_ms: i64,
    /// One per receiver.
    pub deliveries: Vec<WebhookDelivery>,
}

/// An event on its way to a receiver. Times are Unix ms.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// Without what is behind `?`, which may be a secret.
    pub url: String,
    pub state: DeliveryState,
    /// Tries that failed.
    pub attempts: u32,
    pub last_error: Option<String>,
    pub last_try_ms: Option<i64>,
    pub next_try_ms: Option<i64>,
    pub delivered_at_ms: Option<i64>,
}

/// Events on their way, given up, and what came of them since the server began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookCounts {
    /// Deliveries on their way.
    pub pending: u64,
    /// Deliveries that were given up and are kept.
    pub failed: u64,
    /// Since the server began.
    pub delivered_total: u64,
    /// Tries since the server began.
    pub failed_tries_total: u64,
}

/// Why an event is not sent again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("no such event is kept")]
    NotFound,
    #[error("no receiver is configured: set webhooks.urls")]
    NoReceiver,
    #[error("{0}")]
    Internal(String),
}

impl Outbox {
    /// Up to `limit` events behind `cursor`, the newest first. A cursor that was not given out begins
    /// at the front.
    pub fn page(&self, filter: &WebhookFilter, cursor: Option<&str>, limit: usize) -> WebhookPage {
        let behind = cursor.and_then(|cursor| {
            let (at, id) = cursor.split_once('-')?;
            Some((at.parse::<i64>().ok()?, id.to_owned()))
        });
        let table = self.table();
        let ledgers = table.slots.values().map(|slot| &slot.ledger);
        let events = ledgers.flat_map(|ledger| ledger.events.iter().map(move |it| (ledger, it)));
        let mut found: Vec<(&Ledger, &Event)> = events
            .filter(|(ledger, event)| filter.takes(ledger, event))
            .filter(|(_, event)| behind.as_ref().is_none_or(|at| place(event) < *at))
            .collect();
        found.sort_by_cached_key(|(_, event)| std::cmp::Reverse(place(event)));
        let has_more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| has_more);
        WebhookPage {
            next_cursor: last.map(|(_, event)| format!("{}-{}", event.created_at_ms, event.id)),
            events: found
                .iter()
                .map(|(ledger, event)| status(ledger, event))
                .collect(),
        }
    }

    /// Sends an event to all receivers once more.
    ///
    /// # Errors
    /// There is no such event, or no receiver.
    pub fn replay(&self, event_id: &str) -> Result<(), ReplayError> {
        self.needs_receiver()?;
        let urls = &self.settings().urls;
        let replayed = self.change(|ledger| usize::from(ledger.replay(event_id, urls, now_ms())));
        match replayed {
            0 => Err(ReplayError::NotFound),
            _ => Ok(()),
        }
    }

    /// Sends all that was given up once more; how many events.
    ///
    /// # Errors
    /// There is no receiver.
    pub fn replay_failed(&self) -> Result<usize, ReplayError> {
        self.needs_receiver()?;
        let urls = &self.settings().urls;
        Ok(self.change(|ledger| ledger.replay_failed(urls, now_ms())))
    }

    pub fn counts(&self) -> WebhookCounts {
        let table = self.table();
        let events = table.slots.values().flat_map(|slot| &slot.ledger.events);
        let (delivered_total, failed_tries_total) = self.totals();
        let mut counts = WebhookCounts {
            delivered_total,
            failed_tries_total,
            ..WebhookCounts::default()
        };
        for delivery in events.flat_map(|event| &event.deliveries) {
            match delivery.state {
                DeliveryState::Pending => counts.pending += 1,
                DeliveryState::Failed => counts.failed += 1,
                DeliveryState::Delivered => {}
            }
        }
        counts
    }

    fn needs_receiver(&self) -> Result<(), ReplayError> {
        match self.settings().is_on() {
            true => Ok(()),
            false => Err(ReplayError::NoReceiver),
        }
    }
}

impl WebhookFilter {
    fn takes(&self, ledger: &Ledger, event: &Event) -> bool {
        let is_in = |state| event.deliveries.iter().any(|it| it.state == state);
        self.state.is_none_or(is_in)
            && self
                .recording_id
                .as_ref()
                .is_none_or(|id| *id == ledger.recording_id)
    }
}

fn place(event: &Event) -> (i64, String) {
    (event.created_at_ms, event.id.clone())
}

fn status(ledger: &Ledger, event: &Event) -> WebhookEventStatus {
    WebhookEventStatus {
        id: event.id.clone(),
        event: event.milestone.event(),
        status: event.status.clone(),
        recording_id: ledger.recording_id.clone(),
        room_name: ledger.room_name.clone(),
        created_at_ms: event.created_at_ms,
        deliveries: event.deliveries.iter().map(delivery).collect(),
    }
}

fn delivery(delivery: &Delivery) -> WebhookDelivery {
    WebhookDelivery {
        url: without_query(&delivery.url).to_owned(),
        state: delivery.state,
        attempts: delivery.attempts,
        last_error: delivery.last_error.clone(),
        last_try_ms: delivery.last_try_ms,
        next_try_ms: delivery.next_try_ms,
        delivered_at_ms: delivery.delivered_at_ms,
    }
}
