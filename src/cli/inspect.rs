//! `tapedeck inspect`

use std::path::Path;
use std::process::ExitCode;

use super::{Place, print_json, refuse};

/// Prints as JSON what the capture log of a recording holds, which is named by its id or folder. A
/// log that is still written can be inspected too.
pub fn run(recording: &str, config: Option<&Path>) -> ExitCode {
    let folder = match Place::work(recording, config) {
        Ok(folder) => folder,
        Err(error) => return refuse(error),
    };
    let summary = match tapedeck_pipelines::log::inspect(&folder) {
        Ok(summary) => summary,
        Err(error) => return refuse(error),
    };
    print_json(&summary)
}
