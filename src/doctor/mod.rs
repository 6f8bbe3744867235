//! `tapedeck doctor`: whether everything that recordings need is there, with the way out where it is
//! not.

mod agora;
mod livekit;
mod machine;
mod stores;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::{self, Settings};

/// How to look.
#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    what: Option<Look>,
}

/// What to try instead.
#[derive(Debug, Subcommand)]
enum Look {
    /// Join a channel of Agora for a few seconds and tell what was heard
    Agora(agora::JoinOptions),
}

/// What one look showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    pub verdict: Verdict,
    /// What was found; of a warning or a problem also the way out.
    pub message: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Recordings work, but not as well as they should.
    Warning,
    /// Recordings do not work, or do not arrive.
    Problem,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, message: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            message: message.into(),
        }
    }

    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, message)
    }

    fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, message)
    }

    fn problem(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Problem, message)
    }
}

/// Looks at everything; a line for each. Exits with 1 when there is a problem.
pub fn run(options: &DoctorOptions) -> ExitCode {
    let findings = match config::load(options.config.as_deref()) {
        Ok(configuration) => {
            // Only the first provider counts; ours is the only one.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let settings = &configuration.settings;
            actix_rt::System::new().block_on(async {
                match &options.what {
                    None => look(settings).await,
                    Some(Look::Agora(join)) => agora::join(settings, join).await,
                }
            })
        }
        Err(error) => vec![Finding::problem("configuration", error.to_string())],
    };
    match options.json {
        true => {
            crate::cli::print_json(&findings);
        }
        false => {
            for Finding {
                check,
                verdict,
                message,
            } in &findings
            {
                let verdict = match verdict {
                    Verdict::Ok => "ok",
                    Verdict::Warning => "warning",
                    Verdict::Problem => "problem",
                };
                println!("{verdict:8} {check}: {message}");
            }
        }
    }
    let has_problem = findings.iter().any(|it| it.verdict == Verdict::Problem);
    match has_problem {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = machine::data_folder(settings);
    findings.push(machine::ports(settings));
    findings.push(machine::elements(settings));
    findings.push(machine::sandbox(settings));
    findings.extend(stores::look(settings, Path::new(&settings.data.dir)).await);
    findings.extend(livekit::look(settings).await);
    findings.extend(agora::look(settings));
    findings
}

/// The short form for a server that starts: what is wrong is told in the log as warnings. It delays
/// nobody, and writes nothing.
pub async fn warn(settings: Settings) {
    let mut findings = vec![machine::elements(&settings)];
    findings.extend(livekit::look(&settings).await);
    findings.extend(agora::look(&settings));
    for finding in findings {
        if finding.verdict != Verdict::Ok {
            log::warn!("{}: {}", finding.check, finding.message);
        }
    }
}

/// A finding about a clock that is `ahead_ms` of ours. Signatures and tokens are refused when clocks
/// differ by minutes.
fn clock(check: &'static str, whose: &str, ahead_ms: i64) -> Finding {
    const WARNING_MS: u64 = 30_000;
    const PROBLEM_MS: u64 = 240_000;
    let direction = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let seconds = ahead_ms.unsigned_abs() / 1_000;
    let text = format!("the clock of {whose} is {seconds} s {direction} ours");
    let way_out = "set both by NTP: signatures and tokens are refused when clocks differ";
    match ahead_ms.unsigned_abs() {
        PROBLEM_MS.. => Finding::problem(check, format!("{text}; {way_out}")),
        WARNING_MS.. => Finding::warning(check, format!("{text}; {way_out}")),
        0..1_000 => Finding::ok(check, format!("the clock of {whose} agrees with ours")),
        _ => Finding::ok(check, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_are_told_before_they_are_refused() {
        for (ahead_ms, verdict) in [
            (0, Verdict::Ok),
            (-29_000, Verdict::Ok),
            (60_000, Verdict::Warning),
            (-900_000, Verdict::Problem),
        ] {
            let finding = clock("clock", "the store", ahead_ms);
            assert_eq!(finding.verdict, verdict, "{ahead_ms}");
        }
        let behind = clock("clock", "the store", -900_000).message;
        assert!(behind.contains("900 s behind ours"), "{behind}");
    }
}
