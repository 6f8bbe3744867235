//! As much of HTTP as pages need for signalling: requests with a short body, and WebSockets.

use std::collections::HashMap;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Longer bodies are refused, bytes.
const MOST_BODY: usize = 1 << 20;

/// Pages of our own and of the recorder ask.
const HEADERS: &str = "Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n";

pub struct Request {
    pub path: String,
    pub query: HashMap<String, String>,
    pub body: Vec<u8>,
    websocket_key: Option<String>,
}

/// Reads a request; none if it is none.
pub async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut first = String::new();
    stream.read_line(&mut first).await.ok()?;
    let (path, query) = first
        .split(' ')
        .nth(1)?
        .split_once('?')
        .unwrap_or((first.split(' ').nth(1)?, ""));
    let (mut length, mut websocket_key) = (0, None);
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await.ok()? <= 2 {
            break;
        }
        let (name, value) = header.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        } else if name.eq_ignore_ascii_case("sec-websocket-key") {
            websocket_key = Some(value.trim().to_owned());
        }
    }
    let mut body = vec![0; usize::min(length, MOST_BODY)];
    stream.read_exact(&mut body).await.ok()?;
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Some(Request {
        path: path.to_owned(),
        query,
        body,
        websocket_key,
    })
}

/// Answers and ends.
pub async fn answer(stream: &mut BufReader<TcpStream>, media_type: &str, body: &str) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\n{HEADERS}Content-Type: {media_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    // A browser that hangs up is no fault.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Agrees to a WebSocket (RFC 6455, 4.2.2); none if that was not asked for. Browsers have six
/// connections to a server otherwise, over all tabs.
pub async fn upgrade(
    mut stream: BufReader<TcpStream>,
    request: &Request,
) -> Option<WebSocketStream<TcpStream>> {
    let accept = derive_accept_key(request.websocket_key.as_ref()?.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    // Nothing comes before the answer, so nothing is left in the buffer.
    Some(WebSocketStream::from_raw_socket(stream.into_inner(), Role::Server, None).await)
}
