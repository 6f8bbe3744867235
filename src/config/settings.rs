//! The configuration as one struct. Names and types of all keys, the names of their environment
//! variables and the defaults are read from it, so nothing has to be listed a second time.

use serde::{Deserialize, Serialize};
use tapedeck_actors::{Keep, SourceKind};
use tapedeck_pipelines::job::{BrowserSettings, GapStyle, OutputFormat, Secret, VideoEncoder};

use crate::agora::TokenVersion;

/// The secret of `livekit-server --dev`, which everybody knows.
const WELL_KNOWN_SECRET: &str = "secret";

/// Everything that can be configured. What each key means is told in `config/tapedeck.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub server: Server,
    pub auth: Auth,
    pub livekit: Livekit,
    pub rooms: Rooms,
    pub agora: Agora,
    pub data: Data,
    pub storage: Storage,
    pub s3: S3,
    pub firebase: Firebase,
    pub azure: Azure,
    pub recording: Recording,
    pub video: Video,
    pub audio: Audio,
    pub limits: Limits,
    pub webhooks: Webhooks,
    pub auto_record: AutoRecord,
    pub log: Log,
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Address or name to listen on.
    pub host: String,
    pub port: u16,
    /// The largest request body, bytes.
    pub max_body_bytes: usize,
    /// What SIGTERM does.
    pub on_sigterm: OnTerminate,
    /// How long running recordings are waited for when they are finished, s.
    pub finish_timeout_s: u64,
    /// Proxies whose `X-Forwarded-…` headers are believed: addresses and networks, separated by
    /// commas; empty for none.
    pub trusted_proxies: String,
    /// Requests that one client may send in a second, on average and at once; 0 for any number.
    pub requests_per_s: u32,
    /// Likewise in a minute requests with a wrong key or token.
    pub failed_logins_per_min: u32,
    /// Connections that one client may have; 0 for any number.
    pub connections_per_client: usize,
}

/// What the server does with running recordings when it is told to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTerminate {
    /// They go on without it; the next server takes them over.
    #[default]
    HandOver,
    /// They are stopped, rendered and delivered first.
    Finish,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Auth {
    /// Who may call the clients' paths.
    pub clients: ClientAccess,
    /// Whether an operator key is drawn into the data folder when none is configured and others can
    /// reach the server.
    pub draw_operator_key: bool,
    /// Opens everything; several are separated by commas, empty for none. So are the others.
    pub operator_key: Secret,
    /// Opens the clients' paths when `clients` is `key`.
    pub client_key: Secret,
    /// Opens what only reads.
    pub read_key: Secret,
}

/// Who may call the clients' paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAccess {
    /// Not decided: with a key as soon as one is set, else open on a loopback address.
    #[default]
    #[serde(rename = "")]
    Unset,
    Open,
    Key,
}

/// A LiveKit or OpenVidu server whose rooms are recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Livekit {
    /// `http`, `https`, `ws` or `wss` address; empty for none.
    pub url: String,
    pub api_key: String,
    pub api_secret: Secret,
    /// How long a request to the room service may take, ms.
    pub request_timeout_ms: u64,
    /// How long a token of `POST /token` is valid, s.
    pub token_ttl_s: u64,
    /// Whether these tokens carry `roomRecord`.
    pub token_room_record: bool,
}

/// The rooms of this server, to which participants publish by WHIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rooms {
    /// UDP ports, see [`super::rooms::ports`]; empty for no media over UDP.
    pub udp_ports: String,
    /// Likewise TCP.
    pub tcp_ports: String,
    /// Local addresses to listen on, see [`super::rooms::addresses`]; empty for all.
    pub addresses: String,
    /// Addresses to announce instead of them; empty for none.
    pub public_addresses: String,
    /// A publisher from whom no media comes for so long has left, s.
    pub publisher_timeout_s: u64,
    /// The most publishers at once, all rooms together.
    pub max_publishers: usize,
}

/// An app of Agora, whose channels are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agora {
    /// 32 hexadecimal digits; empty for none.
    pub app_id: String,
    /// Likewise.
    pub app_certificate: Secret,
    pub token_version: TokenVersion,
    /// The recorder's user id in channels; nobody else may have it.
    pub uid: u32,
    /// How long a start may take until the recorder is in the channel, s.
    pub join_timeout_s: u64,
    /// How long `POST /api/recording/stop` waits until the file is in its store, s.
    pub stop_wait_s: u64,
    /// Chromium's executable; empty to look for it.
    pub chromium: String,
    /// Agora's SDK for browsers; empty for where `scripts/agora-sdk` puts it.
    pub sdk: String,
    /// Hosts that the browser may reach, see [`super::agora::allowed_hosts`]; empty for none.
    pub allowed_hosts: String,
    /// Where the server listens besides `server.port` when there is an app; 0 for nowhere.
    pub port: u16,
    /// The file of what is asked of `/api`, relative to the data folder or absolute.
    pub api_log: String,
}

