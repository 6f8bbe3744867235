//! versitygw: an S3 server whose buckets are folders.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tapedeck_storage::S3Settings;

use crate::{cache_dir, exchange, free_port, wait_for_port};

const BUCKET: &str = "films";
const SECRET: &str = "test-secret-of-the-store";

/// A server with one bucket.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
    secret: String,
    /// Certificate and key, when it speaks https.
    tls: Option<tempfile::TempDir>,
}

impl Server {
    /// Starts one with an empty bucket.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts one that speaks https, with a certificate that nobody vouches for.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn start_https() -> Self {
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(folder.path().join("key.pem"), key).unwrap();
        Self::start_with(Some(folder)).await
    }

    async fn start_with(tls: Option<tempfile::TempDir>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let server = Self {
            folder,
            port: free_port(),
            child: None,
            secret: SECRET.into(),
            tls,
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
        let mut command = Command::new(binary());
        command.args(["--port", &format!("127.0.0.1:{}", server.port)]);
        if let Some(tls) = &server.tls {
            command.arg("--cert").arg(tls.path().join("cert.pem"));
            command.arg("--key").arg(tls.path().join("key.pem"));
        }
        let child = command
            .arg("posix")
            .arg(server.folder.path())
            .env("ROOT_ACCESS_KEY", "test-key")
            .env("ROOT_SECRET_KEY", &server.secret)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("versitygw runs");
        server.child = Some(child);
        wait_for_port(server.port, "versitygw").await;
        server
    }

    /// Starts it again, with another secret for the same access key; none for the usual one.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn with_secret(mut self, secret: Option<&str>) -> Self {
        self.secret = secret.unwrap_or(SECRET).to_owned();
        self.restarted().await
    }

    /// Ends it at once.
    pub fn stopped(mut self) -> Self {
        self.kill();
        self
    }

    /// What a client needs to know.
    pub fn settings(&self) -> S3Settings {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        S3Settings {
            endpoint: format!("{scheme}://127.0.0.1:{}", self.port),
            ca_file: self.tls.as_ref().map(|tls| tls.path().join("cert.pem")),
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
            secret_key: SECRET.into(),
            ..S3Settings::default()
        }
    }

    /// Makes another bucket.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn make_bucket(&self, name: &str) {
        std::fs::create_dir(self.folder.path().join(name)).unwrap();
    }

    /// The folder that is the bucket.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// What anybody gets who asks for `target`: head and body.
    pub async fn get(&self, target: &str) -> String {
        let port = self.port;
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
        exchange(port, &request).await
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
