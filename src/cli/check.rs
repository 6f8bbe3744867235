//! `tapedeck check`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tapedeck_actors::upkeep::CheckReport;

use super::{Place, objects, print_json, refuse};

/// How to check.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// Put right what can be without losing anything: cut torn tails of logs, remove sockets at which
    /// nobody listens, make the index anew. Only without a server
    #[arg(long)]
    repair: bool,
    /// Also read recordings in buckets and compare their SHA-256, which takes as long as a download
    #[arg(long)]
    deep: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Verifies manifests, logs, files and the index. Exits with 1 when something is wrong and was not
/// repaired.
pub fn run(options: &CheckOptions) -> ExitCode {
    let place = match Place::find(options.config.as_deref()) {
        Ok(place) => place,
        Err(error) => return refuse(error),
    };
    let mut report = match place.upkeep.check() {
        Ok(report) => report,
        Err(error) => return refuse(format!("the data folder cannot be checked: {error}")),
    };
    if let Err(error) = objects::check(&place, options.deep, &mut report) {
        return refuse(format!("the stores cannot be checked: {error}"));
    }
    let is_repairable = report
        .findings
        .iter()
        .any(|finding| finding.repair.is_some());
    let repaired = match options.repair && is_repairable {
        true => place.upkeep.repair(&mut report),
        false => Ok(()),
    };
    match options.json {
        true => {
            print_json(&report);
        }
        false => print(&report),
    }
    if let Err(error) = repaired {
        return refuse(format!("not repaired: {error}: stop the server first"));
    }
    match report.findings.iter().all(|finding| finding.repaired) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn print(report: &CheckReport) {
    for finding in &report.findings {
        println!(
            "{}: {}: {}",
            finding.code,
            finding.path.display(),
            finding.message
        );
        match (finding.repair, finding.repaired) {
            (Some(repair), true) => println!("    repaired: {repair}"),
            (Some(repair), false) => println!("    --repair would {repair}"),
            (None, _) => {}
        }
    }
    for reason in &report.left_out {
        println!("not checked: {reason}");
    }
    if report.orphans > 0 {
        println!(
            "files or folders of no recording: {}; tapedeck recover --list tells them",
            report.orphans
        );
    }
    let wrong = report.findings.iter().filter(|finding| !finding.repaired);
    println!(
        "checked {} recordings, {} capture logs, {} stored files: {} wrong",
        report.recordings,
        report.logs,
        report.objects,
        wrong.count()
    );
}
