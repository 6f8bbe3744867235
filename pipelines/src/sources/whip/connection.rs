use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::rooms::media::wire::Message;
use crate::rooms::media::{MEDIA_PROTOCOL_VERSION, MediaEvent, MediaRequest, RoomState};
use crate::sources::link::{Link, LinkError};

/// How long the rooms process may take to tell the room's state.
const STATE_TIMEOUT: Duration = Duration::from_secs(3);

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

impl From<LinkError> for ConnectError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NotRunning(error) => Self::NotRunning(error),
            LinkError::Foreign(_) => Self::Refused(error.to_string()),
        }
    }
}

/// A connection to the rooms process that is in a room.
#[derive(Debug)]
pub struct Connection(Link<MediaRequest, MediaEvent>);

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
        let mut connection = Self(Link::open(socket).await?);
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
        self.0.next().await
    }

    /// Queues a request; it is on its way at the latest when the next message is waited for.
    pub fn ask(&mut self, request: &MediaRequest) {
        self.0.ask(request);
    }

    /// When the last message, or a part of one, came.
    pub fn last_received(&self) -> Instant {
        self.0.last_received()
    }
}
