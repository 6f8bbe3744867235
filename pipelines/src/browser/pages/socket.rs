//! The WebSocket of one page.

use std::io;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{PageEvent, PageOrder};

/// The longest message of a page, bytes: its sound comes in pieces of 1.6 kB.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// What a page says.
#[derive(Debug)]
pub enum PageMessage {
    Event(PageEvent),
    Sound(Bytes),
}

/// A page's connection.
pub struct PageSocket {
    stream: WebSocketStream<TcpStream>,
}

impl PageSocket {
    /// Takes a connection on which a WebSocket was agreed.
    pub(super) async fn new(stream: TcpStream) -> Self {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        Self { stream }
    }

    /// The next message; none when the page has gone. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<PageMessage> {
        loop {
            match self.stream.next().await? {
                Ok(Message::Binary(sound)) => return Some(PageMessage::Sound(sound)),
                Ok(Message::Text(text)) => match serde_json::from_str(&text) {
                    Ok(event) => return Some(PageMessage::Event(event)),
                    Err(error) => log::debug!("ignoring what the page says: {error}"),
                },
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(error) => {
                    if !matches!(error, Error::ConnectionClosed) {
                        log::debug!("the page's connection broke: {error}");
                    }
                    return None;
                }
            }
        }
    }

    /// Tells the page to do something.
    ///
    /// # Errors
    /// The page has gone.
    pub async fn tell(&mut self, order: &PageOrder<'_>) -> io::Result<()> {
        let text = serde_json::to_string(order)?;
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(io::Error::other)
    }
}
