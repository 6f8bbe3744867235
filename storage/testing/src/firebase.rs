//! Servers of Firebase and Google Cloud Storage, each in a process of its own that ends with ours.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{cache_dir, free_port, skipped, wait_for_port};

/// A server that ends when this value or this process does.
pub struct Server {
    /// Such as `127.0.0.1:9199`.
    pub host: String,
    command: Box<dyn Fn(u16) -> Command + Send + Sync>,
    port: u16,
    child: Option<Child>,
    /// Its working directory.
    _folder: Option<tempfile::TempDir>,
}

impl Server {
    async fn start(
        folder: Option<tempfile::TempDir>,
        command: impl Fn(u16) -> Command + Send + Sync + 'static,
    ) -> Self {
        let port = free_port();
        let mut server = Self {
            host: format!("127.0.0.1:{port}"),
            command: Box::new(command),
            port,
            child: None,
            _folder: folder,
        };
        server.restart().await;
        server
    }

    /// Ends it at once, and starts it again.
    ///
    /// # Panics
    /// It does not start.
    pub async fn restart(&mut self) {
        self.kill();
        let mut command = (self.command)(self.port);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.child = Some(command.spawn().expect("the server runs"));
        wait_for_port(self.port, &format!("{command:?}")).await;
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // With its input closed it ends, and with it whatever it has started itself.
            drop(child.stdin.take());
            for _ in 0..500 {
                if child.try_wait().ok().flatten().is_some() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Firebase's storage emulator: `/v0/…`, and the JSON protocol but for uploads.
///
/// # Panics
/// It is not installed, or does not start.
pub async fn firebase_storage() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let (place, modules) = (
        folder.path().to_owned(),
        cache_dir().join("firebase/node_modules"),
    );
    assert!(
        modules.join("firebase-tools").exists(),
        "firebase-tools is missing: run scripts/test-dependencies"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("firebase-emulator.js");
    Server::start(Some(folder), move |port| {
        let mut command = Command::new("node");
        command
            .arg(&script)
            .arg(&modules)
            .arg(port.to_string())
            .current_dir(&place);
        command
    })
    .await
}

/// gcp-storage-emulator: the JSON protocol with its uploads. It knows no preconditions.
///
/// # Panics
/// It is not installed, or does not start.
pub async fn google_storage(bucket: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    let program = cache_dir().join("venv/bin/gcp-storage-emulator");
    assert!(
        program.exists(),
        "gcp-storage-emulator is missing: run scripts/test-dependencies"
    );
    let bucket = bucket.to_owned();
    Server::start(Some(folder), move |port| {
        let mut command = watched(&program);
        command
            .args(["start", "--quiet", "--host=127.0.0.1", "--in-memory"])
            .arg(format!("--port={port}"))
            .arg(format!("--default-bucket={bucket}"))
            .current_dir(&place);
        command
    })
    .await
}

/// Google's Firestore emulator, where this machine has it: it comes with the Cloud SDK only.
///
/// # Panics
/// It does not start.
pub async fn firestore() -> Option<Server> {
    let Some(archive) = firestore_archive() else {
        skipped("Google's Firestore emulator, which comes with the Cloud SDK and needs java");
        return None;
    };
    let server = Server::start(None, move |port| {
        let mut command = watched(Path::new("java"));
        command
            .arg("-cp")
            .arg(&archive)
            .arg("com.google.cloud.datastore.emulator.firestore.CloudFirestore")
            .args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command
    });
    Some(server.await)
}

fn firestore_archive() -> Option<PathBuf> {
    const INSIDE: &str = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";
    let java = Command::new("java")
        .arg("-version")
        .stderr(Stdio::null())
        .status();
    if !java.is_ok_and(|status| status.success()) {
        return None;
    }
    let named = std::env::var_os("TAPEDECK_FIRESTORE_EMULATOR_JAR").map(PathBuf::from);
    let sdks = std::env::var_os("CLOUDSDK_ROOT_DIR").map(PathBuf::from);
    let sdks = sdks.into_iter().chain(
        ["/usr/lib/google-cloud-sdk", "/opt/google-cloud-sdk"]
            .iter()
            .map(PathBuf::from),
    );
    named
        .into_iter()
        .chain(sdks.map(|sdk| sdk.join(INSIDE)))
        .find(|path| path.is_file())
}

/// A program that is ended when nobody holds its input any more.
fn watched(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            // A shell gives what runs in the background no input of its own.
            r#""$0" "$@" </dev/null & child=$!; cat >/dev/null; kill -9 $child"#,
        ])
        .arg(program);
    command
}
