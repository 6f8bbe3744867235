//! Real object stores for tests: each listens on a port of 127.0.0.1 and ends with the value that
//! started it.

pub mod azurite;
pub mod faults;
pub mod firebase;
pub mod firestore;
pub mod moto;
pub mod stand_in;
pub mod versitygw;

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Where programs and packages that the tests need are kept: `tapedeck` in the user's cache folder.
pub fn cache_dir() -> PathBuf {
    if let Some(folder) = std::env::var_os("TAPEDECK_TEST_CACHE") {
        return folder.into();
    }
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
        });
    base.join("tapedeck")
}

/// Tells that a test, or a part of one, is left out for want of something. It is also told where the
/// test passes, whose other words nobody sees; `scripts/run-tests` counts these lines.
pub fn skipped(what: &str) {
    // In a line of its own: that of the test is begun already.
    let _ = writeln!(std::io::stderr(), "\nskipped: {what}");
}

/// A port of 127.0.0.1 that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Returns when a server listens.
async fn wait_for_port(port: u16, who: &str) {
    for _ in 0..1500 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{who} does not listen");
}

/// Sends a request that ends its connection, and returns the answer.
async fn exchange(port: u16, request: &str) -> String {
    let server = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let mut server = server.await.expect("a connection");
    let sent = server.write_all(request.as_bytes()).await;
    sent.expect("a request");
    let mut answer = String::new();
    let read = server.read_to_string(&mut answer).await;
    read.expect("an answer");
    answer
}
