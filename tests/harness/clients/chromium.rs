use std::env;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::static_files::StaticFiles;
use crate::children::Process;
use crate::livekit::Livekit;

/// Flags for a browser without a screen, with cameras and microphones that need no hardware, and
/// that calls nobody.
pub(super) const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--no-first-run",
    "--enable-logging=stderr",
];

/// A browser; it and its processes end when dropped.
pub struct Chromium {
    process: Process,
    _files: StaticFiles,
    folder: TempDir,
}

impl Chromium {
    /// Opens a page that publishes camera and microphone with `livekit-client`.
    ///
    /// # Panics
    /// Browser or client are missing (the message says how to get them).
    pub async fn publish(livekit: &Livekit, room: &str, identity: &str) -> Self {
        let client =
            crate::cache_dir().join("npm/node_modules/livekit-client/dist/livekit-client.umd.js");
        assert!(
            client.is_file(),
            "LiveKit's browser client is missing; get it with: scripts/test-dependencies"
        );
        let job = json!({
            "url": livekit.ws_url(),
            "token": livekit.participant_token(room, identity, "Chromium"),
        });
        let page = super::folder().join("page.html");
        Self::open(&[page, client], &job.to_string()).await
    }

    /// Plays the file at an address; [`Chromium::log`] tells how it went in lines with `player:`.
    ///
    /// # Panics
    /// The browser is missing (the message says how to get it).
    pub async fn play(address: &str) -> Self {
        Self::open(&[super::folder().join("player.html")], address).await
    }

    /// Serves some files and opens the first with `hash` in its address.
    async fn open(files: &[PathBuf], hash: &str) -> Self {
        let page = files[0].file_name().unwrap_or_default().to_string_lossy();
        let files = StaticFiles::serve(files).await;
        let hash: String = hash.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let address = format!("http://{}/{page}#{hash}", files.address);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program());
        command
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg(address);
        let process =
            Process::start("chromium", command, &folder.path().join("log")).expect("chromium runs");
        Self {
            process,
            _files: files,
            folder,
        }
    }

    /// What browser and page said.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Asked kindly first, so that it ends its own children.
        self.process.signal(libc::SIGTERM);
        for _ in 0..100 {
            if self.process.ended().is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        crate::children::kill_all_naming(&self.folder.path().display().to_string());
    }
}

pub(super) fn program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("chromium is missing; get it with: apt-get install chromium"))
}
