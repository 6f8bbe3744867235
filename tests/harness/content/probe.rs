//! What ffprobe tells of a file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::ContentError;

/// The picture of a file.
#[derive(Clone, Debug)]
pub struct VideoStream {
    /// `h264`, …
    pub codec: String,
    /// `High`, `Main`, …
    pub profile: String,
    /// `yuv420p`, …
    pub pixel_format: String,
    pub width: u32,
    pub height: u32,
    /// Presentation times of the frames in order, s.
    pub frame_times: Vec<f64>,
    /// Times of the key frames in order, s.
    pub key_frame_times: Vec<f64>,
    /// From 0 to the end of the last frame, s.
    pub duration: f64,
    /// Bits per second.
    pub bitrate: f64,
}

impl VideoStream {
    /// The longest time from one frame to the next, s.
    pub fn longest_gap(&self) -> f64 {
        let gaps = self.frame_times.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.fold(0.0, f64::max)
    }
}

/// The sound of a file.
#[derive(Clone, Debug)]
pub struct AudioStream {
    /// `aac`, …
    pub codec: String,
    /// `LC`, …
    pub profile: String,
    /// Samples per second.
    pub sample_rate: u32,
    pub channels: u32,
    /// Time of the first sample, s.
    pub start: f64,
    /// From 0 to the end of the last packet, s.
    pub duration: f64,
    /// The longest time that the packets leave uncovered, s.
    pub longest_gap: f64,
}

/// All that ffprobe and the box headers tell.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) video: Option<VideoStream>,
    pub(super) audio: Option<AudioStream>,
    /// What ffprobe complained about.
    pub(super) warnings: String,
    /// Whether the header comes before the media data.
    pub(super) fast_start: bool,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    packets: Vec<Packet>,
}

#[derive(Deserialize)]
struct Stream {
    index: u32,
    codec_type: String,
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    profile: String,
    #[serde(default)]
    pix_fmt: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    sample_rate: String,
    #[serde(default)]
    channels: u32,
    #[serde(default)]
    bit_rate: String,
}

#[derive(Deserialize)]
struct Packet {
    stream_index: u32,
    #[serde(default)]
    pts_time: String,
    #[serde(default)]
    duration_time: String,
    #[serde(default)]
    flags: String,
}

/// Start and duration of a packet, s, and whether it is a key frame.
struct Timed {
    start: f64,
    duration: f64,
    key: bool,
}

pub(super) fn probe(path: &Path) -> Result<Probe, ContentError> {
    let entries = "stream=index,codec_type,codec_name,profile,pix_fmt,width,height,sample_rate,\
                   channels,bit_rate:packet=stream_index,pts_time,duration_time,flags";
    let result = Command::new("ffprobe")
        .args(["-v", "warning", "-of", "json", "-show_entries", entries])
        .arg(path)
        .output()
        .map_err(|source| ContentError::Run {
            program: "ffprobe",
            source,
        })?;
    let warnings = String::from_utf8_lossy(&result.stderr).into_owned();
    let refused = |detail: String| ContentError::Refused {
        program: "ffprobe",
        path: path.to_owned(),
        detail,
    };
    if !result.status.success() {
        return Err(refused(warnings));
    }
    let output: Output =
        serde_json::from_slice(&result.stdout).map_err(|error| refused(error.to_string()))?;
    let stream_of = |kind: &str| {
        output
            .streams
            .iter()
            .find(|stream| stream.codec_type == kind)
    };
    Ok(Probe {
        video: stream_of("video").map(|stream| video(stream, &timed(&output, stream.index))),
        audio: stream_of("audio").map(|stream| audio(stream, &timed(&output, stream.index))),
        warnings,
        fast_start: is_fast_start(path).map_err(|source| ContentError::Read {
            path: path.to_owned(),
            source,
        })?,
    })
}

/// The packets of a stream in order of presentation.
fn timed(output: &Output, stream: u32) -> Vec<Timed> {
    let packets = output
        .packets
        .iter()
        .filter(|packet| packet.stream_index == stream);
    let mut timed: Vec<Timed> = packets
        .map(|packet| Timed {
            start: packet.pts_time.parse().unwrap_or(f64::NAN),
            duration: packet.duration_time.parse().unwrap_or(0.0),
            key: packet.flags.starts_with('K'),
        })
        .collect();
    timed.sort_by(|one, other| one.start.total_cmp(&other.start));
    timed
}

fn end_of(packets: &[Timed]) -> f64 {
    packets
        .last()
        .map_or(0.0, |last| last.start + last.duration)
}

fn video(stream: &Stream, packets: &[Timed]) -> VideoStream {
    VideoStream {
        codec: stream.codec_name.clone(),
        profile: stream.profile.clone(),
        pixel_format: stream.pix_fmt.clone(),
        width: stream.width,
        height: stream.height,
        frame_times: packets.iter().map(|packet| packet.start).collect(),
        key_frame_times: packets
            .iter()
            .filter(|packet| packet.key)
            .map(|packet| packet.start)
            .collect(),
        duration: end_of(packets),
        bitrate: stream.bit_rate.parse().unwrap_or(0.0),
    }
}

fn audio(stream: &Stream, packets: &[Timed]) -> AudioStream {
    let gaps = packets
        .windows(2)
        .map(|pair| pair[1].start - pair[0].start - pair[0].duration);
    AudioStream {
        codec: stream.codec_name.clone(),
        profile: stream.profile.clone(),
        sample_rate: stream.sample_rate.parse().unwrap_or(0),
        channels: stream.channels,
        start: packets.first().map_or(0.0, |first| first.start),
        duration: end_of(packets),
        longest_gap: gaps.fold(0.0, f64::max),
    }
}

/// Whether `moov` comes before the first `mdat`.
fn is_fast_start(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let mut position = 0;
    let mut header = [0; 16];
    while file.read(&mut header)? >= 8 {
        match &header[4..8] {
            b"moov" => return Ok(true),
            b"mdat" => return Ok(false),
            _ => {}
        }
        let short = u64::from(u32::from_be_bytes([
            header[0], header[1], header[2], header[3],
        ]));
        let long = header[8..]
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte));
        position += match short {
            0 => return Ok(false),
            1 => long,
            short => short,
        };
        file.seek(SeekFrom::Start(position))?;
    }
    Ok(false)
}
