//! What is to be told, in memory and on the disk.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::WebhookSettings;
use super::files::LedgerFiles;
use super::ledger::{Ledger, milliseconds};
use crate::clock::now_ms;
use crate::{Manifest, RecordingState};

/// Recordings of which something is kept. Beyond that the oldest go, those first of which all is told.
const MOST_RECORDINGS: usize = 10_000;

/// What waits for a receiver that answers again is tried at once, unless that was done so lately, ms:
/// one that refuses a single event is not asked about it all the time.
const WAKE_AFTER_MS: i64 = 30_000;

/// The events of all recordings. Files are written by whoever changes something, on threads that may
/// wait for the disk.
pub struct Outbox {
    settings: WebhookSettings,
    files: LedgerFiles,
    pub(super) table: Mutex<Table>,
    changed: Notify,
    delivered: AtomicU64,
    failed_tries: AtomicU64,
}

#[derive(Default)]
pub(super) struct Table {
    pub slots: BTreeMap<String, Slot>,
    /// Receivers that did not take what they were sent last.
    failing: HashSet<String>,
}

pub(super) struct Slot {
    pub ledger: Ledger,
    /// Events that are on the disk, and so is what they tell: only these are sent.
    released: usize,
    /// Whether the disk did not take the file.
    is_dirty: bool,
    /// Held while the file is written.
    file: Arc<Mutex<()>>,
}

/// An event that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub recording_id: String,
    pub event_id: String,
    pub url: String,
    pub body: String,
    created_at_ms: i64,
}

impl Slot {
    fn new(ledger: Ledger, released: usize) -> Self {
        Self {
            ledger,
            released,
            is_dirty: false,
            file: Arc::default(),
        }
    }
}

impl Outbox {
    /// Reads what is in `folder`, and adds what `manifests`, which are all there are, tell and a
    /// server that was killed could not write down: a recording that has not ended owes all that its
    /// file lacks. One that has ended and has no file owes nothing, as it was told and swept, or
    /// made when nobody was to be told.
    pub fn open(folder: &Path, settings: WebhookSettings, manifests: &[Manifest]) -> Arc<Self> {
        let outbox = Self {
            settings,
            files: LedgerFiles::new(folder),
            table: Mutex::default(),
            changed: Notify::new(),
            delivered: AtomicU64::new(0),
            failed_tries: AtomicU64::new(0),
        };
        if outbox.settings.is_on() {
            match outbox.files.read_all() {
                Ok(ledgers) => outbox.go_on(ledgers, manifests),
                Err(error) => log::error!(
                    "what webhooks were to tell cannot be read from {}: {error}",
                    folder.display()
                ),
            }
        }
        Arc::new(outbox)
    }

