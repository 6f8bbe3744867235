//! A file server for pages under test.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Serves some files on a port of 127.0.0.1; ends when dropped.
pub struct StaticFiles {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl StaticFiles {
    /// Serves each file under its name.
    ///
    /// # Panics
    /// No port is free.
    pub async fn serve(files: &[PathBuf]) -> Self {
        let named = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some((format!("/{name}"), path.clone()))
        };
        let files: Arc<HashMap<String, PathBuf>> =
            Arc::new(files.iter().filter_map(named).collect());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let files = files.clone();
                tokio::spawn(async move {
                    // A browser that hangs up is no fault.
                    let _ = answer(stream, &files).await;
                });
            }
        });
        Self { address, task }
    }
}

impl Drop for StaticFiles {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(stream: TcpStream, files: &HashMap<String, PathBuf>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut header = String::new();
    while stream.read_line(&mut header).await? > 2 {
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let body = match files.get(path) {
        Some(file) => tokio::fs::read(file).await.ok(),
        None => None,
    };
    let status = if body.is_some() {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let kind = if path.ends_with(".js") {
        "text/javascript"
    } else {
        "text/html"
    };
    let body = body.unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}
