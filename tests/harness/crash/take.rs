//! One recording while processes are killed.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tapedeck_pipelines::layout::arrange;

use super::{Presence, RoomsKills, manifest};
use crate::capture_log::{Missing, Silence};
use crate::oracle::{Claims, Shown, Verdict, judge};
use crate::tapedeck::{Insistent, Recording, Tapedeck};

/// How far the beginning and end of a recording may be from what was asked for, ms.
const ANSWER_MS: f64 = 500.0;
/// A shorter silence is told by the frames alone, s. Machines of tests are busy.
const LEAST_SILENCE: f64 = 0.75;

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
    /// Kills of the process that has its room, if it is ours.
    pub rooms_kills: Option<RoomsKills>,
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
        verdict.faults.extend(self.untold());
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
        // What was not captured because it was stopped while capture was away is told.
        let ended_at = self.claims.started_at + self.claims.told_until();
        let ended_at = self.claims.ended_at.max(ended_at);
        if !(start - ANSWER_MS..=end + ANSWER_MS).contains(&ended_at) {
            let late = ended_at - end;
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

    /// What is missing in its tracks and no gap tells; each kill of the rooms process while it was
    /// recorded that no gap tells.
    fn untold(&self) -> Vec<String> {
        let silences = Missing::of(&self.log).silences.into_iter();
        let untold = silences.filter(|silence| self.untold_seconds(silence) >= LEAST_SILENCE);
        let mut faults: Vec<String> = untold
            .map(|silence| {
                let Silence {
                    identity,
                    kind,
                    from,
                    to,
                } = silence;
                format!("{kind:?} of {identity} is missing from {from:.2} s to {to:.2} s, and no gap tells it")
            })
            .collect();
        let kills = self.take.rooms_kills.iter().flat_map(RoomsKills::times);
        let untold = kills.filter(|wall| !self.tells_kill(*wall));
        faults.extend(untold.map(|wall| {
            let at = (wall - self.claims.started_at) / 1e3;
            format!(
                "the rooms process was killed {at:.2} s after its beginning, and no gap tells it"
            )
        }));
        if !faults.is_empty() {
            faults.push(format!(
                "told: {:?}, {:?}",
                self.claims.gaps, self.claims.pauses
            ));
        }
        faults
    }

    /// How much of a silence no gap tells, s.
    fn untold_seconds(&self, silence: &Silence) -> f64 {
        let mut untold = silence.to - silence.from;
        let mut from = silence.from;
        for gap in &self.claims.gaps {
            let start = (gap.from_ms as f64 / 1e3).clamp(from, silence.to);
            let end = (gap.to_ms as f64 / 1e3).clamp(start, silence.to);
            untold -= end - start;
            from = end;
        }
        untold
    }

    /// Whether a kill of the rooms process at that time, Unix ms, cost nothing of the recording or
    /// is told.
    fn tells_kill(&self, wall: f64) -> bool {
        let is_recorded = self.claims.started_at..self.claims.ended_at - LEAST_SILENCE * 1e3;
        let at_ms = wall - self.claims.started_at;
        let mut gaps = self.claims.gaps.iter();
        !is_recorded.contains(&wall)
            || gaps.any(|gap| {
                let edge = LEAST_SILENCE * 1e3;
                (gap.from_ms as f64 - edge..gap.to_ms as f64 + edge).contains(&at_ms)
            })
    }
}
