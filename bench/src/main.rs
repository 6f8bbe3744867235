//! What a recording costs on this machine: CPU, memory and threads of capture and render, the time
//! to the first frame, and how much of the picture's quality is left. Everything is real: a
//! livekit-server, publishers that send encoded media, the server as it is shipped.

mod case;
mod likeness;
mod published;
mod report;
mod run;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use case::{Case, Picture};

/// Measures what a recording costs.
#[derive(Parser)]
#[command(name = "tapedeck-bench")]
struct Arguments {
    /// Publishers in the room.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 9])]
    publishers: Vec<u32>,
    /// What the cameras show.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["flat", "busy"])]
    pictures: Vec<Picture>,
    /// Greatest frame rates of the output; it follows the cameras where they are slower.
    #[arg(long, value_delimiter = ',', default_values_t = [30])]
    rates: Vec<u32>,
    /// Publishers in rooms that are recorded as WAV besides; 0 for none.
    #[arg(long, value_delimiter = ',', default_values_t = [2])]
    wav: Vec<u32>,
    /// Frame rate of the cameras, 640x360.
    #[arg(long, default_value_t = 15)]
    camera_rate: u32,
    /// Seconds that are measured in each case.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Where to write the results as JSON.
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut cases = Case::all(
        &arguments.publishers,
        &arguments.pictures,
        &arguments.rates,
        arguments.camera_rate,
    );
    let as_wav = arguments.wav.iter().filter(|&&publishers| publishers > 0);
    cases.extend(as_wav.map(|&publishers| Case::wav(publishers, arguments.camera_rate)));
    if let Some(unfit) = cases
        .iter()
        .find(|case| !(1..=9).contains(&case.publishers))
    {
        eprintln!(
            "a room of {} publishers cannot be made: use 1 to 9",
            unfit.publishers
        );
        return ExitCode::FAILURE;
    }
    println!("{}", report::heading());
    let mut results = Vec::new();
    for case in cases {
        match run::measure(case, arguments.seconds).await {
            Ok(result) => {
                println!("{}", report::row(&result));
                results.push(result);
            }
            Err(error) => {
                eprintln!("{case}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("\n{}", report::legend());
    match report::write_json(&arguments.json, &results) {
        Ok(()) => {
            println!("All figures: {}", arguments.json.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot write {}: {error}", arguments.json.display());
            ExitCode::FAILURE
        }
    }
}
