//! Recorders whose processes are played by the `rehearsal` example.

#![allow(dead_code, unused_imports)]

mod server;
mod store;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
pub use rustix::process::Signal;
use tapedeck_actors::*;
use tapedeck_pipelines::control::{WhipAnswer, WhipMedia, WhipRequest};
use tapedeck_pipelines::job::{
    BrowserSettings, Canvas, CaptureLimits, GapStyle, OutputFormat, OutputSettings, Secret, Source,
    VideoEncoder,
};
use tapedeck_storage::{DiskStore, RecordingMetadata, Stores};
use tokio::time::{Instant, sleep};

pub use server::{Server, next_server};
pub use store::{AWAY_FOR, TroubledStore};

pub const TOKEN: &str = "a-token-that-nobody-may-see";

/// The program that plays capture and render, built with the tests.
pub fn rehearsal() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/rehearsal");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --example rehearsal`",
        path.display()
    );
    path
}

pub fn settings(data_dir: &Path) -> RecorderSettings {
    RecorderSettings {
        data_dir: data_dir.to_path_buf(),
        executable: rehearsal(),
        output: output(),
        rooms: Default::default(),
        limits: CaptureLimits {
            max_duration_ms: 3_600_000,
            empty_room_timeout_ms: 1_000,
            source_lost_timeout_ms: 1_000,
            server_lost_timeout_ms: 1_000,
        },
        render_lag_ms: 1_500,
        gaps: GapStyle::default(),
        store_dir: None,
        uploads: UploadSettings::default(),
        retention: RetentionSettings::default(),
        webhooks: Default::default(),
        address: "127.0.0.1:1".into(),
        min_free_bytes: 0,
        max_recordings: 100,
        max_cpu_percent: 0,
        start_timeout: Duration::from_secs(20),
        capture_restart_pause: Duration::from_millis(50),
        stop_timeout: Duration::from_secs(60),
        sync_interval: Duration::from_secs(1),
    }
}

pub fn output() -> OutputSettings {
    OutputSettings {
        format: OutputFormat::Mp4,
        per_speaker: false,
        audio_only: false,
        canvas: Canvas {
            width: 1280,
            height: 720,
            frame_rate: 30,
        },
        video_bitrate: 2_000_000,
        audio_bitrate: 128_000,
        encoder: VideoEncoder::X264,
        x264_preset: "veryfast".into(),
        key_frame_interval_ms: 2_000,
        thumbnail_interval_s: None,
    }
}

pub fn request(room_name: &str) -> StartRequest {
    StartRequest {
        room_name: room_name.into(),
        source: SourceKind::Livekit,
        output: output(),
        max_duration_ms: None,
        metadata: None,
        idempotency_key: None,
    }
}

/// A recording of a room of our own.
pub fn whip_recording(room_name: &str) -> StartRequest {
    StartRequest {
        source: SourceKind::Whip,
        ..request(room_name)
    }
}

/// Somebody wants to publish in a room of our own.
pub fn publish(room: &str, identity: &str) -> WhipRequest {
    WhipRequest::Publish {
        room: room.into(),
        identity: identity.into(),
        name: identity.into(),
        media: WhipMedia::Camera,
        offer: "v=0".into(),
    }
}

/// The session that a publisher was given.
pub fn session_of(answer: Result<WhipAnswer, RoomsError>) -> String {
    match answer {
        Ok(WhipAnswer::Published { session, .. }) => session,
        other => panic!("not published: {other:?}"),
    }
}

/// Knows every room but those whose name begins with `unknown`, until the test says otherwise.
#[derive(Default)]
pub struct FakeRooms {
    /// What looking for a room comes to.
    pub trouble: Mutex<Option<RoomError>>,
    pub looks: AtomicU32,
}

#[async_trait]
impl Rooms for FakeRooms {
    async fn find(&self, name: &str) -> Result<Room, RoomError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        if name.starts_with("unknown") {
            return Err(RoomError::Unknown(name.into()));
        }
        Ok(Room {
            name: name.into(),
            id: "RM_found".into(),
        })
    }

    fn source(&self, _: &Room, _: &str, _: Duration) -> Result<Source, RoomError> {
        Ok(Source::Livekit {
            url: "ws://127.0.0.1:1".into(),
            token: Secret::new(TOKEN),
        })
    }
}

/// A recording of a channel of Agora.
pub fn channel_recording(channel: &str) -> StartRequest {
    StartRequest {
        source: SourceKind::Agora,
        output: OutputSettings {
            format: OutputFormat::Wav,
            ..output()
        },
        ..request(channel)
    }
}

/// Lets everybody into every channel.
pub struct FakeChannels;

impl Channels for FakeChannels {
    fn source(&self, channel: &str) -> Result<Source, RoomError> {
        Ok(Source::Agora {
            app_id: "0".repeat(32),
            channel: channel.into(),
            uid: 999_999,
            token: Secret::new(TOKEN),
            browser: BrowserSettings::default(),
        })
    }

    fn token(&self, channel: &str) -> Result<Secret, RoomError> {
        Ok(Secret::new(format!("another token for {channel}")))
    }

    fn start_timeout(&self) -> Duration {
        Duration::from_secs(4)
    }
}

