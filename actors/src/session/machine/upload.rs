//! The way of the finished files into the store.

use tapedeck_pipelines::control::{EndReason, Gap, OutputFile, Pause};
use tapedeck_storage::{RecordingMetadata, Stored};

use super::{Action, Machine};
use crate::uploader::FileToStore;
use crate::{Manifest, RecordingState, UploadTrouble, naming};

impl Machine {
    pub(super) fn uploaded(&mut self, stored: Vec<Stored>, now: i64) -> Vec<Action> {
        if self.manifest.state != RecordingState::Uploading {
            return Vec::new();
        }
        let (state, error) = match self.manifest.end_reason {
            Some(EndReason::MaxDuration) => (RecordingState::LimitReached, None),
            Some(EndReason::CaptureLost) => (RecordingState::Failed, Some(self.given_up())),
            _ => (RecordingState::Complete, None),
        };
        self.manifest.stored = stored;
        self.manifest.upload = None;
        self.end(state, error, now);
        self.manifest.completed_at = Some(now);
        let mut actions = vec![self.save()];
        actions.extend(self.dismiss_children());
        actions
    }

    pub(super) fn upload_trouble(&mut self, trouble: UploadTrouble) -> Vec<Action> {
        let known = self.manifest.upload.as_ref();
        if self.manifest.state != RecordingState::Uploading || known == Some(&trouble) {
            return Vec::new();
        }
        self.manifest.error = Some(match trouble.blocked {
            true => format!("the upload is blocked: {}", trouble.error),
            false => format!("{}; it is tried again", trouble.error),
        });
        let is_first = self.manifest.upload.replace(trouble).is_none();
        let mut actions = vec![self.save()];
        // A store may be away for days: nobody waits in the room for so long.
        if is_first {
            actions.extend(self.dismiss_capture());
        }
        actions
    }

    /// Somebody deletes the recording before it is delivered.
    pub(super) fn upload_cancelled(&mut self, now: i64) -> Vec<Action> {
        if self.manifest.state != RecordingState::Uploading {
            return Vec::new();
        }
        self.manifest.upload = None;
        let reason = "it was deleted before it was delivered";
        self.end(RecordingState::Aborted, Some(reason.into()), now);
        let mut actions = vec![self.save()];
        actions.extend(self.dismiss_children());
        actions
    }

    pub(super) fn name_taken(&mut self) -> Vec<Action> {
        if self.manifest.state != RecordingState::Uploading {
            return Vec::new();
        }
        self.manifest.name = naming::next_name(&self.manifest.name);
        // The store answers.
        self.manifest.upload = None;
        let mut actions = vec![self.save()];
        actions.extend(self.upload());
        actions
    }

    pub(super) fn upload(&self) -> Vec<Action> {
        let manifest = &self.manifest;
        if manifest.file.is_none() {
            return Vec::new();
        }
        let files = manifest.files().map(|(name, file)| FileToStore {
            path: file.path.clone(),
            metadata: metadata(manifest, name, file),
        });
        vec![Action::Upload(files.collect())]
    }
}

impl Manifest {
    /// What a store, or a list, is told of the recording's main file; none until it is rendered.
    pub fn description(&self) -> Option<RecordingMetadata> {
        let file = self.file.as_ref()?;
        Some(metadata(self, self.name.clone(), file))
    }
}

fn metadata(manifest: &Manifest, name: String, file: &OutputFile) -> RecordingMetadata {
    let mut further = manifest.names();
    further.retain(|known| *known != manifest.name);
    let is_main = name == manifest.name;
    let whole = manifest.rendered_ms().filter(|_| is_main);
    RecordingMetadata {
        id: manifest.id.clone(),
        name,
        room_name: manifest.room_name.clone(),
        room_id: manifest.room_id.clone(),
        started_at: manifest.started_at.unwrap_or(manifest.created_at),
        duration: seconds(whole.unwrap_or(file.duration_ms)),
        size: file.size_bytes,
        sha256: Some(file.sha256.clone()),
        metadata: manifest.metadata.clone(),
        end_reason: manifest.end_reason.and_then(word),
        gaps: manifest.gaps.iter().map(gap).collect(),
        pauses: manifest.pauses.iter().map(pause).collect(),
        files: if is_main { further } else { Vec::new() },
        part_of: (!is_main).then(|| manifest.name.clone()),
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
