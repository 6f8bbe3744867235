//! One recording while processes are killed.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tapedeck_pipelines::layout::arrange;

use super::{Presence, manifest};
use crate::capture_log::Missing;
use crate::oracle::{Claims, Shown, Verdict, judge};
use crate::tapedeck::{Insistent, Recording, Tapedeck};

/// How far the beginning and end of a recording may be from what was asked for, ms.
const ANSWER_MS: f64 = 500.0;
/// How long capture may have been away when a recording was told to end, ms.
const REPLACED_MS: f64 = 5_000.0;
/// What a gap may leave out around the frames that are missing, s.
const GAP_EDGE_SECONDS: f64 = 1.0;

/// A recording to be made.
#[derive(Clone, Debug)]
pub struct Take {
    pub room: String,
    /// `livekit` or `whip`.
    pub source: &'static str,
    /// The size of the picture.
    pub canvas: (u32, u32),
    /// Who publishes, in the order of their tiles.
    pub publishers: Vec<Presence>,
    /// When it is paused, after its beginning, and for how long.
    pub pause: Option<(Duration, Duration)>,
}

/// A recording that was made.
pub struct Taken {
    pub recording: Recording,
    pub claims: Claims,
    take: Take,
    stopped: Range<f64>,
    told: Value,
    file: PathBuf,
    log: PathBuf,
}

impl Take {
    /// Records for a while.
    ///
    /// # Panics
    /// The recording does not start, or does not end.
    pub async fn record(&self, client: &Insistent, after: Duration, length: Duration) -> Half {
        tokio::time::sleep(after).await;
        let body = json!({
            "roomName": self.room, "source": self.source,
            "width": self.canvas.0, "height": self.canvas.1,
        });
        let recording = client.start(&body).await;
        let mut length = length;
        if let Some((after, pause)) = self.pause {
            tokio::time::sleep(after).await;
            client.pause(&self.room, self.source, true).await;
            tokio::time::sleep(pause).await;
            client.pause(&self.room, self.source, false).await;
            length = length.saturating_sub(after + pause);
        }
        tokio::time::sleep(length).await;
        let stopped = client.stop(&self.room, self.source).await;
        let told = client.end_of(&recording.id).await;
        Half {
            take: self.clone(),
            recording,
            stopped,
            told,
        }
    }
}

/// A recording that has ended, before its files are looked at.
pub struct Half {
    take: Take,
    recording: Recording,
    stopped: Range<f64>,
    told: Value,
}

impl Half {
    /// The id of the recording.
    pub fn id(&self) -> &str {
        &self.recording.id
    }

    /// Reads what is on the disk.
    ///
    /// # Errors
    /// It is not complete, or did not end as it was told to.
    pub fn on_disk(self, tapedeck: &Tapedeck) -> Result<Taken, String> {
        let id = &self.recording.id;
        let manifest = manifest(&tapedeck.work(id));
        let is = |told: &Value| told["state"] == "complete" && told["endReason"] == "stopped";
        let pauses = manifest["pauses"].as_array().map_or(0, Vec::len);
        let is_paused = pauses == usize::from(self.take.pause.is_some());
        if !is(&manifest) || !is(&self.told) || !is_paused {
            return Err(format!("{manifest}\nis told as {}", self.told));
        }
        let name = manifest["name"].as_str().unwrap_or_default();
        Ok(Taken {
            claims: Claims::of(&manifest),
            file: tapedeck.file(name),
            log: tapedeck.kept_log(id),
            take: self.take,
            recording: self.recording,
            stopped: self.stopped,
            told: manifest,
        })
    }
}

impl Taken {
    /// Judges its file, and what the manifest says of it. Blocks.
    pub fn judge(&self) -> Verdict {
        let (width, height) = self.take.canvas;
        let places = arrange(width, height, self.take.publishers.len(), 0).participants;
        let shown: Vec<Shown> = self.take.publishers.iter().map(Presence::shown).collect();
        let mut verdict = judge(&self.file, &self.claims, &shown, &places);
        verdict.faults.extend(self.untruths());
        let whose = format!("{} ({})", self.recording.id, self.take.room);
        for fault in &mut verdict.faults {
            *fault = format!("{whose}: {fault}");
        }
        verdict
    }

    /// The name of its file.
    pub fn file_name(&self) -> Option<String> {
        Some(self.file.file_name()?.to_string_lossy().into_owned())
    }

    /// What the manifest says and is not so.
    fn untruths(&self) -> Vec<String> {
        let mut untruths = Vec::new();
        let started = (self.claims.started_at - self.recording.started_at).abs();
        if started > 1.0 {
            untruths.push(format!("its beginning has moved by {started:.0} ms"));
        }
        let Range { start, end } = self.stopped;
        // Nothing more was captured when it was told to end while its capture was being replaced.
        let start = if self.claims.is_cut_short() {
            start - REPLACED_MS
        } else {
            start
        };
        if !(start - ANSWER_MS..=end + ANSWER_MS).contains(&self.claims.ended_at) {
            let late = self.claims.ended_at - end;
            untruths.push(format!("it ended {late:.0} ms after its stop was answered"));
        }
        let stored = std::fs::read(&self.file).unwrap_or_default();
        let sha256: String = Sha256::digest(&stored)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let told = &self.told["file"];
        if told["size_bytes"] != stored.len() || told["sha256"] != sha256 {
            untruths.push(format!(
                "its file has {} bytes, {sha256}: {told}",
                stored.len()
            ));
        }
        untruths
    }

    /// Breaks in its tracks that no gap tells.
    pub fn lost_frames(&self) -> usize {
        let is_told = |at: f64| {
            self.claims.gaps.iter().any(|gap| {
                let from = gap.from_ms as f64 / 1e3 - GAP_EDGE_SECONDS;
                (from..gap.to_ms as f64 / 1e3 + GAP_EDGE_SECONDS).contains(&at)
            })
        };
        let frames = Missing::of(&self.log).frames;
        frames.iter().filter(|(_, at)| !is_told(*at)).count()
    }
}
