//! As much of HTTP/1.1 as a browser needs to load a page and to open a WebSocket.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head of a request, bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How long a request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    /// Reads the head of a GET request.
    ///
    /// # Errors
    /// None comes, or what comes is none.
    pub async fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let reading = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                if head.len() >= MAX_HEAD_BYTES {
                    return Err(io::Error::other("the head of a request is too long"));
                }
                // Nothing follows a head, so no byte of what comes after it is lost.
                if stream.read_buf(&mut head).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Self::parse(&head).ok_or_else(|| io::Error::other("it is no GET request"))
        };
        tokio::time::timeout(HEAD_TIMEOUT, reading).await?
    }

    fn parse(head: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, path, version) = (words.next()?, words.next()?, words.next()?);
        if method != "GET" || version != "HTTP/1.1" || words.next().is_some() {
            return None;
        }
        let headers = lines
            .take_while(|line| !line.is_empty())
            .map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<Option<_>>()?;
        Some(Self {
            path: path.to_owned(),
            headers,
        })
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends a file and closes the connection.
///
/// # Errors
/// The browser does not take it.
pub async fn send_file(
    stream: &mut TcpStream,
    media_type: &str,
    policy: &str,
    content: &[u8],
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\
         Content-Security-Policy: {policy}\r\nX-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        content.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(content).await?;
    stream.shutdown().await
}

/// Says that there is nothing to be had, and closes the connection.
///
/// # Errors
/// The browser does not take it.
pub async fn send_nothing(stream: &mut TcpStream) -> io::Result<()> {
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Agrees to a WebSocket (RFC 6455, 4.2.2).
///
/// # Errors
/// The browser does not take it.
pub async fn send_upgrade(stream: &mut TcpStream, accept: &str) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_other_things_are_not() {
        let head = b"GET /a/b HTTP/1.1\r\nHost: 127.0.0.1:1\r\nUPGRADE:  websocket \r\n\r\n";
        let request = Request::parse(head).unwrap();
        assert_eq!(request.path, "/a/b");
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("origin"), None);
        for other in [
            &b"POST / HTTP/1.1\r\n\r\n"[..],
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nx\r\n\r\n",
            b"\xff\r\n\r\n",
            b"\r\n\r\n",
        ] {
            assert_eq!(Request::parse(other), None);
        }
    }
}
