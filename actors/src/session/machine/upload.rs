//! The way of the finished file into the store.

use tapedeck_pipelines::control::{EndReason, Gap, Pause};
use tapedeck_storage::RecordingMetadata;

use super::{Action, Machine};
use crate::{RecordingState, naming};

impl Machine {
    pub(super) fn uploaded(&mut self, now: i64) -> Vec<Action> {
        if self.manifest.state != RecordingState::Uploading {
            return Vec::new();
        }
        let (state, error) = match self.manifest.end_reason {
            Some(EndReason::MaxDuration) => (RecordingState::LimitReached, None),
            Some(EndReason::CaptureLost) => (RecordingState::Failed, Some(self.given_up())),
            _ => (RecordingState::Complete, None),
        };
        self.end(state, error, now);
        self.manifest.completed_at = Some(now);
        let mut actions = vec![self.save()];
        actions.extend(self.dismiss_children());
        actions
    }

    pub(super) fn upload_trouble(&mut self, detail: String) -> Vec<Action> {
        let detail = Some(detail);
        if self.manifest.state != RecordingState::Uploading || self.manifest.error == detail {
            return Vec::new();
        }
        self.manifest.error = detail;
        vec![self.save()]
    }

    pub(super) fn name_taken(&mut self) -> Vec<Action> {
        if self.manifest.state != RecordingState::Uploading {
            return Vec::new();
        }
        self.manifest.name = naming::next_name(&self.manifest.name);
        let mut actions = vec![self.save()];
        actions.extend(self.upload());
        actions
    }

    pub(super) fn upload(&self) -> Vec<Action> {
        let manifest = &self.manifest;
        let Some(file) = &manifest.file else {
            return Vec::new();
        };
        let metadata = RecordingMetadata {
            id: manifest.id.clone(),
            name: manifest.name.clone(),
            room_name: manifest.room_name.clone(),
            room_id: manifest.room_id.clone(),
            started_at: manifest.started_at.unwrap_or(manifest.created_at),
            duration: seconds(file.duration_ms),
            size: file.size_bytes,
            sha256: Some(file.sha256.clone()),
            metadata: manifest.metadata.clone(),
            end_reason: manifest.end_reason.and_then(word),
            gaps: manifest.gaps.iter().map(gap).collect(),
            pauses: manifest.pauses.iter().map(pause).collect(),
            files: Vec::new(),
            part_of: None,
        };
        vec![Action::Upload {
            path: file.path.clone(),
            metadata: Box::new(metadata),
        }]
    }
}

fn gap(gap: &Gap) -> tapedeck_storage::Gap {
    tapedeck_storage::Gap {
        from: seconds(gap.from_ms),
        to: seconds(gap.to_ms),
        reason: gap.reason.clone(),
    }
}

fn pause(pause: &Pause) -> tapedeck_storage::Pause {
    tapedeck_storage::Pause {
        at: seconds(pause.at_ms),
        from: pause.from,
        to: pause.to,
    }
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}

/// A reason in the words of the control protocol.
fn word(reason: EndReason) -> Option<String> {
    serde_json::to_value(reason)
        .ok()?
        .as_str()
        .map(str::to_owned)
}