    fn go_on(&self, ledgers: Vec<Ledger>, manifests: &[Manifest]) {
        let now = now_ms();
        let known: HashSet<&str> = manifests.iter().map(|it| it.id.as_str()).collect();
        for mut ledger in ledgers {
            let id = ledger.recording_id.clone();
            let was_sent = ledger
                .events
                .iter()
                .flat_map(|event| &event.deliveries)
                .any(|delivery| delivery.last_try_ms.is_some());
            if !known.contains(id.as_str()) && !ledger.is_complete() && !was_sent {
                // A server was killed before the first manifest was there: nothing was begun.
                self.files.remove(&id);
                continue;
            }
            let dropped = ledger.drop_others(&self.settings.urls, now);
            let released = ledger.events.len();
            let mut slot = Slot::new(ledger, released);
            slot.is_dirty = dropped;
            self.table().slots.insert(id, slot);
        }
        for manifest in manifests {
            let has_slot = self.table().slots.contains_key(&manifest.id);
            if has_slot || !manifest.state.is_final() {
                self.tell(manifest);
            }
        }
        self.write_dirty();
        self.sweep(now);
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn settings(&self) -> &WebhookSettings {
        &self.settings
    }

    /// Writes the first event of a recording whose first manifest is about to be written: so every
    /// recording that somebody is to be told of has a file, whatever dies from then on. It is not
    /// sent before [`Self::tell`].
    ///
    /// # Errors
    /// The disk refuses; nothing is left.
    pub fn begin(&self, manifest: &Manifest) -> io::Result<()> {
        let is_first = manifest.state == RecordingState::Starting;
        if !self.settings.is_on() || !is_first {
            return Ok(());
        }
        {
            let mut table = self.table();
            if table.slots.contains_key(&manifest.id) {
                return Ok(());
            }
            let mut ledger = Ledger::new(manifest);
            ledger.take_in(manifest, &self.settings.urls, now_ms());
            table
                .slots
                .insert(manifest.id.clone(), Slot::new(ledger, 0));
        }
        self.write(&manifest.id)
            .map(drop)
            .inspect_err(|_| self.call_off(&manifest.id))
    }

    /// Forgets a recording whose first manifest could not be written.
    pub fn call_off(&self, id: &str) {
        let removed = {
            let mut table = self.table();
            let is_unbegun = table.slots.get(id).is_some_and(|slot| slot.released == 0);
            is_unbegun.then(|| table.slots.remove(id)).flatten()
        };
        if removed.is_some() {
            self.files.remove(id);
        }
    }

    /// Takes note of a manifest that is on the disk. What it tells is sent when the disk has that,
    /// too; one that refuses is asked again, and the next server would find what is missing.
    pub fn tell(&self, manifest: &Manifest) {
        if !self.settings.is_on() {
            return;
        }
        let id = &manifest.id;
        let is_written = {
            let mut table = self.table();
            let slot = table
                .slots
                .entry(id.clone())
                .or_insert_with(|| Slot::new(Ledger::new(manifest), 0));
            let has_news = slot.ledger.take_in(manifest, &self.settings.urls, now_ms());
            if !has_news && slot.released == slot.ledger.events.len() {
                return;
            }
            !has_news && !slot.is_dirty
        };
        if is_written {
            let mut table = self.table();
            if let Some(slot) = table.slots.get_mut(id) {
                slot.released = slot.ledger.events.len();
            }
        } else {
            self.write_and_release(id);
        }
        self.changed.notify_one();
    }

    fn write_and_release(&self, id: &str) {
        let written = self.write(id);
        let mut table = self.table();
        let Some(slot) = table.slots.get_mut(id) else {
            return;
        };
        slot.is_dirty = written.is_err();
        match written {
            Ok(events) => slot.released = slot.released.max(events),
            Err(error) => log::error!("{id}: its webhooks cannot be written: {error}"),
        }
    }

    /// Writes the file of a recording as it stands; the number of its events.
    fn write(&self, id: &str) -> io::Result<usize> {
        let file = match self.table().slots.get(id) {
            Some(slot) => slot.file.clone(),
            None => return Ok(0),
        };
        let _alone = file.lock().unwrap_or_else(PoisonError::into_inner);
        let (json, events) = match self.table().slots.get(id) {
            Some(slot) => (serde_json::to_vec(&slot.ledger)?, slot.ledger.events.len()),
            None => return Ok(0),
        };
        self.files.write(id, &json)?;
        Ok(events)
    }

    /// Writes what the disk refused before.
    pub fn write_dirty(&self) {
        let dirty: Vec<String> = {
            let table = self.table();
            let dirty = table.slots.iter().filter(|(_, slot)| slot.is_dirty);
            dirty.map(|(id, _)| id.clone()).collect()
        };
        for id in &dirty {
            self.write_and_release(id);
        }
        if !dirty.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Waits until there may be something to send.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What is to be sent now, the oldest first, and when there is more, Unix ms. `busy` are
    /// recordings and addresses under way; at most `at_once` of an address.
    pub fn due(
        &self,
        now: i64,
        busy: &HashSet<(String, String)>,
        at_once: usize,
    ) -> (Vec<Job>, Option<i64>) {
        let (mut jobs, mut next) = (Vec::new(), None::<i64>);
        let table = self.table();
        for (id, slot) in &table.slots {
            for (event, delivery) in slot.ledger.heads(&self.settings.urls, slot.released) {
                let at = delivery.next_try_ms.unwrap_or(now);
                if busy.contains(&(id.clone(), delivery.url.clone())) {
                    continue;
                }
                if at > now {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    continue;
                }
                jobs.push(Job {
                    recording_id: id.clone(),
                    event_id: event.id.clone(),
                    url: delivery.url.clone(),
                    body: event.body.clone(),
                    created_at_ms: event.created_at_ms,
                });
            }
        }
        jobs.sort_by_key(|job| job.created_at_ms);
        let mut room: BTreeMap<&str, usize> = BTreeMap::new();
        for url in &self.settings.urls {
            let under_way = busy.iter().filter(|(_, to)| to == url).count();
            room.insert(url, at_once.saturating_sub(under_way));
        }
        jobs.retain(|job| match room.get_mut(job.url.as_str()) {
            Some(room) if *room > 0 => {
                *room -= 1;
                true
            }
            _ => false,
        });
        (jobs, next)
    }

    /// Takes note of how sending ended, and writes it.
    pub fn settle(&self, job: &Job, result: Result<(), String>, now: i64) {
        {
            let mut table = self.table();
            let Table { slots, failing } = &mut *table;
            let Some(slot) = slots.get_mut(&job.recording_id) else {
                return;
            };
            let (id, place) = (&job.recording_id, without_query(&job.url));
            match result {
                Ok(()) => {
                    self.delivered.fetch_add(1, Ordering::Relaxed);
                    slot.ledger.delivered(&job.event_id, &job.url, now);
                    if failing.remove(&job.url) {
                        log::info!("webhooks arrive at {place} again");
                        for slot in slots.values_mut() {
                            slot.ledger.wake(&job.url, now - WAKE_AFTER_MS);
                        }
                    }
                }
                Err(error) => {
                    self.failed_tries.fetch_add(1, Ordering::Relaxed);
                    if failing.insert(job.url.clone()) {
                        log::warn!(
                            "webhooks do not arrive at {place}: {error}; they are tried again"
                        );
                    }
                    let (event, settings) = (&job.event_id, &self.settings);
                    let jitter = rand::random();
                    let ledger = &mut slot.ledger;
                    if ledger.failed(event, &job.url, error, settings, now, jitter) {
                        log::error!(
                            "{id}: its webhook {event} is given up: it did not arrive at {place} in time"
                        );
                    }
                }
            }
        }
        if let Err(error) = self.write(&job.recording_id) {
            // What was delivered would be sent again by the next server.
            log::warn!(
                "{}: it cannot be written which webhooks arrived: {error}",
                job.recording_id
            );
        }
    }

    /// Removes what is told and was kept for long enough, and what is too much.
    pub fn sweep(&self, now: i64) {
        let keep = milliseconds(self.settings.keep);
        let mut gone = Vec::new();
        {
            let mut table = self.table();
            table.slots.retain(|id, slot| {
                let settled_at = slot.ledger.settled_at();
                let stays = settled_at.is_none_or(|at| now - at < keep);
                if !stays {
                    gone.push(id.clone());
                }
                stays
            });
            while table.slots.len() > MOST_RECORDINGS {
                let age = |slot: &Slot| {
                    let first = slot.ledger.events.first();
                    let is_settled = slot.ledger.settled_at().is_some();
                    (!is_settled, first.map_or(0, |event| event.created_at_ms))
                };
                let oldest = table.slots.iter().min_by_key(|(_, slot)| age(slot));
                let Some(id) = oldest.map(|(id, _)| id.clone()) else {
                    break;
                };
                if let Some(slot) = table.slots.remove(&id)
                    && !slot.ledger.is_settled()
                {
                    log::error!(
                        "{id}: its webhooks are given up: those of {MOST_RECORDINGS} recordings wait"
                    );
                }
                gone.push(id);
            }
        }
        for id in gone {
            self.files.remove(&id);
        }
    }

    /// Changes ledgers and writes those that changed; the sum of what `change` tells.
    pub(super) fn change(&self, change: impl Fn(&mut Ledger) -> usize) -> usize {
        let mut sum = 0;
        let changed: Vec<String> = {
            let mut table = self.table();
            let mut changed = Vec::new();
            for (id, slot) in &mut table.slots {
                let count = change(&mut slot.ledger);
                if count > 0 {
                    sum += count;
                    changed.push(id.clone());
                }
            }
            changed
        };
        for id in &changed {
            self.write_and_release(id);
        }
        self.changed.notify_one();
        sum
    }

    /// Events that arrived and tries that failed since the server began.
    pub(super) fn totals(&self) -> (u64, u64) {
        (
            self.delivered.load(Ordering::Relaxed),
            self.failed_tries.load(Ordering::Relaxed),
        )
    }
}

/// An address as others may see it: what is behind `?` may be a secret.
pub fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
