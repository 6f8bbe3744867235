//! Finding the browser host, or starting it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::browser::{ChannelEvent, ChannelRequest};
use crate::control::PROTOCOL_VERSION;
use crate::job::{BrowserJob, BrowserSettings};
use crate::process::Launch;
use crate::sources::link::{Link, LinkError};

/// How long a host that was started may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// This program, also when its file was replaced.
const THIS_EXECUTABLE: &str = "/proc/self/exe";

/// A connection for one channel.
pub type HostLink = Link<ChannelRequest, ChannelEvent>;

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("{0}")]
    Foreign(String),
    #[error("the browser host cannot be started: {0}")]
    Start(#[from] io::Error),
    #[error("the browser host does not start; look into {}", .0.display())]
    Silent(PathBuf),
}

/// Connects to the host; starts it if there is none.
///
/// # Errors
/// It belongs to somebody else, or cannot be started.
pub async fn connect(settings: &BrowserSettings) -> Result<HostLink, HostError> {
    let deadline = Instant::now() + START_TIMEOUT;
    if let Some(link) = try_connect(&settings.socket).await? {
        return Ok(link);
    }
    // One capture starts it, the others wait: the lock goes with this process, whatever it dies of.
    let starting = lock(settings, deadline).await?;
    let mut started = None;
    loop {
        if let Some(link) = try_connect(&settings.socket).await? {
            drop(starting);
            return Ok(link);
        }
        if started.is_none() {
            started = Some(start(settings).await?);
        }
        if Instant::now() >= deadline {
            return Err(HostError::Silent(settings.folder.join("browser.log")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_connect(socket: &Path) -> Result<Option<HostLink>, HostError> {
    match Link::open(socket).await {
        Ok(link) => Ok(Some(link)),
        Err(LinkError::Foreign(error)) => Err(HostError::Foreign(error)),
        Err(LinkError::NotRunning(_)) => Ok(None),
    }
}

async fn lock(settings: &BrowserSettings, deadline: Instant) -> Result<std::fs::File, HostError> {
    let folder = settings.folder.clone();
    let opening = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("starting.lock"))
    });
    let file = opening.await.map_err(io::Error::other)??;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(HostError::Silent(settings.folder.join("browser.log")));
            }
            Err(error) => return Err(HostError::Start(error.into())),
        }
    }
}

/// Starts a host, which outlives this process. It is reaped when it ends before.
async fn start(settings: &BrowserSettings) -> io::Result<tokio::process::Child> {
    log::info!("starting the browser host");
    let launch = Launch {
        subcommand: "browser",
        executable: PathBuf::from(THIS_EXECUTABLE),
        folder: settings.folder.clone(),
        job: Launch::job(&BrowserJob {
            protocol: PROTOCOL_VERSION,
            settings: settings.clone(),
        })?,
    };
    launch.start().await
}
