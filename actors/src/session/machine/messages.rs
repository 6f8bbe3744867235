use std::path::PathBuf;
use std::time::Duration;

use tapedeck_pipelines::control::{CaptureSnapshot, Command, RenderSnapshot, Role};
use tapedeck_storage::RecordingMetadata;

use crate::{Manifest, StartError};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A new recording.
    Begin,
    /// A recording of which another session, perhaps of an earlier server, wrote the manifest.
    Resume,
    /// The first manifest could not be written.
    SaveFailed(String),
    /// Somebody wants it to end.
    StopRequested,
    Capture(CaptureSnapshot),
    Render(RenderSnapshot),
    /// A process has ended, could not be started, or was not there to attach to.
    Gone {
        role: Role,
        /// How it ended.
        detail: String,
    },
    /// The file is in the store, verified.
    Uploaded,
    /// An attempt failed; the uploader goes on.
    UploadTrouble(String),
    /// The store has another file of this name.
    NameTaken,
    /// The rendered file is not there or not what the render made.
    OutputUnusable(String),
    Timer(Timer),
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write the manifest, then tell those who wait.
    Save(Box<Manifest>),
    /// The start is decided.
    AnswerStart(Result<(), StartError>),
    SpawnCapture,
    SpawnRender {
        log_is_final: bool,
    },
    /// Find the process that an earlier session started; [`Event::Gone`] if there is none.
    Attach(Role),
    /// Send a command, as soon as the process is connected.
    Tell(Role, Command),
    Kill(Role),
    SetTimer(Timer, Duration),
    CancelTimer(Timer),
    /// Hand the file to the store.
    Upload {
        path: PathBuf,
        metadata: Box<RecordingMetadata>,
    },
    /// Remove all of the folder but the manifest.
    Clear,
    /// The session has nothing more to do.
    Finish,
}

/// What a session waits for, at most one of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Capture must be in the room.
    Start,
    /// Capture must have sealed its log.
    Seal,
    /// Capture must have left the room and exited.
    CaptureExit,
    /// Render must have exited after it finished.
    RenderExit,
    /// Render is started again.
    RenderRestart,
}
