//! Moto: a second S3 server, whose buckets hold any key. It checks no signature.

use std::process::{Child, Command, Stdio};

use tapedeck_storage::S3Settings;

use crate::{cache_dir, exchange, free_port, skipped, wait_for_port};

const BUCKET: &str = "films";

/// A server with one bucket, in memory.
pub struct Moto {
    port: u16,
    child: Child,
}

impl Moto {
    /// Starts one with an empty bucket; none where it is not installed.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn start() -> Option<Self> {
        let program = cache_dir().join("moto/bin/moto_server");
        if !program.exists() {
            skipped(&format!("{} is missing", program.display()));
            return None;
        }
        let port = free_port();
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto runs");
        let server = Self { port, child };
        wait_for_port(port, "moto").await;
        server.put("", "").await;
        Some(server)
    }

    /// What a client needs to know.
    pub fn settings(&self) -> S3Settings {
        S3Settings {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            region: "us-east-1".into(),
            bucket: BUCKET.into(),
            prefix: "recordings/".into(),
            access_key: "test-key".into(),
            secret_key: "test-secret-of-the-store".into(),
            ..S3Settings::default()
        }
    }

    /// Puts an object there as somebody else, its key as it stands in an address.
    ///
    /// # Panics
    /// It is not taken.
    pub async fn put(&self, key: &str, content: &str) {
        let request = format!(
            "PUT /{BUCKET}/{key} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-length: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test-key/20260101/us-east-1/s3/aws4_request\r\n\
             connection: close\r\n\r\n{content}",
            self.port,
            content.len()
        );
        let answer = exchange(self.port, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
