//! `tapedeck demo`: two publishers of our own, a room, a recording, and a look at what came out.
//! Everything is real: the server is this executable, media travels by WebRTC over loopback, the
//! recording is asked for by REST.

mod api;
mod check;
mod cost;
mod error;
mod output;
mod processes;
mod progress;
mod report;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use testcard::media::VideoFormat;
use testcard::playback::Playback;
use testcard::whip::{Endpoint, Route, WhipPublisher};
use testcard::{CameraOptions, PublisherOptions};
use tokio::signal::unix::{SignalKind, signal};

use cost::Meter;
use error::DemoError;
use output::Output;
use progress::Progress;
use report::Report;
use server::Server;

/// What is recorded, and where the file goes.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoOptions {
    /// The room's name
    #[arg(long, default_value = "demo")]
    room: String,
    /// How long to record
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..=600))]
    seconds: u64,
    /// Where the file goes; nothing is overwritten [default: tapedeck-demo.mp4, or with a number]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep the server's data and logs in a new folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Send media over TCP
    #[arg(long)]
    tcp: bool,
}

/// Runs the demo; fails when something of it did not work.
pub fn run(options: &DemoOptions) -> ExitCode {
    println!(
        "Tapedeck {}: two test publishers in a room, {} s of it recorded\n",
        env!("CARGO_PKG_VERSION"),
        options.seconds
    );
    // Only the first provider counts; ours is the only one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&DemoError::Runtime(error)),
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = demo(options) => result,
            () = interrupted() => Err(DemoError::Interrupted),
        }
    });
    match result {
        Ok(report) => {
            println!("\n{report}");
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// Waits for Ctrl-C, or for being asked to end.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn refuse(error: &DemoError) -> ExitCode {
    println!();
    for line in error.to_string().lines() {
        eprintln!("error: {line}");
    }
    ExitCode::FAILURE
}

async fn demo(options: &DemoOptions) -> Result<Report, DemoError> {
    let progress = Progress::new();
    check::installation()?;
    let output = Output::reserve(options.output.as_deref())?;

    let mut step = progress.step("server");
    let server = Server::start(options.keep.as_deref()).await?;
    step.done(&format!("started on {}", server.api.base()));

    let result = in_server(options, &progress, &server, output).await;
    result.map_err(|error| match error.is_of_server() {
        // The reason of most failures.
        true => error.with_log(server.log_tail()),
        false => error,
    })
}

async fn in_server(
    options: &DemoOptions,
    progress: &Progress,
    server: &Server,
    output: Output,
) -> Result<Report, DemoError> {
    let mut step = progress.step("publishers");
    let publishers = publish(options, server).await?;
    let protocol = if options.tcp { "TCP" } else { "UDP" };
    step.done(&format!(
        "{} send VP8 and Opus by WHIP, over {protocol}",
        names(&publishers)
    ));

    let mut step = progress.step("recording");
    let asked = Instant::now();
    let recording = server.api.start(&options.room).await?;
    let start_latency = asked.elapsed();
    let mut meter = Meter::default();
    let mut processes = Vec::new();
    let length = Duration::from_secs(options.seconds);
    let begun = Instant::now();
    while begun.elapsed() < length {
        if !meter.is_complete() {
            processes = server.processes();
        }
        meter.look(&processes);
        step.progress(begun.elapsed(), length);
        let left = length.saturating_sub(begun.elapsed());
        tokio::time::sleep(left.min(Duration::from_millis(250))).await;
    }
    meter.look(&processes);
    let status = server.api.status(&recording.id).await?;
    let asked = Instant::now();
    server.api.stop(&options.room).await?;
    step.done(&format!(
        "{} s, started and stopped by REST",
        options.seconds
    ));

    let mut step = progress.step("file");
    server.api.wait_for_file(&recording.id).await?;
    let stop_latency = asked.elapsed();
    let path = output.path().to_owned();
    let mut file = output.open()?;
    server.api.fetch(&recording.name, &mut file).await?;
    step.done(&format!(
        "complete {:.1} s after the stop",
        stop_latency.as_secs_f64()
    ));
    let options_of: Vec<PublisherOptions> = publishers
        .iter()
        .map(|publisher| publisher.options.clone())
        .collect();
    for publisher in publishers {
        publisher.leave().await;
    }

    let mut step = progress.step("check");
    let tiles = options_of.len();
    let played = path.clone();
    let playback = tokio::task::spawn_blocking(move || {
        Playback::of(&played, |width, height| check::places(width, height, tiles))
    });
    let playback = playback
        .await
        .map_err(|_| DemoError::Checks(vec!["the check of the file died".to_owned()]))??;
    let findings = check::look(&playback, &options_of, length);
    // What was recorded is the user's, good or bad.
    let path = output.keep();
    if !findings.faults.is_empty() {
        return Err(DemoError::Checks(findings.faults));
    }
    step.done("the whole file was decoded, nothing is missing");
    Ok(Report {
        path,
        playback,
        findings,
        costs: meter.costs(),
        start_latency,
        first_frame: status.first_frame_after(),
    })
}

/// The two publishers: identity, pitch, phase and colour of their own.
async fn publish(options: &DemoOptions, server: &Server) -> Result<Vec<WhipPublisher>, DemoError> {
    let route = if options.tcp { Route::Tcp } else { Route::Udp };
    let mut publishers = Vec::new();
    for (name, pitch, phase, hue) in [("Alice", 500, 0.0, 210), ("Bob", 900, 0.5, 30)] {
        let format = VideoFormat {
            frame_rate: 30,
            keyframe_interval: 30,
            ..VideoFormat::vp8(hue)
        };
        let publisher = PublisherOptions {
            pitch,
            phase,
            camera: Some(CameraOptions::new(format)),
            ..PublisherOptions::new(0).called(name, name)
        };
        let endpoint = Endpoint {
            url: server.api.whip_url(&options.room)?,
            token: server.api.token(&options.room, name).await?,
        };
        publishers.push(WhipPublisher::publish(endpoint, route, publisher).await?);
    }
    Ok(publishers)
}

fn names(publishers: &[WhipPublisher]) -> String {
    let names: Vec<&str> = publishers
        .iter()
        .map(|publisher| publisher.options.name.as_str())
        .collect();
    names.join(" and ")
}
