//! One running browser.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use crate::job::BrowserSettings;

use super::arguments::arguments;
use super::devtools::{DevTools, DevToolsError};
use super::listening::happened;
use super::profile::Profile;

/// How long a browser may take to answer for the first time, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long it may take to end after its pipes were closed.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// Where to look for it in the search path.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Gives the browser its pipes as descriptors 3 and 4, as `--remote-debugging-pipe` wants them.
const WITH_PIPES: &str = r#"exec 3<&0 4>&1 </dev/null >/dev/null; exec "$0" "$@""#;

/// What a browser needs of our environment besides folders of its own.
const INHERITED: [&str; 8] = [
    "PATH",
    "LANG",
    "TZ",
    "LD_LIBRARY_PATH",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Why there is no browser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrowserError {
    #[error(
        "Chromium is missing: `apt-get install chromium` brings it, or name the executable in the \
         configuration"
    )]
    Missing,
    #[error("{0} is not an executable file: correct the path of Chromium in the configuration")]
    NotExecutable(PathBuf),
    #[error("Chromium cannot be started: {0}")]
    Start(String),
    #[error("Chromium ended at once: look into browser.log")]
    EndedAtOnce,
    #[error("Chromium does not answer: look into browser.log")]
    Silent,
    #[error("a tab cannot be opened: {0}")]
    Tab(DevToolsError),
    #[error("Chromium hangs")]
    Hangs,
}

/// A running browser. When the last hold on it is dropped, it is ended and its profile removed.
pub struct Browser {
    devtools: DevTools,
    ended: watch::Receiver<bool>,
    /// Held for as long as the browser is wanted; a message ends it at once.
    wanted: mpsc::Sender<()>,
}

impl Browser {
    /// Starts one, with a sandbox if `sandbox` says so. What is added to `endings` is true when all
    /// of it, its profile too, is gone.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub async fn start(
        settings: &BrowserSettings,
        sandbox: bool,
        endings: &mut Vec<watch::Receiver<bool>>,
    ) -> Result<Self, BrowserError> {
        let started = |error: io::Error| BrowserError::Start(error.to_string());
        let executable = find(&settings.chromium)?;
        let profile = Profile::create(&settings.folder).map_err(started)?;
        let mut command = command(&executable, &profile, settings, sandbox);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                profile.remove();
                return Err(started(error));
            }
        };
        let pipes = (child.stdout.take(), child.stdin.take());
        let (wanted, unwanted) = mpsc::channel(1);
        let (ending, ended) = watch::channel(false);
        endings.push(ended.clone());
        tokio::spawn(look_after(child, profile, unwanted, ending));
        let (Some(reading), Some(writing)) = pipes else {
            return Err(BrowserError::EndedAtOnce);
        };
        let browser = Self {
            devtools: DevTools::new(reading, writing),
            ended,
            wanted,
        };
        let answering = browser.devtools.command("Browser.getVersion", json!({}));
        match tokio::time::timeout(START_TIMEOUT, answering).await {
            Ok(Ok(version)) => log::info!("started {}", version["product"]),
            Ok(Err(DevToolsError::Gone)) => return Err(BrowserError::EndedAtOnce),
            _ => return Err(BrowserError::Silent),
        }
        let discover = json!({ "discover": true });
        let discovering = browser
            .devtools
            .command("Target.setDiscoverTargets", discover);
        discovering.await.map_err(BrowserError::Tab)?;
        Ok(browser)
    }

    /// Whether it has ended, or can no longer be told anything.
    pub fn is_gone(&self) -> bool {
        *self.ended.borrow() || *self.devtools.closed().borrow()
    }

    /// Waits until it has gone.
    pub async fn gone(&self) {
        happened(&mut self.devtools.closed()).await;
    }

    /// Kills it with all its processes, whoever still holds it.
    pub fn kill(&self) {
        // An error means that it was told so already, or has ended.
        let _ = self.wanted.try_send(());
    }

    /// Opens an address in a tab of its own.
    ///
    /// # Errors
    /// The browser refuses, hangs, or has gone.
    pub async fn open(self: &Arc<Self>, address: &str) -> Result<Tab, BrowserError> {
        let lost = self.devtools.lost_targets();
        let url = json!({ "url": address });
        // That a tab does not open may be due to the tab; the second question is to the browser.
        let (opened, asked) = tokio::join!(
            self.devtools.command("Target.createTarget", url),
            self.devtools.command("Browser.getVersion", json!({})),
        );
        let opened = opened.map_err(|error| match asked {
            Err(DevToolsError::Silent) => BrowserError::Hangs,
            _ => BrowserError::Tab(error),
        })?;
        Ok(Tab {
            browser: Arc::clone(self),
            target: opened["targetId"].as_str().unwrap_or_default().to_owned(),
            lost,
        })
    }
}

