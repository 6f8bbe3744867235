use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::control::is_same_user;
use crate::rooms::media::wire::{self, Message};
use crate::rooms::media::{MEDIA_PROTOCOL_VERSION, MediaEvent, MediaRequest, RoomState};

/// How long the rooms process may take to tell the room's state.
const STATE_TIMEOUT: Duration = Duration::from_secs(3);

/// It says something every second.
const SILENCE: Duration = Duration::from_secs(5);

/// Requests that a rooms process does not read are given up beyond this, bytes.
const MOST_UNSENT_BYTES: usize = 256 << 10;

/// Read at once, bytes.
const READ_BYTES: usize = 64 << 10;

/// With less room than that, more is made, bytes.
const LEAST_SPACE: usize = 4 << 10;

/// Why a room cannot be had from the rooms process.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the rooms process does not run: {0}; it starts with the first publisher")]
    NotRunning(io::Error),
    #[error("the rooms process takes connections but does not answer; look into its rooms.log")]
    Silent,
    #[error("the rooms process refused the recording: {0}")]
    Refused(String),
    #[error("the connection to the rooms process failed: {0}")]
    Broken(String),
}

impl ConnectError {
    /// Whether trying again soon can help.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// A connection to the rooms process that is in a room.
#[derive(Debug)]
pub struct Connection {
    reading: OwnedReadHalf,
    writing: OwnedWriteHalf,
    received: BytesMut,
    /// Requests on their way.
    unsent: Vec<u8>,
    last_received: Instant,
}

impl Connection {
    /// Connects to `socket` and asks for `room`; returns the room's present state.
    ///
    /// # Errors
    /// The rooms process is not there, hangs, or refuses.
    pub async fn open(socket: &Path, room: &str) -> Result<(Self, RoomState), ConnectError> {
        let opening = Self::open_at_leisure(socket, room);
        match tokio::time::timeout(STATE_TIMEOUT, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError::Silent),
        }
    }

    async fn open_at_leisure(socket: &Path, room: &str) -> Result<(Self, RoomState), ConnectError> {
        let stream = UnixStream::connect(socket)
            .await
            .map_err(ConnectError::NotRunning)?;
        if !is_same_user(&stream) {
            return Err(ConnectError::Refused(format!(
                "{} belongs to another user",
                socket.display()
            )));
        }
        let (reading, writing) = stream.into_split();
        let mut connection = Self {
            reading,
            writing,
            received: BytesMut::with_capacity(READ_BYTES),
            unsent: Vec::new(),
            last_received: Instant::now(),
        };
        connection.ask(&MediaRequest::Subscribe {
            protocol: MEDIA_PROTOCOL_VERSION,
            room: room.to_owned(),
        });
        loop {
            let message = connection.next().await;
            let event = match message.map_err(|error| ConnectError::Broken(error.to_string()))? {
                Message::Event(event) => *event,
                Message::Frame(_) | Message::Unknown => continue,
            };
            match event {
                MediaEvent::Room(state) => return Ok((connection, state)),
                MediaEvent::Refused { message } => return Err(ConnectError::Refused(message)),
                _ => {}
            }
        }
    }

    /// The next message. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The rooms process is gone, hangs, or says what cannot be read.
    pub async fn next(&mut self) -> io::Result<Message> {
        loop {
            let decoded = wire::decode(&mut self.received);
            if let Some(message) = decoded.map_err(io::Error::other)? {
                return Ok(message);
            }
            // Whole messages are taken out, so no more than one is ever kept. Frames keep the
            // memory that they were read into: it is filled before there is more.
            if self.received.capacity() - self.received.len() < LEAST_SPACE {
                self.received.reserve(READ_BYTES);
            }
            let silent_at = self.last_received + SILENCE;
            tokio::select! {
                biased;
                read = self.reading.read_buf(&mut self.received) => {
                    if read? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.last_received = Instant::now();
                }
                sent = send(&self.writing, &mut self.unsent), if !self.unsent.is_empty() => sent?,
                () = tokio::time::sleep_until(silent_at.into()) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "it says nothing any more"));
                }
            }
        }
    }

    /// Queues a request; it is on its way at the latest when the next message is waited for.
    pub fn ask(&mut self, request: &MediaRequest) {
        if self.unsent.len() > MOST_UNSENT_BYTES {
            return;
        }
        match serde_json::to_vec(request) {
            Ok(line) => {
                self.unsent.extend_from_slice(&line);
                self.unsent.push(b'\n');
            }
            Err(error) => log::error!("cannot ask the rooms process: {error}"),
        }
    }

    /// When the last message, or a part of one, came.
    pub fn last_received(&self) -> Instant {
        self.last_received
    }
}

/// Sends some of what waits. Nothing is lost when the future is dropped.
async fn send(writing: &OwnedWriteHalf, unsent: &mut Vec<u8>) -> io::Result<()> {
    writing.writable().await?;
    match writing.try_write(unsent) {
        Ok(sent) => drop(unsent.drain(..sent)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
