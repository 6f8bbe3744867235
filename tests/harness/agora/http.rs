//! As much of HTTP as pages need for signalling: requests with a short body, and events that the
//! server sends.

use std::collections::HashMap;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer bodies are refused, bytes.
const MOST_BODY: usize = 1 << 20;

/// Pages of our own and of the recorder ask.
const HEADERS: &str = "Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n";

pub struct Request {
    pub path: String,
    pub query: HashMap<String, String>,
    pub body: Vec<u8>,
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
    let mut length = 0;
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await.ok()? <= 2 {
            break;
        }
        let (name, value) = header.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
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

/// Begins to send events.
pub async fn begin_events(stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\n{HEADERS}Content-Type: text/event-stream\r\n\r\n");
    stream.write_all(head.as_bytes()).await
}

/// Sends one.
pub async fn event(stream: &mut BufReader<TcpStream>, event: &str) -> std::io::Result<()> {
    stream
        .write_all(format!("data: {event}\n\n").as_bytes())
        .await
}
