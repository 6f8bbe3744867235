//! versitygw: an S3 server whose buckets are folders.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tapedeck_storage::S3Settings;

use crate::cache_dir;

const BUCKET: &str = "films";

/// A server with one bucket.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts one with an empty bucket.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Self {
            folder,
            port,
            child: None,
        };
        server.restarted().await
    }

    /// Starts it again, on what it had.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn restarted(self) -> Self {
        let mut server = self.stopped();
        let log = std::fs::File::create(server.folder.path().with_extension("log")).unwrap();
        let child = Command::new(binary())
            .args(["--port", &format!("127.0.0.1:{}", server.port), "posix"])
            .arg(server.folder.path())
            .env("ROOT_ACCESS_KEY", "test-key")
            .env("ROOT_SECRET_KEY", "test-secret-of-the-store")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("versitygw runs");
        server.child = Some(child);
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", server.port)).is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("versitygw does not listen");
    }

    /// Ends it at once.
    pub fn stopped(mut self) -> Self {
        self.kill();
        self
    }

    /// What a client needs to know.
    pub fn settings(&self) -> S3Settings {
        S3Settings {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            ..Self::credentials()
        }
    }

    /// What a client needs to know besides the address.
    pub fn credentials() -> S3Settings {
        S3Settings {
            region: "us-east-1".into(),
            bucket: BUCKET.into(),
            prefix: "recordings/".into(),
            access_key: "test-key".into(),
            secret_key: "test-secret-of-the-store".into(),
            ..S3Settings::default()
        }
    }

    /// The folder that is the bucket.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    fn uploads(&self) -> Vec<PathBuf> {
        let folder = self.bucket().join(".sgwtmp/multipart");
        let objects = std::fs::read_dir(folder).into_iter().flatten().flatten();
        objects
            .flat_map(|object| {
                std::fs::read_dir(object.path())
                    .into_iter()
                    .flatten()
                    .flatten()
            })
            .map(|upload| upload.path())
            .filter(|path| path.is_dir())
            .collect()
    }

    /// Uploads in parts that were begun and neither finished nor aborted.
    pub fn unfinished_uploads(&self) -> usize {
        self.uploads().len()
    }

    /// As if the uploads in parts had expired.
    ///
    /// # Panics
    /// They cannot be removed.
    pub fn forget_uploads(&self) {
        for upload in self.uploads() {
            std::fs::remove_dir_all(upload).unwrap();
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(self.folder.path().with_extension("log"));
    }
}

fn binary() -> PathBuf {
    let path = cache_dir().join("bin/versitygw");
    assert!(
        path.exists(),
        "{} is missing: run scripts/test-dependencies",
        path.display()
    );
    path
}
