//! Azurite: Microsoft's emulator of Azure Storage.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tapedeck_storage::AzureSettings;

use crate::{cache_dir, free_port, skipped, wait_for_port};

/// The account of every emulator, and its key: public knowledge.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const CONTAINER: &str = "films";

/// An emulator with one container.
pub struct Azurite {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Azurite {
    /// Starts one with an empty container; none where it is not installed.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn start() -> Option<Self> {
        let program = program();
        if !program.exists() {
            skipped(&format!("{} is missing", program.display()));
            return None;
        }
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            child: None,
        };
        server.run().await;
        server.create_container().await;
        Some(server)
    }

    /// `http://…`
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a client needs to know.
    pub fn settings(&self) -> AzureSettings {
        AzureSettings {
            endpoint: format!("{}/{ACCOUNT}", self.address()),
            account: ACCOUNT.into(),
            container: CONTAINER.into(),
            prefix: "recordings/".into(),
            account_key: KEY.into(),
        }
    }

    async fn run(&mut self) {
        let child = Command::new(program())
            .args([
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &self.port.to_string(),
            ])
            .args([
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
                "--location",
            ])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("azurite runs");
        self.child = Some(child);
        wait_for_port(self.port, "azurite").await;
    }

    /// <https://learn.microsoft.com/rest/api/storageservices/create-container>
    async fn create_container(&self) {
        use hmac::Mac;
        let date = httpdate::fmt_http_date(std::time::SystemTime::now());
        let headers = format!("x-ms-date:{date}\nx-ms-version:2021-12-02");
        let resource = format!("/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container");
        let to_sign = format!("PUT{}{headers}\n{resource}", "\n".repeat(12));
        let key = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, KEY).expect("base64");
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key");
        mac.update(to_sign.as_bytes());
        let signature = mac.finalize().into_bytes();
        let signature = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signature);
        let request = format!(
            "PUT /{ACCOUNT}/{CONTAINER}?restype=container HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n\
             x-ms-date: {date}\r\nx-ms-version: 2021-12-02\r\ncontent-length: 0\r\n\
             authorization: SharedKey {ACCOUNT}:{signature}\r\nconnection: close\r\n\r\n",
            self.port
        );
        let answer = crate::exchange(self.port, &request).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> PathBuf {
    cache_dir().join("azurite/node_modules/.bin/azurite-blob")
}
