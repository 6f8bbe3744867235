//! A WHIP publisher (RFC 9725): a real peer connection over UDP or TCP whose media was encoded
//! beforehand, so that it costs little. Each runs on a thread of its own, undisturbed by what its
//! owner does meanwhile.

mod client;
mod peer;
mod transport;

pub use client::{Endpoint, Resource};

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use str0m::media::MediaKind;
use tokio::sync::{mpsc, oneshot};

use crate::media::MediaError;
use crate::{PublisherOptions, PublisherStats};

/// How long it may take until media can flow.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How media travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    #[default]
    Udp,
    /// ICE over TCP (RFC 6544): the publisher connects.
    Tcp,
}

/// Why somebody cannot publish, or publishes no more.
#[derive(Debug, thiserror::Error)]
pub enum WhipError {
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("the server cannot be asked: {0}")]
    Http(#[from] reqwest::Error),
    /// The server's answer to a request.
    #[error("the server answers {status}: {body}")]
    Refused { status: u16, body: String },
    #[error("the server's answer cannot be used: {0}")]
    Answer(String),
    #[error("no socket can be opened on 127.0.0.1: {0}")]
    Socket(#[from] std::io::Error),
    #[error("media does not reach the server: {0}")]
    Connection(String),
    #[error("the publisher's thread ended")]
    Thread,
}

/// What a publisher's thread is told.
enum Command {
    Mute(MediaKind, bool),
    Leave,
    Vanish,
}

type Request = (Command, oneshot::Sender<()>);

/// What a publisher's thread needs.
#[derive(Clone)]
struct Job {
    endpoint: Endpoint,
    route: Route,
    options: PublisherOptions,
}

/// A publisher in a room. Dropping it is a death without good-bye.
pub struct WhipPublisher {
    pub options: PublisherOptions,
    /// Where the server keeps its session.
    pub resource: Resource,
    job: Job,
    stats: Arc<PublisherStats>,
    commands: mpsc::Sender<Request>,
    thread: Option<JoinHandle<()>>,
}

impl WhipPublisher {
    /// Publishes and returns once media is flowing. Who that is the endpoint's token says;
    /// identity and name of the options are not told to the server.
    ///
    /// # Errors
    /// Media cannot be encoded, the server refuses, or media does not reach it.
    pub async fn publish(
        endpoint: Endpoint,
        route: Route,
        options: PublisherOptions,
    ) -> Result<Self, WhipError> {
        Self::start(Job {
            endpoint,
            route,
            options,
        })
        .await
    }

    async fn start(job: Job) -> Result<Self, WhipError> {
        let stats = Arc::new(PublisherStats::default());
        let (commands, requests) = mpsc::channel(8);
        let (ready, joined) = oneshot::channel();
        let of_thread = (job.clone(), stats.clone());
        let thread = std::thread::Builder::new()
            .name(job.options.identity.clone())
            .spawn(move || run(of_thread.0, of_thread.1, requests, ready))?;
        let resource = joined.await.map_err(|_| WhipError::Thread)??;
        Ok(Self {
            options: job.options.clone(),
            resource,
            job,
            stats,
            commands,
            thread: Some(thread),
        })
    }

    /// Publishes anew in the place of the session before, as after a crash; the old one does not
    /// say good-bye.
    ///
    /// # Errors
    /// As [`WhipPublisher::publish`].
    pub async fn post_again(&mut self) -> Result<(), WhipError> {
        self.tell(Command::Vanish).await;
        self.join_thread();
        *self = Self::start(self.job.clone()).await?;
        Ok(())
    }

    /// Sends nothing of a kind for a while; WHIP has no word for it.
    pub async fn set_muted(&self, kind: MediaKind, muted: bool) {
        self.tell(Command::Mute(kind, muted)).await;
    }

    /// Deletes its session and ends.
    pub async fn leave(mut self) {
        self.tell(Command::Leave).await;
        self.join_thread();
    }

    /// Dies without good-bye.
    pub async fn vanish(mut self) {
        self.tell(Command::Vanish).await;
        self.join_thread();
    }

    /// Whether it is still connected.
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

impl Drop for WhipPublisher {
    fn drop(&mut self) {
        let (done, _) = oneshot::channel();
        let _ = self.commands.try_send((Command::Vanish, done));
        self.join_thread();
    }
}

type Ready = oneshot::Sender<Result<Resource, WhipError>>;

fn run(job: Job, stats: Arc<PublisherStats>, requests: mpsc::Receiver<Request>, ready: Ready) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error.into()));
            return;
        }
    };
    let identity = job.options.identity.clone();
    if let Err(error) = runtime.block_on(peer::publish(job, stats, requests, ready)) {
        log::warn!("{identity}: {error}");
    }
    // Sockets close where they stand.
    runtime.shutdown_background();
}
