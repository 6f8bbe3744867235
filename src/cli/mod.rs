//! The command line.

pub mod children;
pub mod inspect;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::demo::DemoOptions;

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
    /// Print the effective configuration, without secrets
    Config {
        /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Tell what a capture log holds
    Inspect {
        /// The work folder of a recording, or its log folder
        folder: PathBuf,
    },
    /// Join a room and write its capture log; the job comes on standard input
    #[command(hide = true)]
    Capture,
    /// Turn a capture log into a file; the job comes on standard input
    #[command(hide = true)]
    Render,
    /// Hold the connections of WHIP publishers; the job comes on standard input
    #[command(hide = true)]
    Rooms,
}
