//! From the job on standard input to the exit code.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::job::{BrowserJob, BrowserSettings};
use crate::process::{Place, start};

use super::captures::CaptureSocket;
use super::keeper::Keeper;
use super::pages::PageServer;
use super::profile::remove_leftovers;

/// How long to stay when no channel is listened to. The next capture starts another host.
const IDLE: Duration = Duration::from_secs(30);

/// Between two looks at whether there is something to do.
const LOOK: Duration = Duration::from_secs(1);

/// What all channels share.
pub struct Host {
    pub settings: BrowserSettings,
    pub keeper: Keeper,
    pub pages: PageServer,
}

/// The `tapedeck browser` process: takes its job from standard input; ends by SIGTERM, or when no
/// capture needs it any more.
pub fn run() -> ExitCode {
    let (job, runtime) = match start("browser", work_place) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    match runtime.block_on(serve(job)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work_place(job: &BrowserJob) -> Place<'_> {
    Place {
        folder: &job.settings.folder,
        id: "browser",
        room_name: "process",
        // The browser has a sandbox of its own for what it loads.
        reach: None,
    }
}

async fn serve(job: BrowserJob) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let settings = job.settings;
    // Who has the socket is the only host.
    let mut captures = CaptureSocket::bind(&settings.socket)?;
    let folder = settings.folder.clone();
    let removing = tokio::task::spawn_blocking(move || remove_leftovers(&folder));
    if let Err(error) = removing
        .await
        .map_err(io::Error::other)
        .and_then(|done| done)
    {
        log::warn!("cannot look for what an earlier host left: {error}");
    }
    let host = Arc::new(Host {
        keeper: Keeper::new(settings.clone()),
        pages: PageServer::start(&settings.allowed_hosts).await?,
        settings,
    });
    log::info!("ready for channels");
    let reason = loop {
        tokio::select! {
            () = captures.accept(&host) => {}
            _ = terminate.recv() => break "it was told to by a signal",
            () = tokio::time::sleep(LOOK) => {}
        }
        if captures
            .idle_since()
            .is_some_and(|since| since.elapsed() >= IDLE)
        {
            break "nobody needs it";
        }
    };
    log::info!("ending: {reason}");
    // Before the browser: a capture that comes now finds no host and starts the next one.
    captures.close().await;
    host.keeper.close().await;
    Ok(())
}
