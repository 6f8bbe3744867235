use std::process::Command;

use tempfile::TempDir;

use crate::children::Process;
use crate::livekit::Livekit;

/// The beep of the Python publisher, Hz.
pub const PYTHON_PITCH: f64 = 2_600.0;

/// A participant that publishes flash and beep with LiveKit's Python client (libwebrtc); killed
/// when dropped.
pub struct PythonPublisher {
    process: Process,
    _folder: TempDir,
}

impl PythonPublisher {
    /// Joins a room.
    ///
    /// # Panics
    /// The client is missing (the message says how to get it).
    pub fn join(livekit: &Livekit, room: &str, identity: &str) -> Self {
        let python = crate::cache_dir().join("venv/bin/python");
        assert!(
            python.is_file(),
            "LiveKit's Python client is missing; get it with: scripts/test-dependencies"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(python);
        command
            .arg(super::folder().join("publisher.py"))
            .env("URL", livekit.ws_url())
            .env("TOKEN", livekit.participant_token(room, identity, "Python"));
        let process = Process::start("publisher.py", command, &folder.path().join("log"))
            .expect("python runs");
        Self {
            process,
            _folder: folder,
        }
    }

    /// What it said.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
