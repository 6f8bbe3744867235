//! What is counted where it happens, for Prometheus. Labels are words of ours, never names of rooms
//! or recordings.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;
use tapedeck_pipelines::control::{EndReason, Gap};

use crate::{Manifest, RecordingState, RoomError, SourceKind, StartError};

/// Upper bounds of how long a start takes, s.
const START_SECONDS: [f64; 9] = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0];

/// Why not everything was captured: what a capture tells. Other words count as `other`.
const GAP_REASONS: [&str; 7] = [
    "capture_restarted",
    "connection_lost",
    "packets_lost",
    "key_frame_awaited",
    "disk_slow",
    "stalled",
    "capture_lost",
];

/// Why starts make no recording.
const REFUSALS: [&str; 12] = [
    "already_recording",
    "idempotency_conflict",
    "room_unknown",
    "not_configured",
    "room_timeout",
    "room_refused",
    "room_unreachable",
    "capacity",
    "disk_full",
    "stopped",
    "timeout",
    "internal",
];

/// What became of recordings since the server began. A cheap handle: clones count together.
#[derive(Clone)]
pub struct RecordingMetrics {
    started: Family<OfSource, Counter>,
    ended: Family<End, Counter>,
    refused: Family<OfReason, Counter>,
    start_seconds: Family<OfSource, Histogram>,
    restarts: Family<OfRole, Counter>,
    gaps: Family<OfReason, Counter>,
    gap_seconds: Family<OfReason, Counter<f64, AtomicU64>>,
    /// What was counted of recordings that have not ended, by id.
    seen: Arc<Mutex<HashMap<String, Seen>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRole {
    role: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    source: String,
    state: String,
    end_reason: String,
}

/// How much of a recording is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    capture_restarts: u32,
    render_restarts: u32,
    gaps: usize,
}

impl Seen {
    fn of(manifest: &Manifest) -> Self {
        Self {
            capture_restarts: manifest.restarts.capture,
            render_restarts: manifest.restarts.render,
            gaps: manifest.gaps.len(),
        }
    }
}

impl Default for RecordingMetrics {
    /// All at 0 from the start: what appears only when it is counted cannot be told from what was
    /// never asked.
    fn default() -> Self {
        let metrics = Self {
            started: Family::default(),
            ended: Family::default(),
            refused: Family::default(),
            start_seconds: Family::new_with_constructor(|| Histogram::new(START_SECONDS)),
            restarts: Family::default(),
            gaps: Family::default(),
            gap_seconds: Family::default(),
            seen: Arc::default(),
        };
        for source in SourceKind::ALL {
            let source = source.name().to_owned();
            let of_source = OfSource {
                source: source.clone(),
            };
            drop(metrics.started.get_or_create(&of_source));
            drop(metrics.start_seconds.get_or_create(&of_source));
            let usual = End {
                source,
                state: word(&RecordingState::Complete),
                end_reason: word(&EndReason::Stopped),
            };
            drop(metrics.ended.get_or_create(&usual));
        }
        for role in ["capture", "render"] {
            let role = role.to_owned();
            drop(metrics.restarts.get_or_create(&OfRole { role }));
        }
        for reason in REFUSALS {
            let reason = reason.to_owned();
            drop(metrics.refused.get_or_create(&OfReason { reason }));
        }
        for reason in GAP_REASONS {
            let reason = OfReason {
                reason: reason.to_owned(),
            };
            drop(metrics.gaps.get_or_create(&reason));
            drop(metrics.gap_seconds.get_or_create(&reason));
        }
        metrics
    }
}

