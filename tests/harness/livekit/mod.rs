//! A real livekit-server on loopback.

mod binary;
mod rooms;

pub use rooms::{ParticipantInfo, RoomInfo};

use std::process::Command;
use std::time::{Duration, Instant};

use livekit_api::access_token::{AccessToken, VideoGrants};
use tempfile::TempDir;

use crate::children::Process;
use crate::{http, ports};

/// The API key of every test server.
pub const API_KEY: &str = "devkey";
/// The API secret of every test server.
pub const API_SECRET: &str = "secret-of-the-tests-0123456789abcdef";

/// The address that the server announces to clients. It listens for media on 127.0.0.1 only, so
/// that [`crate::proxy::UdpProxy`] can stand in between on this one.
pub const PROXY_IP: &str = "127.0.0.2";

/// How a server treats rooms and where clients find its media port.
#[derive(Clone, Copy, Debug)]
pub struct LivekitOptions {
    /// How long a room without participants lives before the first one came, s.
    pub empty_timeout: u32,
    /// How long a room lives after its last participant left, s.
    pub departure_timeout: u32,
    /// Whether media addresses lead to [`PROXY_IP`] instead of the server itself.
    pub behind_proxy: bool,
    /// What media can come and go over.
    pub media: Media,
    /// The port of 127.0.0.1 to which it sends its webhooks.
    pub webhook_port: Option<u16>,
}

/// What media can come and go over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    #[default]
    Udp,
    /// TCP too (RFC 6544). Such a server is an ICE lite agent.
    UdpAndTcp,
    /// TCP alone.
    Tcp,
}

impl Default for LivekitOptions {
    fn default() -> Self {
        Self {
            empty_timeout: 60,
            departure_timeout: 3,
            behind_proxy: false,
            media: Media::Udp,
            webhook_port: None,
        }
    }
}

/// A running livekit-server; killed when dropped.
pub struct Livekit {
    process: Process,
    http: reqwest::Client,
    /// The port of signalling and the room service.
    pub port: u16,
    /// The port of all media.
    pub media_port: u16,
    _folder: TempDir,
}

impl Livekit {
    /// Starts a server with default options.
    pub async fn start() -> Self {
        Self::start_with(LivekitOptions::default()).await
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// The program is missing (the message says how to get it) or does not start.
    pub async fn start_with(options: LivekitOptions) -> Self {
        Self::start_on(ports::free_port(), ports::free_port(), options).await
    }

    /// As [`Livekit::start_with`], on given ports: what a server does that is started again.
    pub async fn start_on(port: u16, media_port: u16, options: LivekitOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("livekit-server.log");
        let mut command = Command::new(binary::find());
        command
            .arg("--config-body")
            .arg(config(port, media_port, options));
        let process =
            Process::start("livekit-server", command, &log).expect("livekit-server can be started");
        let mut server = Self {
            process,
            http: http::client(),
            port,
            media_port,
            _folder: folder,
        };
        server.wait_until_ready().await;
        server
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.http.get(self.http_url()).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.process.ended();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "livekit-server did not start (exit {ended:?}):\n{}",
                self.process.log_tail(40)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `ws://…`, for participants.
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// `http://…`, for the room service.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A token for an ordinary participant.
    pub fn participant_token(&self, room: &str, identity: &str, name: &str) -> String {
        participant_token(room, identity, name, true)
    }

    /// What the server said so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// A token for a participant; one that may not subscribe needs one peer connection only.
pub(crate) fn participant_token(
    room: &str,
    identity: &str,
    name: &str,
    can_subscribe: bool,
) -> String {
    AccessToken::with_api_key(API_KEY, API_SECRET)
        .with_identity(identity)
        .with_name(name)
        .with_ttl(Duration::from_secs(6 * 3600))
        .with_grants(VideoGrants {
            room_join: true,
            room: room.to_owned(),
            can_publish: Some(true),
            can_subscribe: Some(can_subscribe),
            can_publish_data: Some(true),
            ..Default::default()
        })
        .to_jwt()
        .expect("a token")
}

fn config(port: u16, media_port: u16, options: LivekitOptions) -> String {
    let node_ip = if options.behind_proxy {
        PROXY_IP
    } else {
        "127.0.0.1"
    };
    // A lite agent only answers: it does not look for a way past the proxy.
    let LivekitOptions {
        empty_timeout,
        departure_timeout,
        behind_proxy,
        media,
        webhook_port,
    } = options;
    let ice_lite = behind_proxy || media == Media::UdpAndTcp;
    let force_tcp = media == Media::Tcp;
    let tcp_port = match media {
        Media::Udp => 0,
        Media::UdpAndTcp | Media::Tcp => ports::free_port(),
    };
    let webhook = webhook_port.map_or(String::new(), |port| {
        format!(
            "webhook: {{api_key: {API_KEY}, urls: ['http://127.0.0.1:{port}/livekit/webhook']}}"
        )
    });
    format!(
        "port: {port}
bind_addresses: [127.0.0.1]
rtc:
  tcp_port: {tcp_port}
  force_tcp: {force_tcp}
  udp_port: {media_port}
  use_external_ip: false
  node_ip: {node_ip}
  use_ice_lite: {ice_lite}
  enable_loopback_candidate: true
  interfaces: {{includes: [lo]}}
keys: {{{API_KEY}: {API_SECRET}}}
room: {{auto_create: true, empty_timeout: {empty_timeout}, departure_timeout: {departure_timeout}}}
logging: {{level: warn}}
{webhook}
"
    )
}
