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
