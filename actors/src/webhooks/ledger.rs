//! What is told of one recording and what of it has arrived: pure, apart from files and clocks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WebhookSettings;
use super::event::{self, Milestone};
use crate::backoff::Backoff;
use crate::{Manifest, naming};

/// The version of a ledger's layout.
const LEDGER_VERSION: u32 = 1;

/// The events of a recording, in order. Times are Unix ms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    pub version: u32,
    pub recording_id: String,
    pub room_name: String,
    pub events: Vec<Event>,
}

/// Something that is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// `EV_` and 12 characters: the same however often it is sent.
    pub id: String,
    pub milestone: Milestone,
    /// `EGRESS_…`
    pub status: String,
    pub created_at_ms: i64,
    pub body: String,
    pub deliveries: Vec<Delivery>,
}

/// An event on its way to a receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub url: String,
    pub state: DeliveryState,
    /// Tries that failed.
    #[serde(default)]
    pub attempts: u32,
    /// Since when it is tried.
    pub since_ms: i64,
    #[serde(default)]
    pub last_error: Option<String>,
    #[serde(default)]
    pub last_try_ms: Option<i64>,
    /// Not before then; none for at once.
    #[serde(default)]
    pub next_try_ms: Option<i64>,
    #[serde(default)]
    pub delivered_at_ms: Option<i64>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Pending,
    Delivered,
    /// Given up; a replay tries again.
    Failed,
}

impl Delivery {
    fn new(url: &str, now: i64) -> Self {
        Self {
            url: url.to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            since_ms: now,
            last_error: None,
            last_try_ms: None,
            next_try_ms: None,
            delivered_at_ms: None,
        }
    }

    fn is_pending(&self) -> bool {
        self.state == DeliveryState::Pending
    }

    /// When it was delivered or given up; none while it is pending.
    fn settled_at(&self) -> Option<i64> {
        match self.state {
            DeliveryState::Pending => None,
            DeliveryState::Delivered => self.delivered_at_ms,
            DeliveryState::Failed => self.last_try_ms,
        }
        .or((!self.is_pending()).then_some(self.since_ms))
    }
}

impl Ledger {
    pub fn new(manifest: &Manifest) -> Self {
        Self {
            version: LEDGER_VERSION,
            recording_id: manifest.id.clone(),
            room_name: manifest.room_name.clone(),
            events: Vec::new(),
        }
    }

    /// The last step that is told.
    pub fn told(&self) -> Option<Milestone> {
        self.events.last().map(|event| event.milestone)
    }

    /// Whether nothing will be added.
    pub fn is_complete(&self) -> bool {
        self.told() == Some(Milestone::Ended)
    }

    /// Adds what the manifest tells and the ledger does not; whether there was anything.
    pub fn take_in(&mut self, manifest: &Manifest, urls: &[String], now: i64) -> bool {
        let owed = event::owed(manifest, self.told());
        for milestone in &owed {
            let id = naming::draw_event_id();
            let body = match event::body(manifest, *milestone, &id, now) {
                Ok(body) => body,
                Err(error) => {
                    log::error!("{}: its webhook has no body: {error}", manifest.id);
                    continue;
                }
            };
            let status = event::status(manifest, *milestone).as_str_name();
            self.events.push(Event {
                id,
                milestone: *milestone,
                status: status.to_owned(),
                created_at_ms: now,
                body,
                deliveries: urls.iter().map(|url| Delivery::new(url, now)).collect(),
            });
        }
        !owed.is_empty()
    }

