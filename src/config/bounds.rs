//! What a type cannot tell: ranges, and values that must fit one another.

use std::fmt;
use std::ops::RangeInclusive;

use tapedeck_pipelines::job::OutputFormat;

use crate::auto_record;
use crate::http::{Proxies, separate};
use crate::livekit::ServerAddress;

use super::{Origins, Settings, agora, rooms, storage, webhooks};

/// The presets that x264 knows.
const X264_PRESETS: [&str; 10] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];

/// Bits per second that an AAC encoder takes for stereo.
const AUDIO_BITRATE: RangeInclusive<u64> = 32_000..=320_000;

/// The shortest key, characters.
const SHORTEST_KEY: usize = 8;

/// All mistakes, each with place, key and bounds.
pub fn check(settings: &Settings, origins: &Origins) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut refuse = |key: &str, reason: String| {
        mistakes.push(format!("{}: {key} {reason}", origins.place(key)));
    };

    let Settings {
        server,
        auth,
        livekit,
        rooms,
        data,
        recording,
        video,
        audio,
        limits,
        ..
    } = settings;
    let ranges: [(&str, u64, RangeInclusive<u64>); 40] = [
        // 0 would let Agora choose one.
        ("agora.uid", settings.agora.uid.into(), 1..=u32::MAX.into()),
        (
            "agora.join_timeout_s",
            settings.agora.join_timeout_s,
            1..=300,
        ),
        ("agora.stop_wait_s", settings.agora.stop_wait_s, 1..=300),
        (
            "storage.uploads_at_once",
            settings.storage.uploads_at_once as u64,
            1..=64,
        ),
        (
            "storage.retry_max_s",
            settings.storage.retry_max_s,
            1..=3_600,
        ),
        // What S3 signs at most.
        (
            "storage.url_valid_s",
            settings.storage.url_valid_s,
            1..=604_800,
        ),
        ("webhooks.timeout_s", settings.webhooks.timeout_s, 1..=120),
        (
            "webhooks.retry_max_s",
            settings.webhooks.retry_max_s,
            1..=86_400,
        ),
        (
            "webhooks.give_up_after_h",
            settings.webhooks.give_up_after_h,
            1..=8_760,
        ),
        ("webhooks.keep_h", settings.webhooks.keep_h, 1..=8_760),
        ("server.port", server.port.into(), 1..=65_535),
        (
            "server.max_body_bytes",
            server.max_body_bytes as u64,
            4_096..=16 << 20,
        ),
        (
            "server.finish_timeout_s",
            server.finish_timeout_s,
            1..=86_400,
        ),
        (
            "server.requests_per_s",
            server.requests_per_s.into(),
            0..=1_000_000,
        ),
        (
            "server.failed_logins_per_min",
            server.failed_logins_per_min.into(),
            0..=1_000_000,
        ),
        (
            "server.connections_per_client",
            server.connections_per_client as u64,
            0..=1_024,
        ),
        (
            "livekit.request_timeout_ms",
            livekit.request_timeout_ms,
            100..=60_000,
        ),
        ("livekit.token_ttl_s", livekit.token_ttl_s, 60..=31_536_000),
        (
            "rooms.publisher_timeout_s",
            rooms.publisher_timeout_s,
            2..=3_600,
        ),
        (
            "rooms.max_publishers",
            rooms.max_publishers as u64,
            1..=10_000,
        ),
        ("data.min_free_mb", data.min_free_mb, 0..=1_000_000_000),
        (
            "recording.max_recordings",
            recording.max_recordings as u64,
            0..=1_000,
        ),
        (
            "recording.max_cpu_percent",
            u64::from(recording.max_cpu_percent),
            0..=1_000,
        ),
        (
            "recording.start_timeout_s",
            recording.start_timeout_s,
            1..=300,
        ),
        (
            "recording.stop_timeout_s",
            recording.stop_timeout_s,
            1..=300,
        ),
        (
            "recording.max_duration_s",
            recording.max_duration_s,
            1..=limits.max_duration_s,
        ),
        (
            "recording.empty_room_timeout_s",
            recording.empty_room_timeout_s,
            1..=86_400,
        ),
        (
            "recording.source_lost_timeout_s",
            recording.source_lost_timeout_s,
            1..=86_400,
        ),
        (
            "recording.server_lost_timeout_s",
            recording.server_lost_timeout_s,
            1..=86_400,
        ),
        (
            "recording.sync_interval_ms",
            recording.sync_interval_ms,
            10..=60_000,
        ),
        (
            "recording.render_lag_ms",
            recording.render_lag_ms,
            200..=60_000,
        ),
        ("limits.max_width", limits.max_width.into(), 16..=7_680),
        ("limits.max_height", limits.max_height.into(), 16..=4_320),
        ("limits.max_framerate", limits.max_framerate.into(), 1..=120),
        (
            "limits.min_video_bitrate",
            limits.min_video_bitrate.into(),
            10_000..=limits.max_video_bitrate.into(),
        ),
        (
            "limits.max_video_bitrate",
            limits.max_video_bitrate.into(),
            10_000..=200_000_000,
        ),
        // A token that outlives it by a day must still be accepted.
        (
            "limits.max_duration_s",
            limits.max_duration_s,
            1..=2_592_000,
        ),
        ("audio.bitrate", audio.bitrate.into(), AUDIO_BITRATE),
        (
            "video.key_frame_interval_ms",
            video.key_frame_interval_ms.into(),
            250..=60_000,
        ),
        (
            "video.thumbnail_interval_s",
            video.thumbnail_interval_s.into(),
            0..=3_600,
        ),
    ];
    for (key, value, range) in ranges {
        if !range.contains(&value) {
            refuse(
                key,
                format!(
                    "is {value}, must be from {} to {}",
                    range.start(),
                    range.end()
                ),
            );
        }
    }
    for (name, value, bounds) in settings.limits.of_video(video) {
        if let Err(reason) = bounds.check(value) {
            refuse(&format!("video.{name}"), format!("is {value}, {reason}"));
        }
    }
    if !X264_PRESETS.contains(&video.x264_preset.as_str()) {
        refuse(
            "video.x264_preset",
            format!(
                "is {}, must be one of {}",
                video.x264_preset,
                X264_PRESETS.join(", ")
            ),
        );
    }
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (key, secret) in [
        ("auth.operator_key", &auth.operator_key),
        ("auth.client_key", &auth.client_key),
        ("auth.read_key", &auth.read_key),
    ] {
        for one in separate(secret.reveal()) {
            if let Err(reason) = check_key(one) {
                refuse(key, reason);
            }
            match seen.iter().find(|(_, known)| *known == one) {
                Some((of, _)) => refuse(
                    key,
                    format!("is also in {of}: one key cannot be for two things, draw another"),
                ),
                None => seen.push((key, one)),
            }
        }
    }
    if livekit.is_configured()
        && let Err(reason) = livekit.url.parse::<ServerAddress>()
    {
        refuse("livekit.url", reason.to_string());
    }
    for (key, reason) in rooms::mistakes(rooms) {
        refuse(key, reason.to_string());
    }
    if let Err(reason) = agora::allowed_hosts(&settings.agora.allowed_hosts) {
        refuse("agora.allowed_hosts", reason.to_string());
    }
    if let Err(reason) = Proxies::parse(&server.trusted_proxies) {
        refuse("server.trusted_proxies", reason.to_string());
    }
    let texts = [
        ("server.host", &server.host),
        ("livekit.api_key", &livekit.api_key),
        ("data.dir", &settings.data.dir),
        ("storage.recordings_path", &settings.storage.recordings_path),
    ];
    for (key, text) in texts {
        if text.trim().is_empty() {
            refuse(key, "must not be empty".to_owned());
        }
    }
    for (key, reason) in storage::mistakes(settings) {
        refuse(key, reason.to_owned());
    }
    let auto_record = &settings.auto_record;
    match auto_record::patterns(&auto_record.rooms) {
        Err(mistake) => refuse("auto_record.rooms", mistake.to_string()),
        Ok(patterns) if !patterns.is_empty() && !livekit.is_configured() => {
            let reason = "needs livekit.url (LIVEKIT_URL): its rooms are meant";
            refuse("auto_record.rooms", reason.to_owned());
        }
        Ok(_) => {}
    }
    match auto_record.format {
        OutputFormat::Mp4 if auto_record.per_speaker => refuse(
            "auto_record.per_speaker",
            "is possible with auto_record.format = \"wav\" only".to_owned(),
        ),
        OutputFormat::Wav if auto_record.audio_only => refuse(
            "auto_record.audio_only",
            "is possible with auto_record.format = \"mp4\" only: a WAV has no picture".to_owned(),
        ),
        _ => {}
    }
    if let Err(mistake) = webhooks::urls(&settings.webhooks.urls) {
        refuse("webhooks.urls", mistake.to_string());
    }
    if settings.webhooks.api_key.is_empty() != settings.webhooks.api_secret.is_empty() {
        let reason = "and webhooks.api_secret belong together: set both, or none";
        refuse("webhooks.api_key", reason.to_owned());
    }
    if livekit.api_secret.is_empty() {
        refuse("livekit.api_secret", "must not be empty".to_owned());
    }
    mistakes
}

