use std::time::Duration;

use tapedeck_pipelines::control::{CaptureSnapshot, Command, RenderSnapshot, Role};
use tapedeck_pipelines::log::Told;
use tapedeck_storage::Stored;

use crate::uploader::FileToStore;
use crate::{Manifest, PauseError, RoomError, StartError, UploadTrouble};

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
    /// The server ends, and all that runs is to end before.
    ServerFinishes,
    /// Somebody wants it to pause, or to go on.
    PauseRequested(bool),
    Capture(CaptureSnapshot),
    Render(RenderSnapshot),
    /// A process does not do what it was told.
    Refused {
        role: Role,
        command: Command,
        reason: String,
    },
    /// A process has ended, could not be started, or was not there to attach to.
    Gone {
        role: Role,
        /// How it ended.
        detail: String,
        left: Left,
    },
    /// The room is there: capture can be started again. It is known under this id now.
    RoomFound(String),
    /// The room is not there, or where it lives cannot be asked.
    RoomLost(RoomError),
    /// All files are in the store, verified: what it says of them, the main one first.
    Uploaded(Vec<Stored>),
    /// An attempt failed; the uploader goes on.
    UploadTrouble(UploadTrouble),
    /// The upload was called off on request, and nothing of it is in the store.
    UploadCancelled,
    /// The store has another file of this name.
    NameTaken,
    /// The rendered file is not there or not what the render made.
    OutputUnusable(String),
    Timer(Timer),
}

/// What a process left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// When the log was last written, Unix ms; none without a log, or if it is not known.
    pub log_until: Option<i64>,
    /// Recording time of the log's last record, ms; none if it is not known.
    pub recorded_ms: Option<u64>,
    /// Whether somebody told it to end and to leave the log to the next.
    pub suspended: bool,
    /// What a capture's log tells of gaps and pauses; none if there is no log that can be read.
    pub told: Option<Told>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write the manifest, then tell those who wait.
    Save(Box<Manifest>),
    /// The start is decided.
    AnswerStart(Result<(), StartError>),
    /// Requests to pause, or to go on, are decided.
    AnswerPause {
        pause: bool,
        answer: Result<(), PauseError>,
    },
    SpawnCapture,
    /// Look the room up, for a capture that is to be started again: [`Event::RoomFound`] or
    /// [`Event::RoomLost`].
    FindRoom,
    SpawnRender {
        log_is_final: bool,
    },
    /// Find the process that an earlier session started; [`Event::Gone`] if there is none.
    Attach(Role),
    /// Send a command, as soon as the process is connected.
    Tell(Role, Command),
    /// Give capture a new token for its room.
    RenewToken,
    Kill(Role),
    SetTimer(Timer, Duration),
    CancelTimer(Timer),
    /// Hand these files to the store, the main one last.
    Upload(Vec<FileToStore>),
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
    /// Capture, started again, must be in the room.
    Rejoin,
    /// Capture is started again, or the room looked for again.
    CaptureRestart,
    /// The media server cannot be waited for any longer.
    SourceLost,
    /// A room that is not there cannot be waited for any longer.
    RoomOver,
    /// Capture must have paused or gone on.
    Pause,
    /// Gaps are written down.
    Note,
    /// Capture must have left the room and exited.
    CaptureExit,
    /// Render must have exited after it finished.
    RenderExit,
    /// Render is started again.
    RenderRestart,
    /// Render has got nothing done for too long.
    RenderStalled,
}