    /// For each of `urls` the first of the first `written` events that has not arrived there.
    pub fn heads<'a>(
        &'a self,
        urls: &'a [String],
        written: usize,
    ) -> impl Iterator<Item = (&'a Event, &'a Delivery)> {
        let written = &self.events[..written.min(self.events.len())];
        urls.iter().filter_map(move |url| {
            let mut of_url = written.iter().filter_map(|event| {
                let delivery = event.deliveries.iter().find(|found| found.url == *url)?;
                delivery.is_pending().then_some((event, delivery))
            });
            of_url.next()
        })
    }

    fn delivery(&mut self, event_id: &str, url: &str) -> Option<&mut Delivery> {
        let event = self.events.iter_mut().find(|event| event.id == event_id)?;
        event
            .deliveries
            .iter_mut()
            .find(|found| found.url == url && found.is_pending())
    }

    /// An event was delivered.
    pub fn delivered(&mut self, event_id: &str, url: &str, now: i64) {
        if let Some(delivery) = self.delivery(event_id, url) {
            delivery.state = DeliveryState::Delivered;
            delivery.last_try_ms = Some(now);
            delivery.delivered_at_ms = Some(now);
            delivery.next_try_ms = None;
            delivery.last_error = None;
        }
    }

    /// A try failed; whether the event is given up. `jitter` is from 0 to 1.
    pub fn failed(
        &mut self,
        event_id: &str,
        url: &str,
        error: String,
        settings: &WebhookSettings,
        now: i64,
        jitter: f64,
    ) -> bool {
        let Some(delivery) = self.delivery(event_id, url) else {
            return false;
        };
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.last_try_ms = Some(now);
        delivery.last_error = Some(error);
        let pauses = Backoff {
            first: settings.first_pause,
            longest: settings.longest_pause,
        };
        let is_over = now - delivery.since_ms >= milliseconds(settings.give_up_after);
        if is_over {
            delivery.state = DeliveryState::Failed;
            delivery.next_try_ms = None;
        } else {
            let pause = pauses.pause(delivery.attempts, jitter);
            delivery.next_try_ms = Some(now + milliseconds(pause));
        }
        is_over
    }

    /// What waits for this receiver and was tried before then, Unix ms, is tried at once: it answers
    /// again.
    pub fn wake(&mut self, url: &str, tried_before: i64) {
        let deliveries = self.events.iter_mut().flat_map(|it| &mut it.deliveries);
        for delivery in deliveries.filter(|it| it.url == url && it.is_pending()) {
            if delivery.last_try_ms.is_some_and(|at| at < tried_before) {
                delivery.next_try_ms = None;
            }
        }
    }

    /// Gives up what waits for receivers that are none of `urls`; whether there was anything.
    pub fn drop_others(&mut self, urls: &[String], now: i64) -> bool {
        let mut dropped = false;
        let deliveries = self.events.iter_mut().flat_map(|it| &mut it.deliveries);
        for delivery in deliveries.filter(|it| it.is_pending() && !urls.contains(&it.url)) {
            delivery.state = DeliveryState::Failed;
            delivery.last_try_ms = Some(now);
            delivery.next_try_ms = None;
            delivery.last_error = Some("the address is not configured any more".into());
            dropped = true;
        }
        dropped
    }

    /// Sends an event to `urls` once more; whether there is such an event.
    pub fn replay(&mut self, event_id: &str, urls: &[String], now: i64) -> bool {
        let Some(event) = self.events.iter_mut().find(|event| event.id == event_id) else {
            return false;
        };
        event
            .deliveries
            .retain(|delivery| !urls.contains(&delivery.url));
        let anew = urls.iter().map(|url| Delivery::new(url, now));
        event.deliveries.extend(anew);
        true
    }

    /// Sends once more what was given up and still has a receiver among `urls`; how many events.
    pub fn replay_failed(&mut self, urls: &[String], now: i64) -> usize {
        let mut replayed = 0;
        for event in &mut self.events {
            let mut is_replayed = false;
            for delivery in &mut event.deliveries {
                if delivery.state == DeliveryState::Failed && urls.contains(&delivery.url) {
                    *delivery = Delivery::new(&delivery.url, now);
                    is_replayed = true;
                }
            }
            replayed += usize::from(is_replayed);
        }
        replayed
    }

    /// Whether nothing of it is on its way.
    pub fn is_settled(&self) -> bool {
        let mut deliveries = self.events.iter().flat_map(|event| &event.deliveries);
        !deliveries.any(Delivery::is_pending)
    }

    /// When the last of it was delivered or given up; none while something is to come.
    pub fn settled_at(&self) -> Option<i64> {
        if !self.is_complete() || !self.is_settled() {
            return None;
        }
        let deliveries = self.events.iter().flat_map(|event| &event.deliveries);
        let created = self.events.last().map(|event| event.created_at_ms);
        deliveries
            .filter_map(Delivery::settled_at)
            .max()
            .max(created)
    }
}

/// A length in ms.
pub fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
