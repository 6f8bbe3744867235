//! The processes of a recording.

use std::process::ExitCode;

/// Joins a room and writes its capture log.
pub fn capture() -> ExitCode {
    eprintln!("error: this build cannot capture");
    ExitCode::FAILURE
}

/// Turns a capture log into a file.
pub fn render() -> ExitCode {
    eprintln!("error: this build cannot render");
    ExitCode::FAILURE
}
