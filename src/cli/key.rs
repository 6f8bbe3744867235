//! `tapedeck key`: the operator key that the server keeps itself.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::refuse;
use crate::config::{self, Settings};
use crate::http::separate;
use crate::serve::key_file::{self, KeyFileError};

#[derive(Debug, Args)]
pub struct KeyOptions {
    #[command(subcommand)]
    action: Action,
    /// The configuration file that names the data folder [default: $TAPEDECK_CONFIG, tapedeck.toml or
    /// config/tapedeck.toml]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the operator key that is in force
    Show,
    /// Draw an operator key into the data folder, for a server to which none is configured
    New {
        /// Also when there is one, which opens nothing any more after the next start
        #[arg(long)]
        replace: bool,
    },
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
enum KeyError {
    #[error(transparent)]
    Configuration(#[from] config::ConfigError),
    #[error(transparent)]
    File(#[from] KeyFileError),
    #[error("no operator key is configured, and there is no {}: `tapedeck key new` draws one", .0.display())]
    None(PathBuf),
    #[error("{} exists: `tapedeck key show` prints it, --replace makes it void", .0.display())]
    Exists(PathBuf),
    #[error(
        "auth.operator_key is configured ({0}), and counts instead of one in the data folder: remove it first"
    )]
    Configured(String),
    #[error("the data folder {} cannot be made: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the key cannot be printed: {0}")]
    Print(io::Error),
}

/// Prints or draws a key.
pub fn run(options: &KeyOptions) -> ExitCode {
    let done = match options.action {
        Action::Show => show(options.config.as_deref()),
        Action::New { replace } => new(options.config.as_deref(), replace),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error),
    }
}

fn show(config: Option<&Path>) -> Result<(), KeyError> {
    let settings = config::load(config)?.settings;
    let configured: Vec<&str> = separate(settings.auth.operator_key.reveal()).collect();
    if !configured.is_empty() {
        return print(&configured.join("\n"));
    }
    let folder = folder(&settings);
    match key_file::load(folder, key_file::OPERATOR)? {
        Some(key) => print(key.reveal()),
        None => Err(KeyError::None(folder.join(key_file::OPERATOR))),
    }
}

fn new(config: Option<&Path>, replace: bool) -> Result<(), KeyError> {
    let configuration = config::load(config)?;
    let settings = &configuration.settings;
    if !settings.auth.operator_key.is_empty() {
        let place = configuration.origins.place("auth.operator_key");
        return Err(KeyError::Configured(place));
    }
    let folder = folder(settings);
    let path = folder.join(key_file::OPERATOR);
    if path.exists() && !replace {
        return Err(KeyError::Exists(path));
    }
    crate::serve::prepare_data(&settings.data).map_err(|error| KeyError::Folder {
        path: folder.to_owned(),
        source: io::Error::other(error),
    })?;
    let key = key_file::draw(folder, key_file::OPERATOR)?;
    eprintln!(
        "{}: the server takes it from its next start on",
        path.display()
    );
    print(key.reveal())
}

fn folder(settings: &Settings) -> &Path {
    Path::new(&settings.data.dir)
}

fn print(key: &str) -> Result<(), KeyError> {
    writeln!(io::stdout(), "{key}").map_err(KeyError::Print)
}
