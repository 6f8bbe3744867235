//! The `tapedeck` executable: the server, and the processes that it starts.

mod agora;
mod auto_record;
mod cli;
mod config;
mod demo;
mod doctor;
mod http;
mod livekit;
mod metrics;
mod serve;
mod webhooks;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Arguments, Command};

fn main() -> ExitCode {
    match Arguments::parse().command {
        // The children get all they need over standard input: no configuration, no `.env`.
        Command::Capture => cli::children::capture(),
        Command::Render(options) => cli::render::run(&options),
        Command::Rooms => cli::children::rooms(),
        Command::Browser => cli::children::browser(),
        Command::Serve { config } => serve(config.as_deref()),
        Command::Demo(options) => demo::run(&options),
        Command::Config {
            reference: true, ..
        } => {
            print!("{}", config::reference());
            ExitCode::SUCCESS
        }
        Command::Config { config, .. } => show_configuration(config.as_deref()),
        Command::Recording(options) => cli::recording::run(&options),
        Command::Recover(options) => cli::recover::run(&options),
        Command::Export(options) => cli::export::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Key(options) => cli::key::run(&options),
        Command::Check(options) => cli::check::run(&options),
        Command::Inspect { recording, config } => cli::inspect::run(&recording, config.as_deref()),
    }
}

fn serve(config: Option<&Path>) -> ExitCode {
    let configuration = match config::load(config) {
        Ok(configuration) => configuration,
        Err(error) => return refuse(&error),
    };
    start_logging(&configuration.settings.log.level);
    for warning in &configuration.warnings {
        log::warn!("{warning}");
    }
    match serve::run(configuration.settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

/// Lines with time, level and module on standard error.
fn start_logging(level: &str) {
    let filters = std::env::var("RUST_LOG")
        .ok()
        .filter(|filters| !filters.is_empty());
    env_logger::Builder::new()
        // Tells no more than we do ourselves at the start.
        .filter_module("actix_server", log::LevelFilter::Warn)
        // What is wrong with a request is its sender's error, who gets it as an answer.
        .filter_module("actix_http", log::LevelFilter::Off)
        .parse_filters(filters.as_deref().unwrap_or(level))
        .format_timestamp_millis()
        .init();
}

fn show_configuration(config: Option<&Path>) -> ExitCode {
    match config::load(config) {
        Ok(configuration) => {
            for warning in &configuration.warnings {
                eprintln!("warning: {warning}");
            }
            print!("{}", configuration.to_toml());
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// Says why the server does not start, each line marked as an error.
fn refuse(error: &dyn std::error::Error) -> ExitCode {
    for line in error.to_string().lines() {
        eprintln!("error: {line}");
    }
    ExitCode::FAILURE
}
