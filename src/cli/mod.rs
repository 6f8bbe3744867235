//! The command line.

pub mod check;
pub mod children;
pub mod export;
pub mod inspect;
pub mod key;
mod objects;
mod place;
pub mod recording;
pub mod recover;
pub mod render;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::demo::DemoOptions;
use crate::doctor::DoctorOptions;

use check::CheckOptions;
use export::ExportOptions;
use key::KeyOptions;
use place::Place;
use recording::RecordingOptions;
use recover::RecoverOptions;
use render::RenderOptions;

/// Prints a value as JSON. Whoever reads only its beginning has had enough.
pub fn print_json(value: &impl Serialize) -> ExitCode {
    let printed = serde_json::to_string_pretty(value)
        .map_err(io::Error::from)
        .and_then(|text| writeln!(io::stdout(), "{text}"));
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            refuse(format!("it cannot be printed: {error}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Says why a command does nothing.
fn refuse(error: impl Display) -> ExitCode {
    for line in error.to_string().lines() {
        eprintln!("error: {line}");
    }
    ExitCode::FAILURE
}

/// Records real-time rooms into files.
#[derive(Debug, Parser)]
#[command(name = "tapedeck", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve {
        /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show that it works: record two test publishers, check the file and tell what it cost
    Demo(DemoOptions),
    /// Start, stop, list and watch recordings of a running server
    Recording(RecordingOptions),
    /// Print the effective configuration, without secrets
    Config {
        /// Print all keys with their defaults and meanings instead, as Markdown
        #[arg(long)]
        reference: bool,
        /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Make capture logs whose manifest is lost recordings again, or list what is unfinished and what
    /// belongs to no recording
    Recover(RecoverOptions),
    /// Tell whether everything that recordings need is there: stores, LiveKit, GStreamer, disk, ports
    Doctor(DoctorOptions),
    /// Print the operator key that the server keeps itself, or draw one
    Key(KeyOptions),
    /// Verify every manifest, capture log and file
    Check(CheckOptions),
    /// Tell what a capture log holds
    Inspect {
        /// The id of a recording, or its work or log folder
        #[arg(value_name = "ID|FOLDER")]
        recording: String,
        /// The configuration file that names the data folder [default: $TAPEDECK_CONFIG,
        /// tapedeck.toml or config/tapedeck.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Write each track of a capture log to a file, without encoding: WebM, Matroska, Ogg
    Export(ExportOptions),
    /// Turn a capture log into a file, with other settings if wanted
    Render(RenderOptions),
    /// Join a room and write its capture log; the job comes on standard input
    #[command(hide = true)]
    Capture,
    /// Hold the connections of WHIP publishers; the job comes on standard input
    #[command(hide = true)]
    Rooms,
    /// Listen to channels of Agora in tabs of a browser; the job comes on standard input
    #[command(hide = true)]
    Browser,
}
