//! Why a demo did not work, and what to do about it.

use std::io;
use std::path::PathBuf;

use testcard::playback::PlaybackError;
use testcard::whip::WhipError;

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error(
        "GStreamer lacks {0}; in a clone of the project, `scripts/prerequisites run --install` brings it"
    )]
    Elements(String),
    #[error(
        "packets do not travel from 127.0.0.1 to itself over UDP ({0}): is there a firewall or a sandbox without network?"
    )]
    Loopback(#[source] io::Error),
    #[error("{} cannot be written: {source}; run it in a folder of yours, or name a file with --output", path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error("{} exists already: name another file with --output", .0.display())]
    OutputExists(PathBuf),
    #[error("there is no folder for the server's data, {}: {source}; name a new one with --keep", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("this program cannot be started as a server: {0}")]
    Spawn(#[source] io::Error),
    #[error("the server does not answer; what it said:\n{0}")]
    NotReady(String),
    #[error("the server cannot be asked: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the server answers {status} to {what}: {body}")]
    Refused {
        what: &'static str,
        status: u16,
        body: String,
    },
    #[error("the server's answer to {0} cannot be understood")]
    Answer(&'static str),
    #[error("the recording ended as {state}: {reason}")]
    Ended { state: String, reason: String },
    #[error("there was no file within {0} s of the stop")]
    NoFile(u64),
    #[error("a publisher cannot publish: {0}")]
    Publish(#[from] WhipError),
    #[error(transparent)]
    Playback(#[from] PlaybackError),
    /// What is wrong with the file, one line each.
    #[error("the recording is not as it should be:\n{}\nplease report it, with the file", .0.join("\n"))]
    Checks(Vec<String>),
    #[error("interrupted; everything was ended")]
    Interrupted,
    #[error("{error}\nthe last that the server said:\n{log}")]
    WithLog { error: Box<DemoError>, log: String },
}

impl DemoError {
    /// Whether the server's log may tell more.
    pub fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Http(_)
                | Self::Refused { .. }
                | Self::Answer(_)
                | Self::Ended { .. }
                | Self::NoFile(_)
                | Self::Publish(_)
        )
    }

    /// With what the server said, if it said anything.
    pub fn with_log(self, log: String) -> Self {
        if log.is_empty() {
            return self;
        }
        Self::WithLog {
            error: Box::new(self),
            log,
        }
    }
}
