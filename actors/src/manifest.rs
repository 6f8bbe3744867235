//! `manifest.json`: the truth about one recording, in its work folder.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tapedeck_pipelines::control::{EndReason, Gap, OutputFile, Pause, Role, Warning};
use tapedeck_pipelines::job::OutputSettings;
use tapedeck_storage::Stored;

use crate::{UploadTrouble, naming};

/// The version of the manifest's layout.
pub const MANIFEST_VERSION: u32 = 1;

/// One recording, as it is written to disk at each change of state. Holds no secret. Times are
/// Unix ms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub version: u32,
    /// `EG_` and 12 characters.
    pub id: String,
    /// File name of the output, with its extension.
    pub name: String,
    /// [`SourceKind::name`](crate::SourceKind::name) of where the room lives.
    pub source: String,
    pub room_name: String,
    pub room_id: String,
    /// At most one live recording has the same key.
    #[serde(default)]
    pub exclusivity_key: Option<String>,
    #[serde(default)]
    pub idempotency_key: Option<String>,
    pub state: RecordingState,
    /// When it was asked for.
    pub created_at: i64,
    /// When recording time began.
    #[serde(default)]
    pub started_at: Option<i64>,
    /// When it was asked to end, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_requested_at: Option<i64>,
    /// Whether it ended because its server was told to finish what runs; nobody wanted this one to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped_by_server: bool,
    /// When the log was sealed, or last written if it never was.
    #[serde(default)]
    pub ended_at: Option<i64>,
    /// When the file was delivered.
    #[serde(default)]
    pub completed_at: Option<i64>,
    #[serde(default)]
    pub end_reason: Option<EndReason>,
    /// Why it failed, or what an operator should know.
    #[serde(default)]
    pub error: Option<String>,
    pub output: OutputSettings,
    pub max_duration_ms: u64,
    /// What the client gave at start.
    #[serde(default)]
    pub metadata: Option<serde_json::Value>,
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Processes that were started again.
    #[serde(default)]
    pub restarts: Restarts,
    /// Where not everything was captured.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// Whether it was asked to pause (`true`) or to go on and has not done so yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_pause: Option<bool>,
    /// The finished file, once rendered.
    #[serde(default)]
    pub file: Option<OutputFile>,
    /// Files besides it; they are delivered before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_files: Vec<OutputFile>,
    /// What the store says of each delivered file, the main one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stored: Vec<Stored>,
    /// What delays its delivery; none unless a try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadTrouble>,
    /// The control sockets of the processes, relative to the data folder.
    #[serde(default)]
    pub capture_socket: Option<String>,
    #[serde(default)]
    pub render_socket: Option<String>,
}

impl Manifest {
    /// Whether its log may still grow: until then no other recording with the same exclusivity
    /// key is started.
    pub fn is_live(&self) -> bool {
        match self.state {
            RecordingState::Starting
            | RecordingState::Active
            | RecordingState::Paused
            | RecordingState::Interrupted => true,
            RecordingState::Ending => self.ended_at.is_none(),
            _ => false,
        }
    }
}

impl Manifest {
    /// Whether its file was delivered. A failed recording may have one, too.
    pub fn is_delivered(&self) -> bool {
        self.state.is_final() && self.completed_at.is_some()
    }

    /// Length of what is rendered if it is, else of the recording so far as it is known, ms.
    pub fn duration_ms(&self) -> Option<u64> {
        if let Some(rendered_ms) = self.rendered_ms() {
            return Some(rendered_ms);
        }
        let (started, ended) = (self.started_at?, self.ended_at?);
        let pauses = self.pauses.iter();
        let paused: i64 = pauses
            .map(|pause| pause.to.unwrap_or(ended) - pause.from)
            .sum();
        u64::try_from(ended - started - paused).ok()
    }

