//! The processes of a recording.

use std::process::ExitCode;

/// Joins a room and writes its capture log.
pub fn capture() -> ExitCode {
    tapedeck_pipelines::capture::run()
}

/// Turns a capture log into a file.
pub fn render() -> ExitCode {
    tapedeck_pipelines::render::run_job()
}
