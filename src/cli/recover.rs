//! `tapedeck recover`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tapedeck_actors::upkeep::{AdoptSettings, Survey};

use super::{Place, print_json, refuse};
use crate::serve;

/// What to recover.
#[derive(Debug, Args)]
pub struct RecoverOptions {
    /// Only tell what is unfinished and what belongs to no recording
    #[arg(long)]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The recordings to adopt [default: all that can be]
    #[arg(value_name = "ID", conflicts_with = "list")]
    ids: Vec<String>,
    /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Lists, or adopts capture logs that have no manifest.
pub fn run(options: &RecoverOptions) -> ExitCode {
    let place = match Place::find(options.config.as_deref()) {
        Ok(place) => place,
        Err(error) => return refuse(error),
    };
    let survey = match place.upkeep.survey() {
        Ok(survey) => survey,
        Err(error) => return refuse(format!("the data folder cannot be read: {error}")),
    };
    match options.list {
        true => list(&place, &survey, options.json),
        false => adopt(&place, &survey, options),
    }
}

fn list(place: &Place, survey: &Survey, as_json: bool) -> ExitCode {
    let server = match place.upkeep.server() {
        Ok(server) => server,
        Err(error) => return refuse(format!("the lock cannot be looked at: {error}")),
    };
    if as_json {
        let list = json!({
            "server": server,
            "unfinished": survey.unfinished,
            "orphans": survey.orphans,
        });
        return print_json(&list);
    }
    match server {
        Some(Some(server)) => println!("in use by {server}"),
        Some(None) => println!("in use by a server"),
        None => println!("no server uses this data folder"),
    }
    println!("unfinished recordings: {}", survey.unfinished.len());
    for recording in &survey.unfinished {
        println!(
            "  {:<16}  {:<12}  {:>9}  {}",
            recording.id,
            recording.state,
            megabytes(recording.bytes),
            recording.room_name
        );
    }
    println!("belongs to no recording: {}", survey.orphans.len());
    for orphan in &survey.orphans {
        println!(
            "  {:<14}  {:>9}  {}{}",
            orphan.kind.name(),
            megabytes(orphan.bytes),
            orphan.path.display(),
            orphan
                .room_name
                .as_ref()
                .map_or(String::new(), |room| format!("  (room {room})"))
        );
        println!("      {}", orphan.detail);
    }
    ExitCode::SUCCESS
}

fn adopt(place: &Place, survey: &Survey, options: &RecoverOptions) -> ExitCode {
    let ids = match options.ids.is_empty() {
        true => survey
            .orphans
            .iter()
            .filter_map(|orphan| orphan.recording_id.clone())
            .collect(),
        false => options.ids.clone(),
    };
    let settings = AdoptSettings {
        output: serve::output_settings(&place.settings),
        max_duration_ms: place.settings.recording.max_duration_s * 1_000,
    };
    let (mut adopted, mut failed) = (Vec::new(), Vec::new());
    for id in ids {
        match place.upkeep.adopt(&id, &settings) {
            Ok(manifest) => adopted.push(manifest),
            Err(error) => failed.push((id, error.to_string())),
        }
    }
    if options.json {
        let adopted: Vec<_> = adopted
            .iter()
            .map(|it| json!({ "id": it.id, "roomName": it.room_name, "name": it.name }))
            .collect();
        let failed: Vec<_> = failed
            .iter()
            .map(|(id, error)| json!({ "id": id, "error": error }))
            .collect();
        print_json(&json!({ "adopted": adopted, "failed": failed }));
    } else {
        for manifest in &adopted {
            println!(
                "{} (room {}) is a recording again: the server makes {} of it when it starts",
                manifest.id, manifest.room_name, manifest.name
            );
        }
        if adopted.is_empty() && failed.is_empty() {
            println!("nothing to adopt; tapedeck recover --list tells what there is");
        }
        for (id, error) in &failed {
            eprintln!("error: {id}: {error}");
        }
    }
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
