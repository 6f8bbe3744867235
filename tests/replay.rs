//! A render is a function of the capture log.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::{self, Tapedeck};
use tapedeck_pipelines::control::PROTOCOL_VERSION;
use tapedeck_pipelines::job::{
    Canvas, GapStyle, OutputFormat, OutputSettings, RenderJob, VideoEncoder,
};

/// Renders the log in `log` by hand, in a folder of its own.
fn render(log: &Path, folder: PathBuf) -> PathBuf {
    std::fs::create_dir_all(folder.join("log")).expect("a folder");
    for segment in std::fs::read_dir(log).expect("a log").flatten() {
        let copy = folder.join("log").join(segment.file_name());
        std::fs::copy(segment.path(), copy).expect("a copy");
    }
    let output = folder.join("output.mp4");
    let job = RenderJob {
        protocol: PROTOCOL_VERSION,
        recording_id: "EG_replayreplay".into(),
        room_name: "studio".into(),
        folder,
        socket: None,
        output: output.clone(),
        settings: OutputSettings {
            format: OutputFormat::Mp4,
            per_speaker: false,
            audio_only: false,
            canvas: Canvas {
                width: 1280,
                height: 720,
                frame_rate: 30,
            },
            video_bitrate: 2_500_000,
            audio_bitrate: 128_000,
            encoder: VideoEncoder::X264,
            x264_preset: "superfast".into(),
            key_frame_interval_ms: 4_000,
            thumbnail_interval_s: None,
        },
        lag_ms: 1_500,
        log_is_final: true,
        gaps: GapStyle::default(),
        poster: false,
    };
    let mut child = tapedeck::command()
        .arg("render")
        .stdin(Stdio::piped())
        .spawn()
        .expect("tapedeck runs");
    let job = serde_json::to_vec(&job).expect("a job");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&job).expect("the job is taken");
    drop(stdin);
    let status = child.wait().expect("an end");
    assert!(status.success(), "render ended with {status}");
    output
}

/// Times and checksums of all decoded pictures and pieces of sound.
fn decoded(file: &Path) -> String {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-fps_mode", "passthrough", "-enc_time_base", "-1"])
        .args(["-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg is installed (apt-get install ffmpeg)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn same_log_gives_the_same_picture_sound_and_times() {
    let livekit = Livekit::start().await;
    let server = Tapedeck::start(&livekit).await;
    let first = Publisher::join(&livekit, "studio", PublisherOptions::new(0)).await;
    let started = server.start_recording("studio").await;
    server.wait_until(&started, 3.0).await;
    let second = PublisherOptions::new(1).with_h264();
    let second = Publisher::join(&livekit, "studio", second).await;
    server.wait_until(&started, 8.0).await;
    let stopped = server.stop_recording("studio").await;

    let folder = tempfile::tempdir().expect("a folder");
    let log = server.kept_log(&started.id);
    let once = render(&log, folder.path().join("once"));
    let again = render(&log, folder.path().join("again"));
    let (once_decoded, again_decoded) = (decoded(&once), decoded(&again));
    assert!(once_decoded.lines().count() > 400, "{once_decoded}");
    assert_eq!(once_decoded, again_decoded, "two renders differ");
    // Following the log while it grew gave the same too.
    let live = decoded(&server.file(&stopped.name));
    assert_eq!(
        once_decoded, live,
        "the render that followed the log differs"
    );

    let found = Findings::of(&once, &grid(2));
    found.assert_heard(&first.options, 1.0, 8.0, 1);
    found.assert_heard(&second.options, 4.5, 8.0, 1);
}
