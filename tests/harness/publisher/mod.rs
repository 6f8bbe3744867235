//! A light publisher: real signalling and a real peer connection, but its media was encoded
//! beforehand, so that nine of them cost little. Each runs on a thread of its own, undisturbed by
//! what a test does meanwhile.

mod peer;
mod track;
pub mod whip;

pub use testcard::{CameraOptions, PublisherOptions};

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use testcard::PublisherStats;
use tokio::sync::{mpsc, oneshot};

use crate::livekit::{Livekit, participant_token};

/// One of the tracks that a participant may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Microphone,
    Camera,
    ScreenShare,
}

/// What a publisher's thread is told.
enum Command {
    Mute(Source, bool),
    Unpublish(Source),
    Publish(Source, Option<CameraOptions>),
    Leave,
    Vanish,
}

type Request = (Command, oneshot::Sender<()>);

/// A participant in a room. Dropping it is a death without good-bye.
pub struct Publisher {
    pub options: PublisherOptions,
    stats: Arc<PublisherStats>,
    commands: mpsc::Sender<Request>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Joins a room and returns once media is flowing.
    ///
    /// # Panics
    /// The room cannot be joined.
    pub async fn join(livekit: &Livekit, room: &str, options: PublisherOptions) -> Self {
        let token = participant_token(room, &options.identity, &options.name, false);
        let stats = Arc::new(PublisherStats::default());
        let (commands, requests) = mpsc::channel(8);
        let (ready, joined) = oneshot::channel();
        let job = peer::Job {
            url: livekit.ws_url(),
            token,
            options: options.clone(),
            stats: stats.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(options.identity.clone())
            .spawn(move || run(job, requests, ready))
            .expect("a thread");
        match joined.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("{} cannot publish: {error}", options.identity),
            Err(_) => panic!("{} died before it published", options.identity),
        }
        Self {
            options,
            stats,
            commands,
            thread: Some(thread),
        }
    }

    /// Turns a track off or on again, as the mute button does: it stays published.
    pub async fn set_muted(&self, source: Source, muted: bool) {
        self.tell(Command::Mute(source, muted)).await;
    }

    /// Takes a track out of the room.
    pub async fn unpublish(&self, source: Source) {
        self.tell(Command::Unpublish(source)).await;
    }

    /// Publishes a picture that is not published.
    pub async fn publish_video(&self, source: Source, camera: CameraOptions) {
        self.tell(Command::Publish(source, Some(camera))).await;
    }

    /// Publishes the microphone again.
    pub async fn publish_microphone(&self) {
        self.tell(Command::Publish(Source::Microphone, None)).await;
    }

    /// Says good-bye and leaves.
    pub async fn leave(mut self) {
        self.tell(Command::Leave).await;
        self.join_thread();
    }

    /// Dies without good-bye: its connections are closed by the system.
    pub async fn vanish(mut self) {
        self.tell(Command::Vanish).await;
        self.join_thread();
    }

    /// Whether it is still in the room.
    pub fn is_alive(&self) -> bool {
        !self.commands.is_closed()
    }

    /// Pictures sent so far, all layers together.
    pub fn video_frames(&self) -> u64 {
        self.stats.video_frames.load(Ordering::Relaxed)
    }

    /// Opus packets sent so far.
    pub fn audio_packets(&self) -> u64 {
        self.stats.audio_packets.load(Ordering::Relaxed)
    }

    /// How often a keyframe was asked for.
    pub fn keyframe_requests(&self) -> u64 {
        self.stats.keyframe_requests.load(Ordering::Relaxed)
    }

    async fn tell(&self, command: Command) {
        let (done, answer) = oneshot::channel();
        if self.commands.send((command, done)).await.is_ok() {
            let _ = answer.await;
        }
    }

    fn join_thread(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let (done, _) = oneshot::channel();
        let _ = self.commands.try_send((Command::Vanish, done));
        self.join_thread();
    }
}

fn run(
    job: peer::Job,
    requests: mpsc::Receiver<Request>,
    ready: oneshot::Sender<Result<(), String>>,
) {
    crate::http::install_crypto();
    let identity = job.options.identity.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if let Err(error) = runtime.block_on(peer::publish(job, requests, ready)) {
        log::warn!("{identity}: {error}");
    }
    // Ends the signal client's tasks where they stand: their sockets close without good-bye.
    runtime.shutdown_background();
}
