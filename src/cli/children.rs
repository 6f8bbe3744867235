//! The processes that the server starts.

use std::process::ExitCode;

/// Joins a room and writes its capture log.
pub fn capture() -> ExitCode {
    tapedeck_pipelines::capture::run()
}

/// Holds the connections of WHIP publishers, for all rooms that live here.
pub fn rooms() -> ExitCode {
    tapedeck_pipelines::rooms::run()
}

/// Runs the browser that listens to channels of Agora, for all captures.
pub fn browser() -> ExitCode {
    tapedeck_pipelines::browser::run()
}