/// Where recordings live until they are delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The data folder, relative to the working directory or absolute.
    pub dir: String,
    /// With less free space on its disk no recording is begun, MB (1,000,000 bytes).
    pub min_free_mb: u64,
    /// How long rendered files stay here after their delivery.
    pub keep_files: Keep,
    /// Likewise capture logs.
    pub keep_logs: Keep,
}

/// Where finished recordings are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    pub kind: StorageKind,
    /// On disk a folder, relative to the data folder or absolute; in a bucket what the keys of all
    /// recordings begin with.
    pub recordings_path: String,
    /// Where recordings of each source go instead of `kind`; empty for there.
    pub livekit: StorageKind,
    pub whip: StorageKind,
    /// Left empty: to Firebase if there is a bucket, as Memharbor did.
    pub agora: StorageKind,
    /// Uploads at the same time.
    pub uploads_at_once: usize,
    /// The longest pause between two tries of an upload, s.
    pub retry_max_s: u64,
    /// What address of a recording clients are given.
    pub playback: Playback,
    /// How long an address at the store is valid, s.
    pub url_valid_s: u64,
}

/// What address of a recording clients are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Playback {
    /// At the store where it gives one, else a signed link to this server.
    #[default]
    #[serde(alias = "S3")]
    Store,
    /// The path at this server.
    #[serde(alias = "PROXY")]
    Server,
}

/// The kinds of place for finished recordings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// Not decided: the first that is named of S3's bucket, Firebase's and Azure's container, else the
    /// disk.
    #[default]
    #[serde(rename = "")]
    Unset,
    Disk,
    S3,
    Firebase,
    Azure,
}

/// A bucket of AWS, or of a server that speaks like it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct S3 {
    /// `http` or `https` address; empty for AWS.
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    /// Empty for AWS's usual sources of credentials.
    pub access_key: String,
    pub secret_key: Secret,
    /// Of temporary credentials; empty for none.
    pub session_token: Secret,
    /// PEM file of certificates to trust besides the system's; empty for none.
    pub ca_file: String,
}

/// A Firebase project: a bucket of Google Cloud Storage, and Firestore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Firebase {
    /// The JSON of a service account's key, or a file that holds it.
    pub service_account: Secret,
    /// Empty for the project of the service account.
    pub project_id: String,
    pub bucket: String,
    pub urls: FirebaseUrls,
    /// Whether emulators take the place of Google.
    pub use_emulator: bool,
    /// Host and port, such as `localhost:9199`.
    pub storage_emulator_host: String,
    /// Likewise of Firestore.
    pub firestore_emulator_host: String,
}

/// Who can open the address of a recording in Firebase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirebaseUrls {
    /// Whoever has it, for a week at most.
    #[default]
    Signed,
    /// Everybody: the bucket lets them.
    Public,
}

/// A container of Azure Blob Storage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Azure {
    /// `http` or `https` address; empty for Azure's own.
    pub endpoint: String,
    pub account: String,
    /// Empty for Azure's usual sources of credentials.
    pub account_key: Secret,
    pub container: String,
}

/// How recordings begin and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Recordings that may be live or rendering at once; 0 for as many as the machine can take.
    pub max_recordings: usize,
    /// Percent of the cores that running recordings may need for another one to begin; 0 if that
    /// does not matter.
    pub max_cpu_percent: u32,
    pub start_timeout_s: u64,
    pub stop_timeout_s: u64,
    /// The longest recording unless a request says otherwise, s.
    pub max_duration_s: u64,
    pub empty_room_timeout_s: u64,
    pub source_lost_timeout_s: u64,
    pub server_lost_timeout_s: u64,
    /// Time between two fdatasync calls of the capture log, ms.
    pub sync_interval_ms: u64,
    /// How far a render stays behind the live edge, ms.
    pub render_lag_ms: u64,
    /// What a file shows where nothing was captured.
    pub gaps: GapStyle,
    /// Whether processes of recordings are kept from other files.
    pub sandbox: bool,
}

/// What the picture looks like unless a request says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Video {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// The most frames in a second.
    pub framerate: u32,
    /// Bits per second.
    pub bitrate: u32,
    pub encoder: VideoEncoder,
    pub x264_preset: String,
    /// The longest time between two key frames, ms.
    pub key_frame_interval_ms: u32,
    /// A picture of its own after each so many seconds; 0 for none.
    pub thumbnail_interval_s: u32,
}

/// What the sound is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    /// Bits per second.
    pub bitrate: u32,
}

/// The most that a request may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Pixels.
    pub max_width: u32,
    /// Pixels.
    pub max_height: u32,
    /// Frames per second.
    pub max_framerate: u32,
    /// Bits per second.
    pub min_video_bitrate: u32,
    /// Bits per second.
    pub max_video_bitrate: u32,
    /// Seconds.
    pub max_duration_s: u64,
}

