//! A capture log without a manifest becomes a recording again.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;

use tapedeck_pipelines::control::{Role, Warning};
use tapedeck_pipelines::job::{OutputFormat, OutputSettings};
use tapedeck_pipelines::log::{LogError, Summary, Told, inspect};

use super::Upkeep;
use crate::folder::DataFolder;
use crate::lock::LockError;
use crate::{MANIFEST_VERSION, Manifest, RecordingState, Room, SourceKind, naming};

/// What the lost manifest knew and the log does not.
#[derive(Clone, Debug)]
pub struct AdoptSettings {
    /// What the file shall look like.
    pub output: OutputSettings,
    pub max_duration_ms: u64,
}

/// Why a folder was not adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error("{0}: stop the server, recover, and start it again")]
    Lock(#[from] LockError),
    #[error("it has a manifest: the server goes on with it when it starts")]
    HasManifest,
    #[error("{0} is no id of a recording: rename its folder to the id that its log tells")]
    NoId(String),
    #[error("its log is of {0}: rename the folder to that")]
    OtherRecording(String),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("its log does not tell which room it is of: nothing can be made of it")]
    NoBeginning,
    #[error("its manifest cannot be written: {0}")]
    Write(#[from] io::Error),
}

impl Upkeep {
    /// Gives the work folder `id` a manifest, made from its log: the next server renders and delivers
    /// it, or goes on with it where its capture still runs. A manifest that cannot be read is kept
    /// beside it.
    ///
    /// # Errors
    /// A server uses the data folder, or the folder cannot be adopted.
    pub fn adopt(&self, id: &str, settings: &AdoptSettings) -> Result<Manifest, AdoptError> {
        let _lock = self.lock()?;
        if self.manifests.read(id).is_ok() {
            return Err(AdoptError::HasManifest);
        }
        if !naming::is_id(id) {
            return Err(AdoptError::NoId(id.to_owned()));
        }
        let work = self.folder.work(id);
        let summary = inspect(&work)?;
        if summary.room_name.is_empty() {
            return Err(AdoptError::NoBeginning);
        }
        if summary.recording_id != id {
            return Err(AdoptError::OtherRecording(summary.recording_id));
        }
        let mut manifest = self.rebuilt(summary, settings)?;
        let told = Told::read(&work.join("log"))?;
        manifest.gaps = told.gaps().to_vec();
        manifest.pauses = told.pauses().to_vec();
        self.keep_unreadable(id)?;
        self.manifests.write(&manifest)?;
        Ok(manifest)
    }

    fn rebuilt(&self, log: Summary, settings: &AdoptSettings) -> io::Result<Manifest> {
        let id = log.recording_id.clone();
        let socket = |role| Some(DataFolder::socket_name(&id, role));
        let capture_lives = UnixStream::connect(self.folder.socket(&id, Role::Capture)).is_ok();
        let duration_ms = i64::try_from(log.duration_ms).unwrap_or(i64::MAX);
        let ended = !capture_lives || log.end_reason.is_some();
        // Earlier logs do not tell, when only LiveKit had always been there.
        let source = SourceKind::named(&log.source).unwrap_or(SourceKind::Livekit);
        let mut output = settings.output.clone();
        if !source.has_picture() {
            output.format = OutputFormat::Wav;
        }
        let name = self.free_name(source, &log, output.format)?;
        Ok(Manifest {
            version: MANIFEST_VERSION,
            name,
            source: source.name().into(),
            exclusivity_key: (!ended).then(|| naming::exclusivity_key(source, &log.room_name)),
            room_name: log.room_name,
            room_id: log.room_id,
            idempotency_key: None,
            state: match ended {
                true => RecordingState::Ending,
                false => RecordingState::Active,
            },
            created_at: log.started_at_ms,
            started_at: Some(log.started_at_ms),
            stop_requested_at: None,
            stopped_by_server: false,
            ended_at: ended.then(|| log.started_at_ms.saturating_add(duration_ms)),
            completed_at: None,
            // Why a log without an end record ended, nobody knows.
            end_reason: log.end_reason.filter(|_| ended),
            error: None,
            output,
            max_duration_ms: settings.max_duration_ms,
            metadata: None,
            warnings: vec![Warning {
                code: "adopted".into(),
                message: "the manifest was lost and made anew from the capture log: what the client gave at the start is not known".into(),
            }],
            gaps: Vec::new(),
            pauses: Vec::new(),
            wanted_pause: None,
            restarts: Default::default(),
            file: None,
            further_files: Vec::new(),
            stored: Vec::new(),
            upload: None,
            capture_socket: socket(Role::Capture),
            render_socket: socket(Role::Render),
            id,
        })
    }

    /// A file name that no recording has.
    fn free_name(
        &self,
        source: SourceKind,
        log: &Summary,
        format: OutputFormat,
    ) -> io::Result<String> {
        let (manifests, _) = self.manifests.look()?;
        let is_taken = |name: &str| {
            manifests.iter().any(|manifest| manifest.name == name)
                || self
                    .store
                    .as_ref()
                    .is_some_and(|store| store.path.join(name).exists())
        };
        let room = Room {
            name: log.room_name.clone(),
            id: log.room_id.clone(),
        };
        let mut name = naming::name_of(source, &room, log.started_at_ms, format);
        while is_taken(&name) {
            name = naming::next_name(&name);
        }
        Ok(name)
    }

    fn keep_unreadable(&self, id: &str) -> io::Result<()> {
        let path = self.folder.manifest(id);
        match fs::rename(&path, path.with_extension("json.unreadable")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
