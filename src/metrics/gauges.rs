//! What is looked at when it is asked for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tapedeck_actors::{LiveSession, ProcessUsage, RecordingState, SourceKind, UploadState};

use super::Snapshot;

const LIVE_STATES: [RecordingState; 6] = [
    RecordingState::Starting,
    RecordingState::Active,
    RecordingState::Paused,
    RecordingState::Interrupted,
    RecordingState::Ending,
    RecordingState::Uploading,
];

const UPLOAD_STATES: [(UploadState, &str); 4] = [
    (UploadState::Queued, "queued"),
    (UploadState::Uploading, "uploading"),
    (UploadState::Waiting, "waiting"),
    (UploadState::Blocked, "blocked"),
];

const ROLES: [&str; 4] = ["capture", "render", "rooms", "server"];

type Seconds = Counter<f64, AtomicU64>;

/// Their values are those of the last look.
#[derive(Default)]
pub struct Gauges {
    recordings: Family<OfRecordings, Gauge>,
    max_recordings: Gauge,
    render_lag: Gauge<f64, AtomicU64>,
    packets_lost: Counter,
    cpu: Family<OfRole, Seconds>,
    resident: Family<OfRole, Gauge>,
    processes: Family<OfRole, Gauge>,
    uploads: Family<OfState, Gauge>,
    upload_bytes: Gauge,
    webhooks_pending: Gauge,
    webhooks_failed: Gauge,
    webhooks_delivered: Counter,
    webhook_tries_failed: Counter,
    disk_free: Gauge,
    disk_needed: Gauge,
    last: Mutex<Last>,
}

