//! `tapedeck inspect`

use std::path::Path;
use std::process::ExitCode;

/// Prints as JSON what the capture log in `folder` holds. A log that is still written can be
/// inspected too.
pub fn run(folder: &Path) -> ExitCode {
    let summary = match tapedeck_pipelines::log::inspect(folder) {
        Ok(summary) => summary,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match serde_json::to_string_pretty(&summary) {
        Ok(text) => println!("{text}"),
        Err(error) => {
            eprintln!("error: the summary cannot be printed: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