    /// Its rendered files under the names that they have in the store, in the order of delivery:
    /// the main one last.
    pub fn files(&self) -> impl Iterator<Item = (String, &OutputFile)> {
        let further = self
            .further_files
            .iter()
            .map(|file| (self.name_of_further(file), file));
        further.chain(self.file.iter().map(|file| (self.name.clone(), file)))
    }

    /// The names of all its files, the main one last.
    pub fn names(&self) -> Vec<String> {
        let further = self.further_files.iter();
        let further = further.map(|file| self.name_of_further(file));
        further.chain([self.name.clone()]).collect()
    }

    /// Length of the rendered recording, ms, also where its sound continues in further files, as a
    /// long WAV does in `-2`; none until it is rendered.
    pub fn rendered_ms(&self) -> Option<u64> {
        let main = self.file.as_ref()?;
        // Nobody's voice has a file of such a name; pictures have, and last no time.
        let continues = |file: &&OutputFile| {
            let number = file.suffix.strip_prefix('-');
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let further = self.further_files.iter().filter(continues);
        let further: u64 = further.map(|file| file.duration_ms).sum();
        Some(main.duration_ms + further)
    }

    /// Whether one of its files has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.name == name || self.names().iter().any(|known| known == name)
    }

    fn name_of_further(&self, file: &OutputFile) -> String {
        naming::further_name(&self.name, &file.suffix, &file.path)
    }

    /// Whether its folder must keep more than the manifest: what is captured and not delivered.
    pub fn keeps_folder(&self) -> bool {
        match self.state {
            RecordingState::Failed => self.started_at.is_some() && !self.is_delivered(),
            state => !state.is_final(),
        }
    }
}

/// How often a recording's processes were started again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Restarts {
    pub capture: u32,
    pub render: u32,
    pub last: Option<Restart>,
}

/// Why a process is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restart {
    pub role: Role,
    /// When the process before was found to be gone, Unix ms.
    pub at_ms: i64,
    /// How it ended.
    pub reason: String,
}

/// The state of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Asked for, not in the room yet.
    Starting,
    /// Capture is in the room.
    Active,
    /// Capture is in the room and writes nothing, on request.
    Paused,
    /// Capture is gone and being restarted.
    Interrupted,
    /// The log is being sealed or is sealed; the rest is being rendered.
    Ending,
    /// Rendered, on its way to the store.
    Uploading,
    /// Delivered.
    Complete,
    /// Delivered, ended by `maxDuration`.
    LimitReached,
    /// Stopped before the first moment was recorded.
    Aborted,
    /// Ended without a file, or with one of what there was until capture was given up; `error`
    /// says why.
    Failed,
}

impl fmt::Display for RecordingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Interrupted => "interrupted",
            Self::Ending => "ending",
            Self::Uploading => "uploading",
            Self::Complete => "complete",
            Self::LimitReached => "limit_reached",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
        })
    }
}

impl RecordingState {
    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Complete | Self::LimitReached | Self::Aborted | Self::Failed
        )
    }

    /// Whether recordings in this state are captured or rendered: what takes a place among those that
    /// may be at once. Those on their way to a store do not; it may be away for long.
    pub fn is_running(self) -> bool {
        !self.is_final() && self != Self::Uploading
    }

    /// Whether recordings in this state always have a file; see also [`Manifest::is_delivered`].
    pub fn is_delivered(self) -> bool {
        matches!(self, Self::Complete | Self::LimitReached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn pauses_are_no_part_of_a_recordings_length() {
        let pause = |from, to| Pause { at_ms: 0, from, to };
        let mut manifest = Manifest {
            started_at: Some(10_000),
            pauses: vec![pause(20_000, Some(25_000)), pause(60_000, None)],
            ..fixtures::manifest()
        };
        assert_eq!(manifest.duration_ms(), None);
        manifest.ended_at = Some(70_000);
        assert_eq!(manifest.duration_ms(), Some(45_000), "it ended in a pause");
        manifest.file = Some(OutputFile {
            duration_ms: 44_900,
            ..OutputFile::default()
        });
        assert_eq!(manifest.duration_ms(), Some(44_900));
    }
}
