//! What a process is asked to do: one JSON document on its standard input.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text that no log line, error or manifest may show. It is written out only when a job is
/// serialized for a child's standard input.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The job of a `tapedeck capture` process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptureJob {
    /// [`crate::control::PROTOCOL_VERSION`] of the server that wrote the job.
    pub protocol: u32,
    /// `EG_` and 12 characters.
    pub recording_id: String,
    /// The room's name, for log lines.
    pub room_name: String,
    /// The recording's work folder, absolute. The log goes to `folder/log/`, the journal to
    /// `folder/capture.jsonl`, what the process says to `folder/capture.log`.
    pub folder: PathBuf,
    /// The control socket to create, absolute, mode 0600.
    pub socket: PathBuf,
    /// Where the media comes from.
    pub source: Source,
    /// The canvas that the media will be composed into; decides which simulcast layer is asked for.
    pub canvas: Canvas,
    /// Whether pictures are wanted. Without them no video track is asked for, and the log has none:
    /// it can be rendered again as sound only.
    #[serde(default = "wanted")]
    pub video: bool,
    /// When to stop without being asked.
    pub limits: CaptureLimits,
    /// How the log is written.
    pub log: LogSettings,
}

/// Where the media of a recording comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A room on a LiveKit or OpenVidu server.
    Livekit {
        /// `ws://` or `wss://` address of the server.
        url: String,
        /// A recorder's token for the room, valid for longer than the recording may last.
        token: Secret,
    },
    /// A room that lives in our own rooms process, see [`RoomsJob`].
    Whip {
        /// [`RoomsJob::media_socket`].
        socket: PathBuf,
        /// The room's name.
        room: String,
    },
    /// A channel of Agora, heard by a tab of our own browser, see [`BrowserJob`].
    Agora {
        /// Agora's id of the project: 32 hexadecimal digits.
        app_id: String,
        /// The channel's name.
        channel: String,
        /// The user id of the recorder, which must be its own in the channel.
        uid: u32,
        /// A subscriber's token for `channel` and `uid`; empty for a project without certificate.
        /// One that ends before the recording is replaced by
        /// [`RenewToken`](crate::control::Command::RenewToken).
        token: Secret,
        /// The browser that all captures of this server share.
        browser: BrowserSettings,
    },
}

impl Source {
    /// The word for where the room lives: the job's `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Livekit { .. } => "livekit",
            Self::Whip { .. } => "whip",
            Self::Agora { .. } => "agora",
        }
    }
}

/// The job of the `tapedeck browser` process: it runs one browser with a tab for each channel of
/// Agora that is recorded. The first capture that needs it starts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserJob {
    /// [`crate::control::PROTOCOL_VERSION`] of the capture that wrote the job.
    pub protocol: u32,
    /// Where it works and what it starts.
    pub settings: BrowserSettings,
}

/// The browser host: where it is found, and what it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserSettings {
    /// The socket at which captures find it, absolute, mode 0600; at most 107 bytes.
    pub socket: PathBuf,
    /// Its working folder, absolute: what it says goes to `folder/browser.log`, the browser's
    /// profile is below. Made when it is missing.
    pub folder: PathBuf,
    /// Chromium's executable; empty to look for `chromium`, `chromium-browser` and `google-chrome`
    /// in the search path.
    #[serde(default)]
    pub chromium: PathBuf,
    /// `AgoraRTC_N-production.js` of npm's `agora-rtc-sdk-ng`; empty to look where
    /// `scripts/agora-sdk` puts it.
    #[serde(default)]
    pub sdk: PathBuf,
    /// The hosts that the browser may reach besides this machine: names, or patterns such as
    /// `*.agora.io`. Empty for none.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
}

impl BrowserSettings {
    /// The domains that `agora-rtc-sdk-ng` 4.24.8 names for its service.
    pub const AGORA_HOSTS: [&str; 2] = ["*.agora.io", "*.sd-rtn.com"];
}

/// The job of the `tapedeck rooms` process: it is the other end of the WebRTC connections of all
/// WHIP publishers, and hands what they send to the captures that ask for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomsJob {
    /// [`crate::control::PROTOCOL_VERSION`] of the server that wrote the job.
    pub protocol: u32,
    /// Its working folder, absolute: what it says goes to `folder/rooms.log`.
    pub folder: PathBuf,
    /// The control socket to create, absolute, mode 0600.
    pub socket: PathBuf,
    /// The socket to create at which captures ask for a room's media, absolute, mode 0600.
    pub media_socket: PathBuf,
    /// Ports, addresses and limits.
    pub settings: RoomsSettings,
    /// How long to stay without a server of ours once nobody is recorded, ms.
    pub server_lost_timeout_ms: u64,
}