/// What growing numbers were at the last look: of processes by pid, of recordings by id. `None` before
/// the first one: what recordings used under an earlier server is no growth of this one's counters.
#[derive(Default)]
struct Last {
    cpu: Option<HashMap<u32, f64>>,
    lost: Option<HashMap<String, u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRecordings {
    source: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRole {
    role: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: String,
}

fn of_role(role: &str) -> OfRole {
    OfRole { role: role.into() }
}

impl Gauges {
    pub fn register(registry: &mut Registry, max_recordings: usize) -> Self {
        let gauges = Self::default();
        gauges.max_recordings.set(integer(max_recordings as u64));
        registry.register(
            "build",
            "The server's version",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register(
            "recordings",
            "Recordings that have not ended",
            gauges.recordings.clone(),
        );
        registry.register(
            "recordings_max",
            "How many there may be, 0 for as many as the machine can take",
            gauges.max_recordings.clone(),
        );
        registry.register_with_unit(
            "render_lag",
            "How far the render that is furthest behind is behind what was captured",
            Unit::Seconds,
            gauges.render_lag.clone(),
        );
        registry.register(
            "packets_lost",
            "Packets of publishers that never arrived",
            gauges.packets_lost.clone(),
        );
        registry.register_with_unit(
            "process_cpu",
            "CPU time that processes used",
            Unit::Seconds,
            gauges.cpu.clone(),
        );
        registry.register_with_unit(
            "process_resident",
            "Memory of processes, their resident set",
            Unit::Bytes,
            gauges.resident.clone(),
        );
        registry.register("processes", "Processes that run", gauges.processes.clone());
        registry.register(
            "uploads",
            "Recordings on their way into their stores",
            gauges.uploads.clone(),
        );
        registry.register_with_unit(
            "uploads_pending",
            "What the stores do not have yet of them",
            Unit::Bytes,
            gauges.upload_bytes.clone(),
        );
        registry.register(
            "webhooks_pending",
            "Webhooks on their way to a receiver",
            gauges.webhooks_pending.clone(),
        );
        registry.register(
            "webhooks_failed",
            "Webhooks that were given up and can be replayed",
            gauges.webhooks_failed.clone(),
        );
        registry.register(
            "webhooks_delivered",
            "Webhooks that arrived",
            gauges.webhooks_delivered.clone(),
        );
        registry.register(
            "webhook_failures",
            "Tries to deliver a webhook that failed",
            gauges.webhook_tries_failed.clone(),
        );
        registry.register_with_unit(
            "disk_free",
            "Free space on the disk of the data folder",
            Unit::Bytes,
            gauges.disk_free.clone(),
        );
        registry.register_with_unit(
            "disk_needed",
            "With less free space no recording is begun",
            Unit::Bytes,
            gauges.disk_needed.clone(),
        );
        gauges
    }

    pub fn update(&self, snapshot: &Snapshot) {
        self.update_recordings(&snapshot.live);
        let of_recordings = snapshot.live.iter().flat_map(|live| &live.processes);
        let processes: Vec<_> = of_recordings.chain(&snapshot.processes).collect();
        self.update_processes(&processes);
        for (state, name) in UPLOAD_STATES {
            let state_of = |upload: &&tapedeck_actors::UploadStatus| upload.state == state;
            let count = snapshot.uploads.iter().filter(state_of).count();
            let label = OfState { state: name.into() };
            self.uploads
                .get_or_create(&label)
                .set(integer(count as u64));
        }
        let left = |upload: &tapedeck_actors::UploadStatus| {
            upload.total_bytes.saturating_sub(upload.sent_bytes)
        };
        let left = snapshot.uploads.iter().map(left).sum();
        self.upload_bytes.set(integer(left));

        let webhooks = snapshot.webhooks;
        self.webhooks_pending.set(integer(webhooks.pending));
        self.webhooks_failed.set(integer(webhooks.failed));
        let totals = [
            (&self.webhooks_delivered, webhooks.delivered_total),
            (&self.webhook_tries_failed, webhooks.failed_tries_total),
        ];
        for (counter, total) in totals {
            counter.inner().store(total, Ordering::Relaxed);
        }
        if let Some(space) = snapshot.space {
            self.disk_free.set(integer(space.free_bytes));
            self.disk_needed.set(integer(space.needed_bytes));
        }
    }

    fn update_recordings(&self, live: &[LiveSession]) {
        for source in SourceKind::ALL {
            for state in LIVE_STATES {
                let is_such = |session: &&LiveSession| {
                    session.manifest.source == source.name() && session.manifest.state == state
                };
                let count = live.iter().filter(is_such).count();
                let label = OfRecordings {
                    source: source.name().into(),
                    state: state.to_string(),
                };
                self.recordings
                    .get_or_create(&label)
                    .set(integer(count as u64));
            }
        }
        let lag_ms = live.iter().filter_map(LiveSession::lag_ms).max();
        self.render_lag.set(lag_ms.unwrap_or(0) as f64 / 1_000.0);

        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.lost.clone().unwrap_or_default();
        let lost = live.iter().filter_map(|session| {
            let id = &session.manifest.id;
            let told = session.capture.as_ref().map(|capture| {
                let tracks = capture.participants.iter().flat_map(|it| &it.tracks);
                tracks.map(|track| track.packets_lost).sum()
            });
            // A capture that just does not answer has not begun anew.
            let lost = told.or_else(|| before.get(id).copied())?;
            Some((id.clone(), lost))
        });
        let grown = growth(&mut last.lost, lost.collect(), u64::saturating_sub);
        let more = grown.into_iter().map(|(_, more)| more).sum();
        self.packets_lost.inc_by(more);
    }

    fn update_processes(&self, processes: &[&ProcessUsage]) {
        for role in ROLES {
            let of = || processes.iter().filter(|process| process.role == role);
            let bytes = of().map(|process| process.memory_bytes).sum();
            let label = of_role(role);
            self.resident.get_or_create(&label).set(integer(bytes));
            self.processes
                .get_or_create(&label)
                .set(integer(of().count() as u64));
            drop(self.cpu.get_or_create(&label));
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu = processes.iter().map(|it| (it.pid, it.cpu_seconds));
        let more = |now: f64, before: f64| (now - before).max(0.0);
        for (pid, more) in growth(&mut last.cpu, cpu.collect(), more) {
            let role = processes.iter().find(|process| process.pid == pid);
            if let Some(role) = role.map(|process| process.role) {
                self.cpu.get_or_create(&of_role(role)).inc_by(more);
            }
        }
    }
}

/// By how much each number grew since the last look; one that is new grew from nothing, but for the
/// first look.
fn growth<K: Eq + Hash + Clone, V: Copy + Default>(
    last: &mut Option<HashMap<K, V>>,
    now: HashMap<K, V>,
    more: impl Fn(V, V) -> V,
) -> Vec<(K, V)> {
    let Some(before) = last.replace(now.clone()) else {
        return Vec::new();
    };
    let grown = now.into_iter().map(|(key, value)| {
        let before = before.get(&key).copied().unwrap_or_default();
        (key, more(value, before))
    });
    grown.collect()
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
