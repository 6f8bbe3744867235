//! The server of the demo: this executable in a folder of its own.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::api::Api;
use super::error::DemoError;
use super::processes::{self, Found};

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Lines of its log that are told.
const TOLD: usize = 20;

/// What it gets of the environment; everything else could be configuration.
const ENVIRONMENT: [&str; 10] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "GST_PLUGIN_PATH",
    "GST_REGISTRY",
    "RUST_LOG",
];

/// A running server. It and all its processes end with this value, and its data goes.
pub struct Server {
    pub api: Api,
    child: Child,
    folder: Folder,
    /// The folder, as the system names the files in it.
    root: PathBuf,
}

/// Where its data and its log are.
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1 and waits until it is ready.
    pub async fn start(keep: Option<&Path>) -> Result<Self, DemoError> {
        let folder = folder(keep)?;
        let root = folder.path().canonicalize();
        let failed = |source| DemoError::Folder {
            path: folder.path().to_owned(),
            source,
        };
        let root = root.map_err(failed)?;
        let log = File::create(log_path(folder.path())).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let port = free_port().map_err(DemoError::Loopback)?;
        let api = Api::new(port)?;
        let mut command = Command::new(env::current_exe().map_err(DemoError::Spawn)?);
        command
            .arg("serve")
            .current_dir(folder.path())
            .env_clear()
            .envs(
                ENVIRONMENT
                    .iter()
                    .filter_map(|name| Some((name, env::var_os(name)?))),
            )
            .env("TAPEDECK_DATA_DIR", root.join("data"))
            .env("SERVER_PORT", port.to_string())
            .env("TAPEDECK_ROOMS_ADDRESSES", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C is for the demo, which then ends all in order.
            .process_group(0);
        let child = command.spawn().map_err(DemoError::Spawn)?;
        let mut server = Self {
            api,
            child,
            folder,
            root,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> Result<(), DemoError> {
        let begun = Instant::now();
        while !self.api.is_ready().await {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended || begun.elapsed() > START_TIMEOUT {
                return Err(DemoError::NotReady(self.log_tail()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// It and the processes that it started.
    pub fn processes(&self) -> Vec<Found> {
        processes::of(&self.root)
    }

    /// The last lines of what it and its processes said.
    pub fn log_tail(&self) -> String {
        let text = fs::read(log_path(self.folder.path())).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TOLD)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The others would outlive the server, as they do when it is restarted.
        processes::end(&self.root);
        let _ = self.child.wait();
    }
}

fn folder(keep: Option<&Path>) -> Result<Folder, DemoError> {
    let Some(path) = keep else {
        // Short, because paths of sockets must be.
        let made = tempfile::Builder::new().prefix("tapedeck-").tempdir();
        return made
            .map(Folder::Temporary)
            .map_err(|source| DemoError::Folder {
                path: env::temp_dir(),
                source,
            });
    };
    let failed = |source| DemoError::Folder {
        path: path.to_owned(),
        source,
    };
    fs::create_dir(path).map_err(failed)?;
    path.canonicalize().map(Folder::Kept).map_err(failed)
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

/// A port that is free now.
fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
