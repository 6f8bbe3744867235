//! A connection to a process of ours that hands over media: requests go there as JSON lines, events
//! and frames come as messages of [`wire`].

use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::control::is_same_user;
use crate::rooms::media::wire::{self, Message};

/// The other end says something every second.
const SILENCE: Duration = Duration::from_secs(5);

/// Requests that are not read are given up beyond this, bytes.
const MOST_UNSENT_BYTES: usize = 256 << 10;

/// Read at once, bytes.
const READ_BYTES: usize = 64 << 10;

/// With less room than that, more is made, bytes.
const LEAST_SPACE: usize = 4 << 10;

/// A connection on which `R` is asked and `E` is told.
#[derive(Debug)]
pub struct Link<R, E> {
    reading: OwnedReadHalf,
    writing: OwnedWriteHalf,
    received: BytesMut,
    /// Requests on their way.
    unsent: Vec<u8>,
    last_received: Instant,
    _messages: PhantomData<fn(R) -> E>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("{0}")]
    NotRunning(#[from] io::Error),
    #[error("{0} belongs to another user")]
    Foreign(String),
}

impl<R: Serialize, E: DeserializeOwned> Link<R, E> {
    /// Connects to `socket`.
    ///
    /// # Errors
    /// Nobody listens, or somebody else.
    pub async fn open(socket: &Path) -> Result<Self, LinkError> {
        let stream = UnixStream::connect(socket).await?;
        if !is_same_user(&stream) {
            return Err(LinkError::Foreign(socket.display().to_string()));
        }
        let (reading, writing) = stream.into_split();
        Ok(Self {
            reading,
            writing,
            received: BytesMut::with_capacity(READ_BYTES),
            unsent: Vec::new(),
            last_received: Instant::now(),
            _messages: PhantomData,
        })
    }

    /// The next message. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The other end is gone, hangs, or says what cannot be read.
    pub async fn next(&mut self) -> io::Result<Message<E>> {
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
    pub fn ask(&mut self, request: &R) {
        if self.unsent.len() > MOST_UNSENT_BYTES {
            return;
        }
        match serde_json::to_vec(request) {
            Ok(line) => {
                self.unsent.extend_from_slice(&line);
                self.unsent.push(b'\n');
            }
            Err(error) => log::error!("a request cannot be sent: {error}"),
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
