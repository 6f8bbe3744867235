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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::RecordingState;
    use crate::fixtures::manifest;

    const A: &str = "http://a/hook";
    const B: &str = "http://b/hook";

    fn urls() -> Vec<String> {
        [A, B].map(str::to_owned).to_vec()
    }

    fn active() -> Manifest {
        Manifest {
            state: RecordingState::Active,
            started_at: Some(2_000),
            ..manifest()
        }
    }

    fn settings() -> WebhookSettings {
        WebhookSettings {
            urls: urls(),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_millis(400),
            give_up_after: Duration::from_millis(2_000),
            ..WebhookSettings::default()
        }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(&manifest());
        assert!(ledger.take_in(&manifest(), &urls(), 0));
        assert!(ledger.take_in(&active(), &urls(), 10));
        assert!(!ledger.take_in(&active(), &urls(), 20));
        ledger
    }

    fn heads(ledger: &Ledger) -> Vec<(Milestone, String)> {
        let urls = urls();
        let heads = ledger.heads(&urls, 9);
        heads
            .map(|(event, delivery)| (event.milestone, delivery.url.clone()))
            .collect()
    }

    #[test]
    fn each_receiver_is_told_in_order_and_waits_for_no_other() {
        let mut ledger = ledger();
        let first = ledger.events[0].id.clone();
        let both = |a, b| vec![(a, A.to_owned()), (b, B.to_owned())];
        assert_eq!(
            heads(&ledger),
            both(Milestone::Starting, Milestone::Starting)
        );
        ledger.delivered(&first, A, 30);
        assert_eq!(heads(&ledger), both(Milestone::Active, Milestone::Starting));
    }

    #[test]
    fn what_is_not_on_the_disk_yet_is_not_sent() {
        let mut ledger = ledger();
        let first = ledger.events[0].id.clone();
        ledger.delivered(&first, A, 30);
        let urls = urls();
        let sent: Vec<_> = ledger.heads(&urls, 1).map(|(_, to)| &to.url).collect();
        assert_eq!(sent, [B]);
    }

    #[test]
    fn pauses_grow_to_a_ceiling_and_then_it_is_given_up_and_the_next_one_follows() {
        let (mut ledger, settings) = (ledger(), settings());
        let first = ledger.events[0].id.clone();
        let mut now = 0;
        let mut pauses = Vec::new();
        loop {
            if ledger.failed(&first, A, "away".into(), &settings, now, 0.0) {
                break;
            }
            let next = ledger.events[0].deliveries[0].next_try_ms.unwrap();
            pauses.push(next - now);
            now = next;
        }
        assert_eq!(pauses[..4], [100, 200, 400, 400]);
        assert!((2_000..2_400).contains(&now), "{now}");
        let failed = &ledger.events[0].deliveries[0];
        assert_eq!(
            (failed.state, failed.last_error.as_deref()),
            (DeliveryState::Failed, Some("away"))
        );
        assert_eq!(heads(&ledger)[0], (Milestone::Active, A.to_owned()));
    }

    #[test]
    fn a_replay_sends_the_same_event_again_before_later_ones() {
        let mut ledger = ledger();
        let ids: Vec<_> = ledger.events.iter().map(|event| event.id.clone()).collect();
        let body = ledger.events[0].body.clone();
        ledger.delivered(&ids[0], A, 30);
        assert!(ledger.replay(&ids[0], &urls(), 40));
        assert!(!ledger.replay("EV_other", &urls(), 40));
        assert_eq!(heads(&ledger)[0], (Milestone::Starting, A.to_owned()));
        assert_eq!(
            (&ledger.events[0].id, &ledger.events[0].body),
            (&ids[0], &body)
        );
    }

    #[test]
    fn what_was_given_up_is_replayed_and_gets_its_whole_time_again() {
        let (mut ledger, settings) = (ledger(), settings());
        let first = ledger.events[0].id.clone();
        assert!(ledger.failed(&first, A, "away".into(), &settings, 5_000, 0.0));
        assert_eq!(ledger.replay_failed(&urls(), 6_000), 1);
        assert_eq!(ledger.replay_failed(&urls(), 6_000), 0);
        assert!(!ledger.failed(&first, A, "away".into(), &settings, 6_100, 0.0));
    }

    #[test]
    fn a_receiver_that_is_not_configured_any_more_is_not_waited_for() {
        let mut ledger = ledger();
        assert!(ledger.drop_others(&urls()[..1], 50));
        assert!(!ledger.drop_others(&urls()[..1], 50));
        let urls = urls();
        assert!(ledger.heads(&urls, 9).all(|(_, to)| to.url == A));
        assert!(!ledger.is_settled());
    }

    #[test]
    fn it_is_kept_until_all_is_told() {
        let mut ledger = ledger();
        let done = Manifest {
            state: RecordingState::Failed,
            ..active()
        };
        assert_eq!(ledger.settled_at(), None);
        ledger.take_in(&done, &urls(), 60);
        let ids: Vec<_> = ledger.events.iter().map(|event| event.id.clone()).collect();
        for (number, id) in ids.iter().enumerate() {
            ledger.delivered(id, A, 70);
            assert_eq!(ledger.settled_at(), None);
            ledger.delivered(id, B, 80 + i64::try_from(number).unwrap());
        }
        assert_eq!(ledger.settled_at(), Some(82));
    }
}
