//! Agora's service as far as a recorder sees it, played on this machine: a stand-in for the SDK
//! that the recorder's page loads, publishers in a Chromium of their own that send real WebRTC, and
//! the signalling between them. Whatever Agora may tell a recorder can be told here.

mod http;
mod processes;
mod recorder;
mod signalling;

pub use processes::{BrowserProcess, Victims};
pub use recorder::{Ended, Log, Recorder};

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::Browser;
use crate::wait::until;

use signalling::Signalling;

/// An id as Agora's projects have.
pub const APP_ID: &str = "970ca35de60c44645bbae8a215061b33";

/// The user id of recorders.
pub const RECORDER: u32 = 999_999;

/// Chromium hands out names in place of addresses, which nobody here resolves.
const FLAGS: [&str; 3] = [
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
];

/// How a channel treats recorders that want to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joining {
    Welcome,
    /// With Agora's code and message.
    Refused(&'static str, &'static str),
    /// Nothing is ever answered.
    Ignored,
}

/// Who has a voice in a channel.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    pub uid: u32,
    /// Of a steady tone, Hz.
    pub pitch: f32,
    /// Its amplitude, 1 for full scale.
    pub level: f32,
}

/// A speaker with a low voice.
pub const ANN: Speaker = Speaker {
    uid: 7,
    pitch: 440.0,
    level: 0.25,
};
/// A speaker with a high and softer one.
pub const BOB: Speaker = Speaker {
    uid: 8,
    pitch: 1_000.0,
    level: 0.125,
};

/// The service; it ends when dropped.
pub struct Agora {
    signalling: Signalling,
    publishers: Option<Browser>,
    folder: TempDir,
}

impl Agora {
    /// A service with channels that nobody is in.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start() -> Self {
        let signalling = Signalling::start().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let agora = Self {
            signalling,
            publishers: None,
            folder,
        };
        let code = [
            format!(
                "globalThis.STAND_IN = {{ address: {:?} }};",
                agora.address()
            ),
            include_str!("common.js").to_owned(),
            include_str!("stand-in.js").to_owned(),
        ];
        std::fs::write(agora.sdk(), code.join("\n")).expect("a writable folder");
        agora
    }

    fn address(&self) -> String {
        format!("http://{}", self.signalling.address)
    }

    /// The file that stands in for Agora's SDK.
    pub fn sdk(&self) -> PathBuf {
        self.folder.path().join("stand-in.js")
    }

    /// Lets somebody speak in a channel, and waits until they are in it.
    ///
    /// # Panics
    /// Chromium is missing, or does not join.
    pub async fn speak(&mut self, channel: &str, speaker: Speaker) {
        let address = format!(
            "{}/publisher?channel={channel}&uid={}&frequency={}&level={}",
            self.address(),
            speaker.uid,
            speaker.pitch,
            speaker.level
        );
        let browser = self
            .publishers
            .get_or_insert_with(|| Browser::start(&FLAGS));
        // The tab stays open with its browser.
        browser.open(&address).await;
        let signalling = &self.signalling;
        let is_there = || async { signalling.has(channel, speaker.uid).then_some(()) };
        until("a speaker joins", Duration::from_secs(30), is_there).await;
    }

    /// How recorders are treated from now on.
    pub fn treat_recorders(&self, joining: Joining) {
        self.signalling.lock().joining = joining;
    }

    /// Tells the recorders of a channel that its connection is in another state (`ConnectionState`,
    /// `ConnectionDisconnectedReason`).
    pub fn connection(&self, channel: &str, state: &str, reason: &str) {
        let event = json!({ "type": "state", "state": state, "reason": reason });
        self.signalling.tell_audience(channel, &event);
    }

    /// Somebody else joins a channel under the user id of its recorders.
    pub fn take_user_id(&self, channel: &str) {
        self.signalling
            .tell_audience(channel, &json!({ "type": "uid-taken" }));
    }

    /// The SDK of the recorders of a channel gets another session: it receives whom it received
    /// over other connections, without telling of it otherwise than its own does.
    pub fn renew_session(&self, channel: &str) {
        self.signalling
            .tell_audience(channel, &json!({ "type": "renew-session" }));
    }

    /// The SDK of the recorders of a channel refuses to receive a speaker, so many times.
    pub fn refuse_subscriptions(&self, channel: &str, count: u32) {
        let event = json!({ "type": "refuse-subscriptions", "count": count });
        self.signalling.tell_audience(channel, &event);
    }

    /// Raises an event without fields.
    pub fn raise(&self, channel: &str, name: &str) {
        let event = json!({ "type": "raise", "name": name });
        self.signalling.tell_audience(channel, &event);
    }

    /// A speaker turns the microphone on or off.
    pub fn mute(&self, channel: &str, uid: u32, muted: bool) {
        let kind = if muted { "unpublished" } else { "published" };
        let event = json!({ "type": kind, "uid": uid });
        self.signalling.tell_audience(channel, &event);
    }

    /// All speakers leave, whatever channel they are in.
    pub fn all_leave(&mut self) {
        self.publishers = None;
    }

    /// With what recorders joined a channel, and the tokens that they renewed theirs with.
    pub fn asked(&self) -> Vec<Value> {
        self.signalling.lock().asked.clone()
    }

    /// How many recorders are in a channel.
    pub fn recorders(&self, channel: &str) -> usize {
        self.signalling.audience(channel)
    }

    /// The folder for what a test needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
