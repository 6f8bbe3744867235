//! `tapedeck export`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Place, print_json, refuse};

/// What to export.
#[derive(Debug, Args)]
pub struct ExportOptions {
    /// The id of a recording, or its work or log folder
    #[arg(value_name = "ID|FOLDER")]
    recording: String,
    /// The folder for the files [default: tracks-NAME, NAME being that of the work folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The configuration file that names the data folder [default: $TAPEDECK_CONFIG, tapedeck.toml or
    /// config/tapedeck.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Writes each track of a capture log to a file and prints as JSON which.
pub fn run(options: &ExportOptions) -> ExitCode {
    let folder = match Place::work(&options.recording, options.config.as_deref()) {
        Ok(folder) => folder,
        Err(error) => return refuse(error),
    };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("tracks-{name}")));
    match tapedeck_pipelines::render::export::export(&folder, &out) {
        Ok(tracks) => print_json(&tracks),
        Err(error) => refuse(error),
    }
}
