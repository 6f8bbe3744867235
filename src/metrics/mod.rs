//! What Prometheus is told. Counters live where things happen; the rest is looked at when it is
//! asked for.

mod gauges;
mod requests;

use std::time::Duration;

use actix_rt::time::timeout;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tapedeck_actors::{DiskSpace, LiveSession, ProcessUsage, UploadStatus, WebhookCounts};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::Recordings;
use gauges::Gauges;
pub use requests::RequestMetrics;

/// What all names begin with.
const PREFIX: &str = "tapedeck";

/// How long a look may take. What is not known by then is told as it was at the last look.
const LOOK: Duration = Duration::from_secs(1);

/// Several who ask at once are told the same, s.
pub(crate) const FRESH: Duration = Duration::from_millis(500);

/// All metrics of the server.
pub struct Metrics {
    registry: Registry,
    pub requests: RequestMetrics,
    gauges: Gauges,
    looked_at: Mutex<Option<Instant>>,
}

/// What is looked at.
#[derive(Default)]
struct Snapshot {
    live: Vec<LiveSession>,
    /// Those that belong to no recording.
    processes: Vec<ProcessUsage>,
    uploads: Vec<UploadStatus>,
    webhooks: WebhookCounts,
    space: Option<DiskSpace>,
}

impl Metrics {
    /// Those of `recordings`, and the server's own.
    pub fn new(recordings: &dyn Recordings, max_recordings: usize) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        recordings.metrics().register(&mut registry);
        let requests = RequestMetrics::register(&mut registry);
        let gauges = Gauges::register(&mut registry, max_recordings);
        Self {
            registry,
            requests,
            gauges,
            looked_at: Mutex::default(),
        }
    }

    /// All of them as OpenMetrics text.
    ///
    /// # Errors
    /// A value has no textual form.
    pub async fn text(&self, recordings: &dyn Recordings) -> Result<String, std::fmt::Error> {
        // One at a time: what is counted between two looks is counted once.
        let mut looked_at = self.looked_at.lock().await;
        if looked_at.is_none_or(|at| at.elapsed() >= FRESH) {
            match timeout(LOOK, look(recordings)).await {
                Ok(Ok(snapshot)) => self.gauges.update(&snapshot),
                Ok(Err(reason)) => log::warn!("metrics are those of the last look: {reason}"),
                Err(_) => log::warn!(
                    "metrics are those of the last look: the actors do not answer in {} s",
                    LOOK.as_secs()
                ),
            }
            *looked_at = Some(Instant::now());
        }
        let mut told = String::new();
        text::encode(&mut told, &self.registry)?;
        Ok(told)
    }
}

async fn look(recordings: &dyn Recordings) -> Result<Snapshot, String> {
    let live = recordings.live().await?;
    let rooms = recordings.rooms_process().await;
    let server = recordings.server_process().await;
    Ok(Snapshot {
        live,
        processes: rooms.into_iter().chain(server).collect(),
        uploads: recordings.uploads(None, usize::MAX).uploads,
        webhooks: recordings.webhook_counts(),
        space: recordings.space().await.ok(),
    })
}
