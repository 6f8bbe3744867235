use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::control::{SocketFile, is_same_user};

use super::connection::Connection;
use super::queue::{Queue, queue};
use super::wire::{encode_event, encode_frame};
use super::{MediaEvent, MediaFrame, RoomState, TrackNumber};

/// Notices that wait to be received.
const NOTICE_QUEUE: usize = 256;

/// The most connections at once. A recording has one.
const MOST_CONNECTIONS: usize = 256;

/// The pause after a connection could not be accepted, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A connection of a capture; another number for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaptureId(u64);

/// What captures want. All of one capture come in their order, [`MediaNotice::Subscribed`] first
/// and [`MediaNotice::Left`] last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaNotice {
    /// It waits for [`MediaServer::admit`], and gets nothing before. A room without publishers
    /// comes into being by this.
    Subscribed {
        capture: CaptureId,
        /// The room's name.
        room: String,
    },
    /// The publisher of a video track should be asked for a key frame. Captures ask for one of
    /// each video track as soon as they are admitted, and again until one comes.
    KeyFrameWanted {
        capture: CaptureId,
        track: TrackNumber,
    },
    /// The simulcast layer of a video track that fits a picture of this size, pixels;
    /// `frame_rate` 0 for all frames there are.
    VideoSizeWanted {
        capture: CaptureId,
        track: TrackNumber,
        width: u32,
        height: u32,
        frame_rate: u32,
    },
    /// Its connection is closed.
    Left { capture: CaptureId },
}

/// The rooms process's end of the media socket. Must be made inside a tokio runtime; connections
/// end when it is dropped, and the socket file goes with it.
///
/// Nothing here waits for a capture: what is sent is queued, and a capture that is too far behind
/// is disconnected.
pub struct MediaServer {
    shared: Arc<Shared>,
    accepting: AbortHandle,
    /// Tracks of which a frame was too large to be sent.
    interrupted: Mutex<Vec<TrackNumber>>,
    _file: SocketFile,
}

#[derive(Default)]
struct Shared {
    next_id: AtomicU64,
    captures: Mutex<HashMap<CaptureId, Capture>>,
}

/// A connection that named its room. It ends when this is dropped.
struct Capture {
    room: String,
    admitted: bool,
    queue: Queue,
}

impl MediaServer {
    /// Binds `path` with mode 0600, replacing a stale socket file. The notices must be received,
    /// or captures get no further.
    ///
    /// # Errors
    /// The path is too long for a socket, another process listens on it, or the folder cannot be
    /// written.
    pub fn bind(path: &Path) -> io::Result<(Self, mpsc::Receiver<MediaNotice>)> {
        let (file, socket) = SocketFile::bind(path)?;
        let listener = UnixListener::from_std(socket.into())?;
        let shared = Arc::new(Shared::default());
        let (notices, receiver) = mpsc::channel(NOTICE_QUEUE);
        let accepting = tokio::spawn(accept(listener, shared.clone(), notices)).abort_handle();
        Ok((
            Self {
                shared,
                accepting,
                interrupted: Mutex::default(),
                _file: file,
            },
            receiver,
        ))
    }

    /// Sends a capture the present state of its room; from now on it gets what is sent to the
    /// room. To be called again when the room was replaced by another of its name.
    pub fn admit(&self, capture: CaptureId, state: RoomState) {
        let message = encode(&MediaEvent::Room(state));
        let mut captures = self.shared.captures();
        let Some(admitted) = captures.get_mut(&capture) else {
            return;
        };
        admitted.admitted = true;
        let sent = message.is_some_and(|message| admitted.queue.push(message));
        if !sent {
            captures.remove(&capture);
        }
    }

    /// Sends an event to all captures of a room.
    pub fn tell(&self, room: &str, event: &MediaEvent) {
        if self.captures(room) == 0 {
            return;
        }
        match encode(event) {
            Some(message) => self.fan_out(room, &message),
            // Without it they would be wrong about the room.
            None => self.disconnect(room),
        }
    }

    /// Sends a frame to all captures of a room.
    pub fn send_frame(&self, room: &str, mut frame: MediaFrame) {
        let mut interrupted = lock(&self.interrupted);
        if interrupted.contains(&frame.track) {
            frame.contiguous = false;
        }
        if self.captures(room) == 0 {
            return;
        }
        match encode_frame(&frame) {
            Ok(message) => {
                interrupted.retain(|track| *track != frame.track);
                self.fan_out(room, &message);
            }
            Err(error) => {
                log::debug!("a frame of track {} was left out: {error}", frame.track);
                if !interrupted.contains(&frame.track) {
                    interrupted.push(frame.track);
                }
            }
        }
    }

    /// How many captures take a room's media.
    pub fn captures(&self, room: &str) -> usize {
        let captures = self.shared.captures();
        captures
            .values()
            .filter(|capture| capture.admitted && capture.room == room)
            .count()
    }

    fn fan_out(&self, room: &str, message: &Bytes) {
        self.shared.captures().retain(|id, capture| {
            if !capture.admitted || capture.room != room {
                return true;
            }
            let sent = capture.queue.push(message.clone());
            if !sent {
                log::warn!("capture {} does not take its media: disconnected", id.0);
            }
            sent
        });
    }

    fn disconnect(&self, room: &str) {
        self.shared
            .captures()
            .retain(|_, capture| capture.room != room);
    }
}

impl Drop for MediaServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.captures().clear();
    }
}

impl Shared {
    fn captures(&self) -> MutexGuard<'_, HashMap<CaptureId, Capture>> {
        lock(&self.captures)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encode(event: &MediaEvent) -> Option<Bytes> {
    encode_event(event)
        .inspect_err(|error| log::error!("cannot tell captures of an event: {error}"))
        .ok()
}

async fn accept(listener: UnixListener, shared: Arc<Shared>, notices: mpsc::Sender<MediaNotice>) {
    let places = Arc::new(tokio::sync::Semaphore::new(MOST_CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_same_user(&stream) => {
                let Ok(place) = places.clone().try_acquire_owned() else {
                    log::warn!("refused a media connection: there are {MOST_CONNECTIONS} already");
                    continue;
                };
                let (shared, notices) = (shared.clone(), notices.clone());
                tokio::spawn(async move {
                    serve(stream, shared, notices).await;
                    drop(place);
                });
            }
            Ok(_) => log::warn!("refused a media connection of another user"),
            Err(error) => {
                log::warn!("cannot accept a media connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: UnixStream, shared: Arc<Shared>, notices: mpsc::Sender<MediaNotice>) {
    let (connection, room) = match Connection::open(stream).await {
        Ok(opened) => opened,
        Err(error) => {
            log::info!("a media connection was of no use: {error}");
            return;
        }
    };
    let id = CaptureId(shared.next_id.fetch_add(1, Ordering::Relaxed));
    let (sending, queued, dropped) = queue();
    let capture = Capture {
        room: room.clone(),
        admitted: false,
        queue: sending,
    };
    // From here on it ends when it is taken out.
    shared.captures().insert(id, capture);
    let subscribed = MediaNotice::Subscribed { capture: id, room };
    if notices.send(subscribed).await.is_ok() {
        tokio::select! {
            ended = connection.run(id, queued, &notices) => match ended {
                Ok(()) => log::info!("capture {} left", id.0),
                Err(error) => log::info!("capture {} is gone: {error}", id.0),
            },
            () = dropped.wait() => {}
        }
    }
    shared.captures().remove(&id);
    // Without a receiver there is nobody to tell.
    let _ = notices.send(MediaNotice::Left { capture: id }).await;
}