fn check_key(key: &str) -> Result<(), String> {
    if key.chars().count() < SHORTEST_KEY {
        return Err(format!(
            "is shorter than {SHORTEST_KEY} characters: try `openssl rand -hex 24`"
        ));
    }
    if key.chars().any(|c| !c.is_ascii_graphic()) {
        return Err("must hold only printable ASCII characters without spaces".to_owned());
    }
    Ok(())
}

/// What a value of the picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub least: u32,
    pub most: u32,
    pub even: bool,
    pub unit: &'static str,
}

impl Bounds {
    /// # Errors
    /// The bounds in words, when `value` is outside.
    pub fn check(&self, value: impl Into<i128>) -> Result<(), String> {
        let value = value.into();
        let inside = (i128::from(self.least)..=i128::from(self.most)).contains(&value);
        if inside && (!self.even || value % 2 == 0) {
            return Ok(());
        }
        Err(self.to_string())
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let even = if self.even { "even and " } else { "" };
        write!(
            f,
            "must be {even}from {} to {} {}",
            self.least, self.most, self.unit
        )
    }
}

impl super::Limits {
    pub fn width(&self) -> Bounds {
        Bounds {
            least: 16,
            most: self.max_width,
            even: true,
            unit: "pixels",
        }
    }

    pub fn height(&self) -> Bounds {
        Bounds {
            least: 16,
            most: self.max_height,
            even: true,
            unit: "pixels",
        }
    }

    pub fn framerate(&self) -> Bounds {
        Bounds {
            least: 1,
            most: self.max_framerate,
            even: false,
            unit: "frames per second",
        }
    }

    pub fn video_bitrate(&self) -> Bounds {
        Bounds {
            least: self.min_video_bitrate,
            most: self.max_video_bitrate,
            even: false,
            unit: "bits per second",
        }
    }

    fn of_video(&self, video: &super::Video) -> [(&'static str, u32, Bounds); 4] {
        [
            ("width", video.width, self.width()),
            ("height", video.height, self.height()),
            ("framerate", video.framerate, self.framerate()),
            ("bitrate", video.bitrate, self.video_bitrate()),
        ]
    }
}