/// An open tab; it is closed when dropped.
pub struct Tab {
    browser: Arc<Browser>,
    target: String,
    lost: tokio::sync::broadcast::Receiver<String>,
}

impl Tab {
    /// Waits until it has crashed, or its browser has gone; says what happened.
    pub async fn lost(&mut self) -> &'static str {
        loop {
            tokio::select! {
                () = self.browser.gone() => return "the browser ended",
                target = self.lost.recv() => match target {
                    Ok(target) if target == self.target => return "the tab crashed",
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(_) => return "the browser ended",
                },
            }
        }
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let (browser, target) = (Arc::clone(&self.browser), std::mem::take(&mut self.target));
        if target.is_empty() || browser.is_gone() {
            return;
        }
        tokio::spawn(async move {
            let closing = browser
                .devtools
                .command("Target.closeTarget", json!({ "targetId": target }));
            if let Err(error) = closing.await {
                log::debug!("a tab cannot be closed: {error}");
            }
        });
    }
}

fn command(
    executable: &Path,
    profile: &Profile,
    settings: &BrowserSettings,
    sandbox: bool,
) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", WITH_PIPES])
        .arg(executable)
        .args(arguments(profile.path(), &settings.allowed_hosts, sandbox))
        .current_dir(profile.path())
        .env_clear()
        .envs(
            INHERITED
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .env("HOME", profile.path())
        .env("XDG_CONFIG_HOME", profile.path())
        .env("XDG_CACHE_HOME", profile.path())
        .env("XDG_RUNTIME_DIR", profile.path())
        .env("TMPDIR", profile.temporary())
        // A group of its own, which can be ended as a whole.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Waits until the browser ends or is not wanted any more, and leaves nothing of it.
async fn look_after(
    mut child: Child,
    profile: Profile,
    mut unwanted: mpsc::Receiver<()>,
    ending: watch::Sender<bool>,
) {
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    tokio::select! {
        status = child.wait() => log::warn!("the browser ended: {}", describe(status)),
        told = unwanted.recv() => {
            let ends = tokio::time::timeout(END_TIMEOUT, child.wait());
            if told.is_none() && ends.await.is_err() {
                log::warn!("the browser does not end, killing it");
            }
        }
    }
    // Its processes end by themselves when the first one has; one that hangs does not.
    if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
        // An error means that nobody is left.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait().await;
    let _ = tokio::task::spawn_blocking(|| profile.remove()).await;
    // Nobody may be left to be told.
    let _ = ending.send(true);
}

fn describe(status: io::Result<std::process::ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The executable to start: the one that is named, or the first of the search path.
///
/// # Errors
/// There is none; says how to get it.
pub fn find(named: &Path) -> Result<PathBuf, BrowserError> {
    let is_executable = |path: &PathBuf| {
        std::fs::metadata(path)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if !named.as_os_str().is_empty() {
        return Some(named.to_owned())
            .filter(is_executable)
            .ok_or_else(|| BrowserError::NotExecutable(named.to_owned()));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = NAMES
        .iter()
        .flat_map(|name| std::env::split_paths(&folders).map(move |folder| folder.join(name)));
    candidates.find(is_executable).ok_or(BrowserError::Missing)
}