impl RecordingMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "recordings_started",
            "Recordings that were begun",
            self.started.clone(),
        );
        registry.register(
            "recordings_ended",
            "Recordings that ended, by how",
            self.ended.clone(),
        );
        registry.register(
            "starts_refused",
            "Starts that made no recording",
            self.refused.clone(),
        );
        registry.register_with_unit(
            "start",
            "From the request until capture was in the room",
            Unit::Seconds,
            self.start_seconds.clone(),
        );
        registry.register(
            "process_restarts",
            "Captures and renders that were started again",
            self.restarts.clone(),
        );
        registry.register(
            "gaps",
            "Stretches of recordings that were not captured whole",
            self.gaps.clone(),
        );
        registry.register_with_unit(
            "gaps",
            "Length of these stretches",
            Unit::Seconds,
            self.gap_seconds.clone(),
        );
    }

    /// A recording of an earlier server goes on: what that server counted is not counted again.
    pub(crate) fn goes_on(&self, manifest: &Manifest) {
        if !manifest.state.is_final() {
            self.seen().insert(manifest.id.clone(), Seen::of(manifest));
        }
    }

    /// A manifest was written.
    pub(crate) fn saved(&self, manifest: &Manifest) {
        let mut all = self.seen();
        let is_new = !all.contains_key(&manifest.id);
        if is_new && manifest.state.is_final() {
            // Its end was counted.
            return;
        }
        if is_new {
            let source = manifest.source.clone();
            self.started.get_or_create(&OfSource { source }).inc();
        }
        let now = Seen::of(manifest);
        let before = all.insert(manifest.id.clone(), now).unwrap_or_default();
        let restarts = [
            ("capture", now.capture_restarts, before.capture_restarts),
            ("render", now.render_restarts, before.render_restarts),
        ];
        for (role, now, before) in restarts {
            let role = OfRole { role: role.into() };
            let more = now.saturating_sub(before);
            self.restarts.get_or_create(&role).inc_by(more.into());
        }
        for gap in manifest.gaps.iter().skip(before.gaps) {
            self.count_gap(gap);
        }
        if manifest.state.is_final() {
            all.remove(&manifest.id);
            self.ended.get_or_create(&End::of(manifest)).inc();
        }
    }

    fn count_gap(&self, gap: &Gap) {
        let known = GAP_REASONS.iter().find(|known| **known == gap.reason);
        let reason = OfReason {
            reason: known.unwrap_or(&"other").to_string(),
        };
        self.gaps.get_or_create(&reason).inc();
        let length_ms = gap.to_ms.saturating_sub(gap.from_ms);
        let seconds = Duration::from_millis(length_ms).as_secs_f64();
        self.gap_seconds.get_or_create(&reason).inc_by(seconds);
    }

    /// How a request for a recording ended.
    pub(crate) fn answered(
        &self,
        source: SourceKind,
        took: Duration,
        answer: &Result<Manifest, StartError>,
    ) {
        match answer {
            Ok(_) => {
                let source = source.name().to_owned();
                let seconds = self.start_seconds.get_or_create(&OfSource { source });
                seconds.observe(took.as_secs_f64());
            }
            Err(error) => {
                let reason = refusal(error).to_owned();
                self.refused.get_or_create(&OfReason { reason }).inc();
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl End {
    fn of(manifest: &Manifest) -> Self {
        let end_reason = manifest.end_reason.map(|reason| word(&reason));
        Self {
            source: manifest.source.clone(),
            state: word::<RecordingState>(&manifest.state),
            end_reason: end_reason.unwrap_or_else(|| "none".into()),
        }
    }
}

/// A value of an enum as manifests write it.
fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).ok();
    let word = value.as_ref().and_then(|value| value.as_str());
    word.unwrap_or("unknown").to_owned()
}

fn refusal(error: &StartError) -> &'static str {
    match error {
        StartError::AlreadyRecording { .. } => "already_recording",
        StartError::IdempotencyConflict => "idempotency_conflict",
        StartError::Room(RoomError::Unknown(_)) => "room_unknown",
        StartError::Room(RoomError::NoLivekit | RoomError::NoAgora) => "not_configured",
        StartError::Room(RoomError::Timeout | RoomError::JoinTimeout(_)) => "room_timeout",
        StartError::Room(RoomError::Refused(_) | RoomError::JoinRefused(_)) => "room_refused",
        StartError::Room(RoomError::Unreachable(_)) => "room_unreachable",
        StartError::Capacity(_) => "capacity",
        StartError::DiskFull(_) => "disk_full",
        StartError::Stopped => "stopped",
        StartError::Timeout(_) => "timeout",
        StartError::Internal(_) => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::manifest;

    fn told(metrics: &RecordingMetrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    fn assert_tells(metrics: &RecordingMetrics, lines: &[&str]) {
        let text = told(metrics);
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "{line}\n{text}");
        }
    }

    fn later() -> Manifest {
        let mut later = Manifest {
            state: RecordingState::Active,
            ..manifest()
        };
        later.restarts.capture = 2;
        let gap = |reason: &str| Gap {
            from_ms: 1_000,
            to_ms: 2_500,
            reason: reason.into(),
        };
        later.gaps = vec![gap("connection_lost"), gap("of a later version")];
        later
    }

    #[test]
    fn a_recording_is_counted_once_however_often_it_is_written() {
        let metrics = RecordingMetrics::default();
        metrics.saved(&manifest());
        metrics.saved(&later());
        metrics.saved(&later());
        let done = Manifest {
            state: RecordingState::Complete,
            end_reason: Some(EndReason::Stopped),
            ..later()
        };
        metrics.saved(&done);
        metrics.saved(&done);
        assert_tells(
            &metrics,
            &[
                r#"recordings_started_total{source="livekit"} 1"#,
                r#"recordings_ended_total{source="livekit",state="complete",end_reason="stopped"} 1"#,
                r#"process_restarts_total{role="capture"} 2"#,
                r#"gaps_total{reason="connection_lost"} 1"#,
                r#"gaps_total{reason="other"} 1"#,
                r#"gaps_seconds_total{reason="connection_lost"} 1.5"#,
            ],
        );
    }

    #[test]
    fn what_an_earlier_server_counted_is_not_counted_again() {
        let metrics = RecordingMetrics::default();
        metrics.goes_on(&later());
        let mut more = later();
        more.restarts.capture = 3;
        metrics.saved(&more);
        assert_tells(&metrics, &[r#"process_restarts_total{role="capture"} 1"#]);
        assert_tells(
            &metrics,
            &[
                r#"recordings_started_total{source="livekit"} 0"#,
                r#"gaps_total{reason="connection_lost"} 0"#,
            ],
        );
    }

    #[test]
    fn refused_starts_are_told_by_reason_and_never_by_room() {
        let metrics = RecordingMetrics::default();
        let unknown = StartError::Room(RoomError::Unknown("a-secret-room".into()));
        metrics.answered(SourceKind::Livekit, Duration::ZERO, &Err(unknown));
        let took = Duration::from_millis(700);
        metrics.answered(SourceKind::Whip, took, &Ok(manifest()));
        assert_tells(
            &metrics,
            &[
                r#"starts_refused_total{reason="room_unknown"} 1"#,
                r#"start_seconds_bucket{le="0.5",source="whip"} 0"#,
                r#"start_seconds_bucket{le="1.0",source="whip"} 1"#,
            ],
        );
        assert!(!told(&metrics).contains("a-secret-room"));
    }
}
