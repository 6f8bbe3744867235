//! The connections of captures.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{BufReader, BufWriter};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::control::{SocketFile, is_same_user, read_line};
use crate::job::Secret;
use crate::rooms::media::{encode_event, queue, send};

use super::channel::{CHANNEL_PROTOCOL_VERSION, ChannelEvent, ChannelRequest};
use super::listening::{Channel, Listening, Teller, happened};
use super::process::Host;

/// After a failure to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a capture may take to name its channel.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Channels at once; each takes tens of megabytes.
const MOST_CHANNELS: usize = 64;

/// How long what a capture is told last may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long it may take to leave all channels.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The socket at which captures ask for channels.
pub struct CaptureSocket {
    listener: UnixListener,
    /// Removed when dropped.
    _file: SocketFile,
    places: Arc<Semaphore>,
    /// True when all captures have to look for another host.
    ending: watch::Sender<bool>,
    idle_since: Option<Instant>,
}

impl CaptureSocket {
    /// Listens.
    ///
    /// # Errors
    /// The path is too long, or another host listens.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let (file, socket) = SocketFile::bind(path)?;
        Ok(Self {
            listener: UnixListener::from_std(socket.into())?,
            _file: file,
            places: Arc::new(Semaphore::new(MOST_CHANNELS)),
            ending: watch::Sender::new(false),
            idle_since: None,
        })
    }

    /// Since when no channel is listened to.
    pub fn idle_since(&mut self) -> Option<Instant> {
        match self.places.available_permits() == MOST_CHANNELS {
            true => Some(*self.idle_since.get_or_insert_with(Instant::now)),
            false => {
                self.idle_since = None;
                None
            }
        }
    }

    /// Takes no more captures, and has those that are here leave their channels and look for another
    /// host.
    pub async fn close(self) {
        let Self {
            listener,
            _file: file,
            places,
            ending,
            ..
        } = self;
        drop((listener, file));
        ending.send_replace(true);
        let all = places.acquire_many(MOST_CHANNELS as u32);
        if tokio::time::timeout(CLOSE_TIMEOUT, all).await.is_err() {
            log::warn!("not all channels could be left in time");
        }
    }

    /// Takes one connection, and serves it.
    pub async fn accept(&self, host: &Arc<Host>) {
        match self.listener.accept().await {
            Ok((stream, _)) if is_same_user(&stream) => {
                let Ok(place) = self.places.clone().try_acquire_owned() else {
                    log::warn!("refused a channel: there are {MOST_CHANNELS} already");
                    return;
                };
                let (host, ending) = (host.clone(), self.ending.subscribe());
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, host, ending).await {
                        log::info!("a capture's connection ended: {error}");
                    }
                    drop(place);
                });
            }
            Ok(_) => log::warn!("refused a connection of another user"),
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    stream: UnixStream,
    host: Arc<Host>,
    mut ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let (reading, writing) = stream.into_split();
    let mut requests = Requests::new(reading);
    let (sending, queued, _) = queue();
    let alive = encode_event(&ChannelEvent::Alive).map_err(io::Error::other)?;
    let mut writing = tokio::spawn(send(BufWriter::new(writing), queued, alive));
    let teller = Teller::new(sending);
    let hello = ChannelEvent::Hello {
        protocol: CHANNEL_PROTOCOL_VERSION,
    };
    teller.tell(&hello)?;
    let joining = tokio::time::timeout(JOIN_TIMEOUT, requests.next()).await??;
    let Some(ChannelRequest::Join {
        protocol,
        app_id,
        channel,
        uid,
        token,
    }) = joining
    else {
        return Err(io::Error::other("the first request has to be join"));
    };
    if protocol != CHANNEL_PROTOCOL_VERSION {
        return Err(io::Error::other(format!(
            "the capture speaks version {protocol} of the channel protocol"
        )));
    }
    let (renewing, token) = watch::channel(token);
    let channel = Channel {
        app_id,
        channel,
        uid,
        token,
    };
    let (leaving, left) = watch::channel(false);
    let mut listening = tokio::spawn(Listening::new(host, channel, teller, left).run());
    let outcome = tokio::select! {
        _ = &mut listening => {
            say_last_words(writing).await;
            return Ok(());
        }
        () = happened(&mut ending) => {
            // It says good-bye to the channel; the capture looks for another host.
            let _ = leaving.send(true);
            let _ = listening.await;
            say_last_words(writing).await;
            return Ok(());
        }
        gone = receive(&mut requests, &renewing) => gone,
        sent = &mut writing => sent.map_err(io::Error::other).and_then(|sent| sent),
    };
    // It says good-bye to the channel.
    let _ = leaving.send(true);
    let _ = listening.await;
    writing.abort();
    outcome
}

/// Sends what is in a queue that has ended.
async fn say_last_words(mut writing: JoinHandle<io::Result<()>>) {
    let _ = tokio::time::timeout(LAST_WORDS, &mut writing).await;
    writing.abort();
}

/// Passes on what the capture asks, until it has gone.
async fn receive(requests: &mut Requests, renewing: &watch::Sender<Secret>) -> io::Result<()> {
    while let Some(request) = requests.next().await? {
        if let ChannelRequest::RenewToken { token } = request {
            renewing.send_replace(token);
        }
    }
    Ok(())
}

struct Requests {
    reading: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

impl Requests {
    fn new(reading: OwnedReadHalf) -> Self {
        Self {
            reading: BufReader::new(reading),
            line: Vec::new(),
        }
    }

    /// The next request; none when the capture has gone.
    async fn next(&mut self) -> io::Result<Option<ChannelRequest>> {
        if !read_line(&mut self.reading, &mut self.line).await? {
            return Ok(None);
        }
        let request = serde_json::from_slice(&self.line).unwrap_or(ChannelRequest::Unknown);
        Ok(Some(request))
    }
}
