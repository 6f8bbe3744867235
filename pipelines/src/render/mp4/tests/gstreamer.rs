//! Files of the real muxer, judged by ffprobe and ffmpeg.

use std::path::{Path, PathBuf};
use std::process::Command;

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::render::mp4::*;

const VIDEO: &str = "x264enc bframes=0 tune=zerolatency speed-preset=superfast threads=1 \
    key-int-max=60 ! video/x-h264,profile=high ! h264parse ! queue ! mux.";
const AUDIO: &str = "voaacenc ! aacparse ! queue ! mux.";

/// Runs a description whose streams end in `mux.`; gives the fragmented file.
fn fragmented(folder: &Path, streams: &str) -> PathBuf {
    gst::init().unwrap();
    let path = folder.join("fragmented.mp4");
    let description = format!(
        "mp4mux name=mux fragment-duration=1000 fragment-mode=dash-or-mss streamable=true ! \
         filesink location={} {streams}",
        path.display()
    );
    let pipeline = gst::parse::launch(&description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(
        message.expect("the muxer ends").type_(),
        gst::MessageType::Eos
    );
    path
}

/// One line per packet of a stream: presentation and decoding time, size, flags, digest.
fn packets(path: &Path, stream: &str, with_duration: bool) -> Vec<String> {
    let mut entries = "packet=pts,dts,size,flags,data_hash".to_owned();
    if with_duration {
        entries.push_str(",duration");
    }
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            stream,
            "-show_packets",
            "-show_data_hash",
            "md5",
        ])
        .args(["-of", "csv", "-show_entries", &entries])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// What a program prints as warnings.
fn complaints(program: &str, before: &[&str], path: &Path, after: &[&str]) -> String {
    let output = Command::new(program)
        .args(["-v", "warning"])
        .args(before)
        .arg(path)
        .args(after)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Finishes what the streams give and checks that nothing but the header changed.
fn check(streams: &str) -> Mp4Summary {
    let folder = tempfile::tempdir().unwrap();
    let input = fragmented(folder.path(), streams);
    let output = folder.path().join("finished.mp4");
    let summary = finalise(&input, &output).unwrap();
    assert_eq!(complaints("ffprobe", &[], &output, &[]), "");
    assert_eq!(
        complaints("ffmpeg", &["-i"], &output, &["-f", "null", "-"]),
        ""
    );
    for stream in ["v:0", "a:0"] {
        assert_eq!(
            packets(&input, stream, false),
            packets(&output, stream, false)
        );
    }
    assert_eq!(summary.left_out, 0);
    summary
}

/// The sum of the packets' durations, ticks, and the number of packets.
fn total(path: &Path) -> (u64, usize) {
    let packets = packets(path, "v:0", true);
    let duration = |line: &String| line.split(',').nth(3).unwrap().parse::<u64>().unwrap();
    (packets.iter().map(duration).sum(), packets.len())
}

#[test]
fn picture_and_sound_at_a_constant_rate() {
    let summary = check(&format!(
        "videotestsrc num-buffers=95 ! video/x-raw,width=320,height=180,framerate=30/1 ! {VIDEO} \
         audiotestsrc num-buffers=150 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! {AUDIO}"
    ));
    assert_eq!((summary.width, summary.height), (320, 180));
    assert_eq!(
        (summary.tracks[0].samples, summary.tracks[0].end),
        (95, 9_500)
    );
    assert_eq!(
        (summary.tracks[1].samples, summary.tracks[1].end),
        (150, 150 * 1_024)
    );
}

#[test]
fn sound_only_silence_included() {
    let summary = check(&format!(
        "audiotestsrc wave=silence num-buffers=150 samplesperbuffer=1024 ! \
         audio/x-raw,rate=48000,channels=2 ! {AUDIO}"
    ));
    assert_eq!(summary.tracks.len(), 1);
}

#[test]
fn one_frame() {
    let source = "videotestsrc num-buffers=1 ! video/x-raw,width=320,height=180,framerate=30/1";
    let summary = check(&format!("{source} ! {VIDEO}"));
    assert_eq!((summary.tracks[0].samples, summary.tracks[0].end), (1, 100));
}

#[test]
fn pictures_out_of_order_keep_both_their_times() {
    let encoder = "x264enc bframes=2 b-adapt=false speed-preset=superfast threads=1 ! h264parse ! queue ! mux.";
    check(&format!(
        "videotestsrc num-buffers=60 ! video/x-raw,width=320,height=180,framerate=30/1 ! {encoder}"
    ));
}

#[test]
fn skipped_frames_lengthen_the_frame_before() {
    let folder = tempfile::tempdir().unwrap();
    let streams = format!(
        "videotestsrc num-buffers=120 ! video/x-raw,width=320,height=180,framerate=30/1 ! \
         identity drop-probability=0.6 ! {VIDEO}"
    );
    let input = fragmented(folder.path(), &streams);
    let output = folder.path().join("finished.mp4");
    let summary = finalise(&input, &output).unwrap();
    assert_eq!(
        packets(&input, "v:0", false),
        packets(&output, "v:0", false)
    );
    let (ticks, count) = total(&output);
    assert!(count < 90, "frames are missing");
    assert_eq!(ticks, summary.tracks[0].end - summary.tracks[0].start);
    assert_eq!(
        complaints("ffmpeg", &["-i"], &output, &["-f", "null", "-"]),
        ""
    );
}