/// Who is told what becomes of recordings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhooks {
    /// Addresses, see [`super::webhooks::urls`]; empty for none.
    pub urls: String,
    /// What webhooks are signed with; empty for that of `livekit`.
    pub api_key: String,
    /// Likewise.
    pub api_secret: Secret,
    /// How long a receiver may take to answer, s.
    pub timeout_s: u64,
    /// The longest pause between two tries, s.
    pub retry_max_s: u64,
    /// An event that is older is given up, h.
    pub give_up_after_h: u64,
    /// How long events are kept after the last one of a recording was delivered or given up, h.
    pub keep_h: u64,
}

/// Rooms of LiveKit that are recorded by themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AutoRecord {
    /// Names with wildcards, see [`crate::auto_record::patterns`]; empty for none.
    pub rooms: String,
    pub format: OutputFormat,
    /// An MP4 without picture.
    pub audio_only: bool,
    /// With a WAV one more for each speaker.
    pub per_speaker: bool,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// A filter as env_logger reads it.
    pub level: String,
}

impl Settings {
    /// Where a room lives when a request does not say.
    pub fn default_source(&self) -> SourceKind {
        match self.livekit.is_configured() {
            true => SourceKind::Livekit,
            false => SourceKind::Whip,
        }
    }
}

impl Livekit {
    /// Whether there is a server.
    pub fn is_configured(&self) -> bool {
        !self.url.trim().is_empty()
    }

    /// Whether `api_secret` is one that everybody knows.
    pub fn has_well_known_secret(&self) -> bool {
        self.api_secret.reveal() == WELL_KNOWN_SECRET
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 6080,
            max_body_bytes: 65_536,
            on_sigterm: OnTerminate::default(),
            finish_timeout_s: 300,
            trusted_proxies: String::new(),
            requests_per_s: 500,
            failed_logins_per_min: 60,
            connections_per_client: 256,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            clients: ClientAccess::Unset,
            draw_operator_key: false,
            operator_key: Secret::new(""),
            client_key: Secret::new(""),
            read_key: Secret::new(""),
        }
    }
}

impl Default for Livekit {
    fn default() -> Self {
        Self {
            url: String::new(),
            // What `livekit-server --dev` and the OpenVidu tutorials use.
            api_key: "devkey".into(),
            api_secret: Secret::new(WELL_KNOWN_SECRET),
            request_timeout_ms: 4_000,
            token_ttl_s: 21_600,
            token_room_record: false,
        }
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            udp_ports: "6082-6181".into(),
            tcp_ports: "6082-6181".into(),
            addresses: String::new(),
            public_addresses: String::new(),
            publisher_timeout_s: 15,
            max_publishers: 100,
        }
    }
}

impl Agora {
    /// Whether there is an app.
    pub fn is_configured(&self) -> bool {
        !self.app_id.trim().is_empty()
    }
}

impl Default for Agora {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            app_certificate: Secret::new(""),
            token_version: TokenVersion::default(),
            // Memharbor's.
            uid: 999_999,
            join_timeout_s: 20,
            stop_wait_s: 50,
            chromium: String::new(),
            sdk: String::new(),
            allowed_hosts: BrowserSettings::AGORA_HOSTS.join(","),
            port: 8001,
            api_log: "logs/api.log".into(),
        }
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            urls: String::new(),
            api_key: String::new(),
            api_secret: Secret::new(""),
            timeout_s: 10,
            retry_max_s: 300,
            give_up_after_h: 72,
            keep_h: 168,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            dir: "data".into(),
            min_free_mb: 1_000,
            keep_files: Keep::default(),
            keep_logs: Keep::default(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            kind: StorageKind::Unset,
            recordings_path: "recordings/".into(),
            livekit: StorageKind::Unset,
            whip: StorageKind::Unset,
            agora: StorageKind::Unset,
            uploads_at_once: 2,
            retry_max_s: 60,
            playback: Playback::default(),
            url_valid_s: 86_400,
        }
    }
}

impl Default for Firebase {
    fn default() -> Self {
        Self {
            service_account: Secret::new(""),
            project_id: String::new(),
            bucket: String::new(),
            urls: FirebaseUrls::default(),
            use_emulator: false,
            storage_emulator_host: String::new(),
            firestore_emulator_host: String::new(),
        }
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            max_recordings: 8,
            max_cpu_percent: 100,
            start_timeout_s: 10,
            stop_timeout_s: 25,
            max_duration_s: 21_600,
            empty_room_timeout_s: 300,
            source_lost_timeout_s: 300,
            server_lost_timeout_s: 600,
            sync_interval_ms: 1_000,
            render_lag_ms: 1_500,
            gaps: GapStyle::default(),
            sandbox: true,
        }
    }
}

impl Default for Video {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            framerate: 30,
            bitrate: 2_500_000,
            encoder: VideoEncoder::X264,
            x264_preset: "superfast".into(),
            key_frame_interval_ms: 4_000,
            thumbnail_interval_s: 0,
        }
    }
}

impl Default for Audio {
    fn default() -> Self {
        Self { bitrate: 128_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_width: 3840,
            max_height: 2160,
            max_framerate: 60,
            min_video_bitrate: 50_000,
            max_video_bitrate: 20_000_000,
            max_duration_s: 86_400,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
        }
    }
}
