//! Renders the capture log of a work folder by hand:
//! `cargo run --example render -- FOLDER OUTPUT [WIDTHxHEIGHT@RATE] [x264|openh264]`.
//! Without arguments it is the render process itself, with its job on standard input.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use tapedeck_pipelines::control::PROTOCOL_VERSION;
use tapedeck_pipelines::job::{
    Canvas, GapStyle, OutputFormat, OutputSettings, RenderJob, VideoEncoder,
};
use tapedeck_pipelines::render::{RenderControl, render, run_job};

fn main() -> ExitCode {
    if std::env::args().len() == 1 {
        return run_job();
    }
    env_logger::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, output, options @ ..] = arguments.as_slice() else {
        eprintln!("usage: render FOLDER OUTPUT [WIDTHxHEIGHT@RATE] [x264|openh264]");
        return ExitCode::FAILURE;
    };
    let canvas = options.iter().find_map(|option| parse_canvas(option));
    let openh264 = options.iter().any(|option| option == "openh264");
    let job = RenderJob {
        protocol: PROTOCOL_VERSION,
        recording_id: "EG_example".into(),
        room_name: "example".into(),
        folder: Path::new(folder).into(),
        socket: None,
        output: Path::new(output).into(),
        settings: OutputSettings {
            format: OutputFormat::Mp4,
            per_speaker: false,
            audio_only: false,
            canvas: canvas.unwrap_or(Canvas {
                width: 1280,
                height: 720,
                frame_rate: 30,
            }),
            video_bitrate: 2_500_000,
            audio_bitrate: 128_000,
            encoder: if openh264 {
                VideoEncoder::Openh264
            } else {
                VideoEncoder::X264
            },
            x264_preset: "superfast".into(),
            key_frame_interval_ms: 4_000,
            thumbnail_interval_s: None,
        },
        lag_ms: 1_500,
        log_is_final: true,
        gaps: GapStyle::default(),
        poster: false,
    };
    let begun = Instant::now();
    let control = RenderControl::default();
    match render(&job, &control) {
        Ok(file) => {
            let snapshot = control.snapshot();
            println!("{file:#?}\n{:#?}", snapshot.warnings);
            println!(
                "{} frames in {:.2} s",
                snapshot.frames,
                begun.elapsed().as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse_canvas(option: &str) -> Option<Canvas> {
    let (size, rate) = option.split_once('@')?;
    let (width, height) = size.split_once('x')?;
    Some(Canvas {
        width: width.parse().ok()?,
        height: height.parse().ok()?,
        frame_rate: rate.parse().ok()?,
    })
}
