//! What a recording says of itself, and what follows from it for each moment that was shown.

use serde::Deserialize;
use serde_json::Value;
use tapedeck_pipelines::control::{Gap, Pause};

use super::Shown;

/// What is shown so soon after the beginning may be missing, s: the first key frame is awaited.
const BEGINNING_SECONDS: f64 = 1.5;
/// What is shown so shortly before the end may be missing, s.
const END_SECONDS: f64 = 0.35;
/// What is shown so shortly before a gap or a pause may be missing, s.
const BEFORE_SECONDS: f64 = 0.25;
/// What is shown so soon after a gap or a pause may be missing, s: a key frame is awaited.
const AFTER_SECONDS: f64 = 0.5;

/// What the manifest of a finished recording says of its time.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// Recording time 0, Unix ms.
    pub started_at: f64,
    /// When its log was sealed, Unix ms.
    pub ended_at: f64,
    #[serde(default)]
    pub gaps: Vec<Gap>,
    #[serde(default)]
    pub pauses: Vec<Pause>,
}

/// When a publisher flashed and beeped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Its place in the file, s.
    pub(super) at: f64,
    pub(super) need: Need,
}

/// Whether it has to be in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Yes.
    Whole,
    /// It belongs in a gap that was told, or at its edge.
    Gap,
    /// At an edge of the recording, of a pause or of the publisher's presence: as it comes.
    Free,
}

impl Claims {
    /// Reads them from a manifest.
    ///
    /// # Panics
    /// The recording did not end after it began.
    pub fn of(manifest: &Value) -> Self {
        serde_json::from_value(manifest.clone())
            .unwrap_or_else(|error| panic!("{error}: {manifest}"))
    }

    /// How long the file has to be, s.
    pub fn file_seconds(&self) -> f64 {
        (self.ended_at - self.started_at - self.paused_until(self.ended_at)) / 1e3
    }

    /// Up to where it tells what was missing, ms of wall time after its beginning: the end of a
    /// recording may be told by a gap behind its file.
    pub fn told_until(&self) -> f64 {
        let last = self.gaps.iter().map(|gap| gap.to_ms).max().unwrap_or(0);
        last as f64 + self.paused_until(self.ended_at)
    }

    /// All gaps together, s.
    pub fn gap_seconds(&self) -> f64 {
        let length = |gap: &Gap| gap.to_ms.saturating_sub(gap.from_ms) as f64 / 1e3;
        self.gaps.iter().map(length).sum()
    }

    /// How long it was paused up to `wall` (Unix ms), ms.
    fn paused_until(&self, wall: f64) -> f64 {
        let paused = |pause: &Pause| {
            let until = pause.to.map_or(self.ended_at, |to| to as f64).min(wall);
            (until - pause.from as f64).max(0.0)
        };
        self.pauses.iter().map(paused).sum()
    }

    fn is_paused(&self, wall: f64) -> bool {
        self.pauses.iter().any(|pause| {
            let to = pause.to.map_or(self.ended_at, |to| to as f64);
            (pause.from as f64..to).contains(&wall)
        })
    }

    /// All moments of a publisher in and just beside the recording, in order.
    pub(super) fn moments(&self, shown: &Shown) -> Vec<Moment> {
        let first = (self.started_at / 1e3).floor() as i64 - 1;
        let last = (self.ended_at / 1e3).ceil() as i64 + 1;
        (first..=last)
            .map(|second| (second as f64 + shown.options.phase) * 1e3)
            .filter(|wall| self.is_near(*wall))
            .map(|wall| self.moment(wall, shown))
            .collect()
    }

    /// Whether it may be in the file: not far outside the recording nor in the middle of a pause.
    fn is_near(&self, wall: f64) -> bool {
        let edge = BEFORE_SECONDS * 1e3;
        let outside = wall < self.started_at - edge || wall > self.ended_at + edge;
        let paused = [-edge, 0.0, edge].map(|offset| self.is_paused(wall + offset));
        !outside && paused != [true; 3]
    }

    fn moment(&self, wall: f64, shown: &Shown) -> Moment {
        let at = (wall - self.started_at - self.paused_until(wall)) / 1e3;
        let before = wall - AFTER_SECONDS * 1e3;
        let after = wall + BEFORE_SECONDS * 1e3;
        let mut present = shown.present.iter();
        let present = present.any(|stretch| stretch.contains(&before) && stretch.contains(&after));
        let inside = (BEGINNING_SECONDS..=self.file_seconds() - END_SECONDS).contains(&at);
        let running = self.paused_until(before) == self.paused_until(after);
        let in_gap = self.gaps.iter().any(|gap| {
            let from = gap.from_ms as f64 / 1e3 - BEFORE_SECONDS;
            let to = gap.to_ms as f64 / 1e3 + AFTER_SECONDS;
            (from..to).contains(&at)
        });
        let need = match (present && inside && running, in_gap) {
            (false, _) => Need::Free,
            (true, true) => Need::Gap,
            (true, false) => Need::Whole,
        };
        Moment { at, need }
    }
}
