use async_trait::async_trait;

use super::super::WebhookSender;
use super::*;
use crate::fixtures::manifest;

const URL: &str = "http://receiver/hook";

struct Nobody;

#[async_trait]
impl WebhookSender for Nobody {
    async fn send(&self, _: &str, _: &str) -> Result<(), String> {
        Err("nobody is there".into())
    }
}

fn settings() -> WebhookSettings {
    WebhookSettings {
        urls: vec![URL.into()],
        sender: Some(Arc::new(Nobody)),
        ..WebhookSettings::default()
    }
}

fn of(state: RecordingState) -> Manifest {
    Manifest {
        state,
        started_at: Some(2_000),
        ..manifest()
    }
}

fn statuses(outbox: &Outbox) -> Vec<String> {
    let table = outbox.table();
    let events = table.slots.values().flat_map(|slot| &slot.ledger.events);
    events.map(|event| event.status.clone()).collect()
}

fn due(outbox: &Outbox) -> Vec<Job> {
    outbox.due(now_ms(), &HashSet::new(), 4).0
}

#[test]
fn nothing_is_sent_before_the_recording_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), settings(), &[]);
    outbox.begin(&manifest()).unwrap();
    assert!(outbox.files.path(&manifest().id).exists());
    assert_eq!(due(&outbox), []);
    outbox.tell(&manifest());
    assert_eq!(due(&outbox).len(), 1);
    // Killed in between: nothing was begun, so there is nothing to tell.
    let other = tempfile::tempdir().unwrap();
    let killed = Outbox::open(other.path(), settings(), &[]);
    killed.begin(&manifest()).unwrap();
    let next = Outbox::open(other.path(), settings(), &[]);
    assert_eq!(due(&next), []);
    assert!(!next.files.path(&manifest().id).exists());
}

#[test]
fn a_start_that_could_not_be_written_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), settings(), &[]);
    outbox.begin(&manifest()).unwrap();
    outbox.call_off(&manifest().id);
    assert!(!outbox.files.path(&manifest().id).exists());
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert!(outbox.begin(&manifest()).is_err());
    assert_eq!(statuses(&outbox), [""; 0]);
}

#[test]
fn what_a_killed_server_did_not_write_down_follows_from_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), settings(), &[]);
    outbox.begin(&manifest()).unwrap();
    outbox.tell(&manifest());
    drop(outbox);
    // The manifests of both further steps were written, their events were not.
    let done = Manifest {
        stop_requested_at: Some(9_000),
        ended_at: Some(9_000),
        ..of(RecordingState::Complete)
    };
    let next = Outbox::open(folder.path(), settings(), std::slice::from_ref(&done));
    let all = [
        "EGRESS_STARTING",
        "EGRESS_ACTIVE",
        "EGRESS_ENDING",
        "EGRESS_COMPLETE",
    ];
    assert_eq!(statuses(&next), all);
    drop(next);
    let third = Outbox::open(folder.path(), settings(), &[done]);
    assert_eq!(statuses(&third), all);
}

#[test]
fn old_recordings_are_not_told_when_webhooks_are_switched_on() {
    let folder = tempfile::tempdir().unwrap();
    let live = Manifest {
        id: "EG_live".into(),
        ..of(RecordingState::Active)
    };
    let known = [of(RecordingState::Complete), live];
    let outbox = Outbox::open(folder.path(), settings(), &known);
    assert_eq!(statuses(&outbox), ["EGRESS_STARTING", "EGRESS_ACTIVE"]);
}

#[test]
fn without_receivers_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webhooks");
    let outbox = Outbox::open(&path, WebhookSettings::default(), &[manifest()]);
    outbox.begin(&manifest()).unwrap();
    outbox.tell(&manifest());
    assert!(!path.exists());
}

#[test]
fn tries_and_arrivals_survive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let live = [of(RecordingState::Active)];
    let outbox = Outbox::open(folder.path(), settings(), &live);
    let first = due(&outbox).remove(0);
    outbox.settle(&first, Err("away".into()), now_ms());
    assert_eq!(due(&outbox), []);
    let next = Outbox::open(folder.path(), settings(), &live);
    assert_eq!(due(&next), [], "the pause goes on");
    let now = now_ms() + 10_000;
    assert_eq!(
        next.due(now, &HashSet::new(), 4).0,
        std::slice::from_ref(&first)
    );
    next.settle(&first, Ok(()), now);
    let third = Outbox::open(folder.path(), settings(), &live);
    let second = due(&third).remove(0);
    assert_ne!(second.event_id, first.event_id);
}

#[test]
fn what_is_told_is_swept_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), settings(), &[]);
    let failed = Manifest {
        state: RecordingState::Failed,
        ..manifest()
    };
    outbox.begin(&manifest()).unwrap();
    outbox.tell(&failed);
    let week = milliseconds(outbox.settings.keep);
    outbox.sweep(now_ms() + 2 * week);
    assert_eq!(statuses(&outbox).len(), 2, "it is not told yet");
    for _ in 0..2 {
        let job = due(&outbox).remove(0);
        outbox.settle(&job, Ok(()), now_ms());
    }
    outbox.sweep(now_ms());
    assert!(outbox.files.path(&failed.id).exists());
    outbox.sweep(now_ms() + week);
    assert!(!outbox.files.path(&failed.id).exists());
    let next = Outbox::open(folder.path(), settings(), &[failed]);
    assert_eq!(statuses(&next), [""; 0], "it is not told again");
}

#[test]
fn a_receiver_gets_so_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let known: Vec<Manifest> = (0..9)
        .map(|number| Manifest {
            id: format!("EG_{number}"),
            ..of(RecordingState::Active)
        })
        .collect();
    let outbox = Outbox::open(folder.path(), settings(), &known);
    assert_eq!(due(&outbox).len(), 4);
    let busy = HashSet::from([("EG_0".to_owned(), URL.to_owned())]);
    let (jobs, _) = outbox.due(now_ms(), &busy, 4);
    assert_eq!(jobs.len(), 3);
    assert!(jobs.iter().all(|job| job.recording_id != "EG_0"));
}
