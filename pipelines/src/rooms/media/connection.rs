use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::control::read_line;

use super::queue::Queued;
use super::wire::encode_event;
use super::{CaptureId, MEDIA_PROTOCOL_VERSION, MediaEvent, MediaNotice, MediaRequest};

/// How long a capture may take to name its room.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A capture that hears nothing for a few of these takes the rooms process for hung.
pub const ALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// The longest name of a room, bytes.
const MAX_ROOM_BYTES: usize = 1 << 10;

/// Messages are gathered up to so much before they are handed to the operating system, bytes.
const WRITE_BYTES: usize = 64 << 10;

/// One capture's connection, as the rooms process has it.
pub struct Connection {
    reading: BufReader<OwnedReadHalf>,
    writing: BufWriter<OwnedWriteHalf>,
}

impl Connection {
    /// Greets and waits for the name of a room.
    ///
    /// # Errors
    /// None came, or the capture speaks another version.
    pub async fn open(stream: UnixStream) -> io::Result<(Self, String)> {
        let (reading, writing) = stream.into_split();
        let mut connection = Self {
            reading: BufReader::new(reading),
            writing: BufWriter::with_capacity(WRITE_BYTES, writing),
        };
        connection
            .say(&MediaEvent::Hello {
                protocol: MEDIA_PROTOCOL_VERSION,
            })
            .await?;
        let subscribing = tokio::time::timeout(SUBSCRIBE_TIMEOUT, connection.next_request());
        let message = match subscribing.await?? {
            Some(MediaRequest::Subscribe { protocol, room }) => {
                if protocol != MEDIA_PROTOCOL_VERSION {
                    format!(
                        "the rooms process speaks version {MEDIA_PROTOCOL_VERSION} of the media \
                         protocol, not {protocol}: end it when nobody publishes, another is \
                         started"
                    )
                } else if room.is_empty() || room.len() > MAX_ROOM_BYTES {
                    format!("a room's name has 1 to {MAX_ROOM_BYTES} bytes")
                } else {
                    return Ok((connection, room));
                }
            }
            Some(_) => "the first request has to be subscribe".to_owned(),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        connection
            .say(&MediaEvent::Refused {
                message: message.clone(),
            })
            .await?;
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }

    /// Sends what is queued and passes on what the capture asks, until the capture is gone.
    ///
    /// # Errors
    /// The connection broke, or carried something else than this protocol.
    pub async fn run(
        self,
        capture: CaptureId,
        queued: Queued,
        notices: &mpsc::Sender<MediaNotice>,
    ) -> io::Result<()> {
        let alive = encode_event(&MediaEvent::Alive).map_err(io::Error::other)?;
        tokio::select! {
            ended = receive(self.reading, capture, notices) => ended,
            ended = send(self.writing, queued, alive) => ended,
        }
    }

    async fn say(&mut self, event: &MediaEvent) -> io::Result<()> {
        let message = encode_event(event).map_err(io::Error::other)?;
        self.writing.write_all(&message).await?;
        self.writing.flush().await
    }

    async fn next_request(&mut self) -> io::Result<Option<MediaRequest>> {
        next_request(&mut self.reading, &mut Vec::new()).await
    }
}

/// The next request; none when the capture has gone.
async fn next_request(
    reading: &mut BufReader<OwnedReadHalf>,
    line: &mut Vec<u8>,
) -> io::Result<Option<MediaRequest>> {
    if !read_line(reading, line).await? {
        return Ok(None);
    }
    let request = serde_json::from_slice(line).unwrap_or_else(|error| {
        log::debug!("ignoring a request on the media socket: {error}");
        MediaRequest::Unknown
    });
    Ok(Some(request))
}

async fn receive(
    mut reading: BufReader<OwnedReadHalf>,
    capture: CaptureId,
    notices: &mpsc::Sender<MediaNotice>,
) -> io::Result<()> {
    let mut line = Vec::new();
    while let Some(request) = next_request(&mut reading, &mut line).await? {
        let notice = match request {
            MediaRequest::KeyFrame { track } => MediaNotice::KeyFrameWanted { capture, track },
            MediaRequest::VideoSize {
                track,
                width,
                height,
                frame_rate,
            } => MediaNotice::VideoSizeWanted {
                capture,
                track,
                width,
                height,
                frame_rate,
            },
            MediaRequest::Subscribe { .. } | MediaRequest::Unknown => continue,
        };
        if notices.send(notice).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Sends until the queue is dropped, and `alive` whenever there is nothing to send for a while.
///
/// # Errors
/// The capture is gone.
pub async fn send(
    mut writing: BufWriter<OwnedWriteHalf>,
    mut queued: Queued,
    alive: Bytes,
) -> io::Result<()> {
    loop {
        match tokio::time::timeout(ALIVE_INTERVAL, queued.next()).await {
            Ok(Some(message)) => writing.write_all(&message).await?,
            Ok(None) => return Ok(()),
            Err(_) => writing.write_all(&alive).await?,
        }
        while let Some(message) = queued.try_next() {
            writing.write_all(&message).await?;
        }
        writing.flush().await?;
    }
}