/// Where publishers reach the rooms process, and how many it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomsSettings {
    /// The UDP ports of which the first free one is used for all publishers, inclusive; none for
    /// no media over UDP.
    pub udp_ports: Option<(u16, u16)>,
    /// Likewise the TCP ports for ICE over TCP (RFC 6544, passive).
    pub tcp_ports: Option<(u16, u16)>,
    /// The local addresses to listen on; empty for all of this machine.
    pub addresses: Vec<IpAddr>,
    /// Addresses to announce instead, for a machine behind one-to-one NAT; empty for none.
    pub public_addresses: Vec<IpAddr>,
    /// A publisher from whom no media comes for so long has left, ms.
    pub publisher_timeout_ms: u64,
    /// The most publishers at once, all rooms together.
    pub max_publishers: usize,
}

impl Default for RoomsSettings {
    fn default() -> Self {
        Self {
            udp_ports: Some((6082, 6181)),
            tcp_ports: Some((6082, 6181)),
            addresses: Vec::new(),
            public_addresses: Vec::new(),
            publisher_timeout_ms: 15_000,
            max_publishers: 100,
        }
    }
}

/// Size and rate of the composed picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Canvas {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// The most frames in a second.
    pub frame_rate: u32,
}

/// When capture stops without being asked. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureLimits {
    /// The longest recording.
    pub max_duration_ms: u64,
    /// How long a room may be without participants.
    pub empty_room_timeout_ms: u64,
    /// How long to try to get back into a room whose server is gone.
    pub source_lost_timeout_ms: u64,
    /// How long to wait for a server of ours to connect before finishing alone.
    pub server_lost_timeout_ms: u64,
}

/// How the capture log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSettings {
    /// Time between two fdatasync calls, ms.
    pub sync_interval_ms: u64,
    /// Size at which a new segment is begun, bytes.
    pub segment_bytes: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            sync_interval_ms: 1_000,
            segment_bytes: 64 << 20,
        }
    }
}

/// Where a render that makes a picture keeps how it looks just now, a JPEG, in the recording's work
/// folder. It is replaced every few seconds.
pub const PREVIEW_FILE: &str = "render/preview.jpg";

/// The job of a `tapedeck render` process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderJob {
    /// [`crate::control::PROTOCOL_VERSION`] of the server that wrote the job.
    pub protocol: u32,
    /// `EG_` and 12 characters.
    pub recording_id: String,
    /// The room's name, for log lines.
    pub room_name: String,
    /// The recording's work folder, absolute; the log is in `folder/log/`, the journal goes to
    /// `folder/render.jsonl`, unfinished output to `folder/render/`.
    pub folder: PathBuf,
    /// The control socket to create, absolute; none for a render by hand.
    pub socket: Option<PathBuf>,
    /// The file to make, absolute.
    pub output: PathBuf,
    /// What it looks and sounds like.
    pub settings: OutputSettings,
    /// How far behind the live edge to stay, ms.
    pub lag_ms: u64,
    /// Whether the log grows no more, though it may lack its end record.
    pub log_is_final: bool,
    /// What the file shows where nothing was captured.
    #[serde(default)]
    pub gaps: GapStyle,
    /// Whether a picture for lists is made as a further file, `output` with the extension `jpg`, and
    /// thumbnails if the settings ask for them.
    #[serde(default)]
    pub poster: bool,
}

/// What a file shows where nothing was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapStyle {
    /// A notice and silence: seconds in the file stay seconds of recording time.
    #[default]
    Notice,
    /// Nothing: the file jumps over it.
    Cut,
}

/// What a recording's file is, and what it looks and sounds like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct OutputSettings {
    /// What kind of file is made. A WAV has no use for what concerns pictures and bit rates.
    #[serde(default)]
    pub format: OutputFormat,
    /// A further WAV for each participant, on the clock of the main one.
    #[serde(default)]
    pub per_speaker: bool,
    /// An MP4 without a picture.
    #[serde(default)]
    pub audio_only: bool,
    /// Size and greatest frame rate.
    pub canvas: Canvas,
    /// Bits per second.
    pub video_bitrate: u32,
    /// Bits per second.
    pub audio_bitrate: u32,
    /// Which H.264 encoder.
    pub encoder: VideoEncoder,
    /// x264's `speed-preset`; not used by openh264.
    pub x264_preset: String,
    /// The longest time between two key frames, ms.
    pub key_frame_interval_ms: u32,
    /// File time from one thumbnail to the next, s; none without thumbnails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_interval_s: Option<u32>,
}

impl OutputSettings {
    /// Whether there is a picture in the file.
    pub fn has_picture(&self) -> bool {
        self.format == OutputFormat::Mp4 && !self.audio_only
    }
}

/// A kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// H.264 and AAC.
    #[default]
    Mp4,
    /// All sound mixed for speech recognition: PCM, 16 kHz, one channel, 16 bits.
    Wav,
}

impl OutputFormat {
    /// What its file names end in, after the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Wav => "wav",
        }
    }
}

fn wanted() -> bool {
    true
}

/// An H.264 encoder of GStreamer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VideoEncoder {
    /// `x264enc`, GPL.
    X264,
    /// `openh264enc`, BSD.
    Openh264,
}