/// A recorder on a folder of its own.
pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub store: Arc<TroubledStore>,
    pub rooms: Arc<FakeRooms>,
    pub recorder: Recorder,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(|_| {}, 0).await
    }

    /// With other settings, and a store that fails so many times.
    pub async fn with(change: impl FnOnce(&mut RecorderSettings), failures: u32) -> Self {
        Self::among(change, failures, Stores::from).await
    }

    /// With its store among others.
    pub async fn among(
        change: impl FnOnce(&mut RecorderSettings),
        failures: u32,
        stores: impl FnOnce(Arc<TroubledStore>) -> Stores,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(TroubledStore {
            failures: failures.into(),
            ..TroubledStore::new(&folder.path().join("recordings"))
        });
        let mut settings = settings(&folder.path().join("data"));
        change(&mut settings);
        let rooms = Arc::new(FakeRooms::default());
        let recorder = Recorder::launch(
            settings,
            MediaServers {
                livekit: Some(rooms.clone()),
                agora: Some(Arc::new(FakeChannels)),
            },
            stores(store.clone()),
        )
        .await
        .unwrap();
        Self {
            folder,
            store,
            rooms,
            recorder,
        }
    }

    /// Starts a recording, which works.
    pub async fn start(&self, room_name: &str) -> Manifest {
        self.recorder.start(request(room_name)).await.unwrap()
    }

    /// Starts a recording of a room of our own, which works.
    pub async fn record(&self, room_name: &str) -> Manifest {
        let request = whip_recording(room_name);
        self.recorder.start(request).await.unwrap()
    }

    /// Stops a recording, which works.
    pub async fn stop(&self, room_name: &str) -> Manifest {
        self.recorder.stop(room_name, None).await.unwrap()
    }

    /// Publishes in a room of our own, which works; the session.
    pub async fn publish(&self, room: &str, identity: &str) -> String {
        session_of(self.recorder.whip(publish(room, identity)).await)
    }

    /// Ends all recordings and the rooms process.
    pub async fn finish(&self) {
        self.recorder.finish_all(Duration::from_secs(10)).await;
    }

    pub async fn delivered(&self) -> Vec<RecordingMetadata> {
        self.recorder
            .delivered(ListFilter::default())
            .await
            .unwrap()
    }

    /// All recordings.
    pub async fn listed(&self) -> Vec<Manifest> {
        self.listed_as(ListFilter::default()).await
    }

    /// The recordings of which all conditions hold.
    pub async fn listed_as(&self, filter: ListFilter) -> Vec<Manifest> {
        let page = self.recorder.list(filter, None, 99).await;
        page.unwrap().recordings
    }

    pub fn work(&self, id: &str) -> PathBuf {
        self.folder.path().join("data/work").join(id)
    }

    pub fn manifest_on_disk(&self, id: &str) -> Manifest {
        serde_json::from_slice(&std::fs::read(self.work(id).join("manifest.json")).unwrap())
            .unwrap()
    }

    pub async fn wait_for(&self, id: &str, state: RecordingState) -> Manifest {
        wait_until(&format!("{id} is {state:?}"), async || {
            self.recorder
                .get(id)
                .await
                .unwrap()
                .filter(|manifest| manifest.state == state)
        })
        .await
    }

    /// Names of what is left in a recording's folder.
    pub fn left(&self, id: &str) -> Vec<String> {
        names(&self.work(id))
    }

    /// The rooms processes that run.
    pub fn rooms_processes(&self) -> Vec<u32> {
        processes_in(&self.folder.path().join("data/rooms"))
    }

    /// Times that a rooms process was started.
    pub fn rooms_starts(&self) -> u64 {
        let starts = self.folder.path().join("data/rooms/starts");
        std::fs::metadata(starts).map_or(0, |starts| starts.len())
    }

    pub fn sockets(&self) -> Vec<String> {
        names(&self.folder.path().join("data/run"))
    }

    /// Waits until no process of the test works in the data folder.
    pub async fn no_process_left(&self) {
        wait_until("all processes are gone", async || {
            processes_in(self.folder.path()).is_empty().then_some(())
        })
        .await;
    }
}

/// The number of the process in this role of the only recording, once it was heard.
pub async fn process(recorder: &Recorder, role: &str) -> Option<u32> {
    let live = recorder.live().await.unwrap();
    let found = live
        .first()?
        .processes
        .iter()
        .find(|process| process.role == role)?;
    Some(found.pid)
}

/// The numbers of capture and render of the only recording, once both were heard.
pub async fn both_processes(recorder: &Recorder) -> Option<Vec<u32>> {
    let live = recorder.live().await.unwrap();
    let LiveSession {
        capture,
        render,
        processes,
        ..
    } = live.first()?;
    let pids: Vec<_> = processes.iter().map(|process| process.pid).collect();
    (pids.len() == 2 && capture.is_some() && render.is_some()).then_some(pids)
}

/// Ends a process without warning.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Numbers of the processes that work below `folder`, zombies left out.
pub fn processes_in(folder: &Path) -> Vec<u32> {
    let works_there = |pid: &u32| {
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(works_there)
        .collect()
}

/// Asks until there is an answer; gives up after a generous time.
pub async fn wait_until<T>(what: &str, question: impl AsyncFn() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(Instant::now() < limit, "waited in vain until {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
