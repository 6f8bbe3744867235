//! From the job on standard input to the exit code.

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::control::{CommandEnvelope, ControlServer, ProcessRole};
use crate::job::RoomsJob;
use crate::process::{Place, Reach, start};

use super::host::Host;
use super::media::{MediaNotice, MediaServer};

/// Time between two snapshots.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// How long to stay when nobody publishes and nobody records. The next publisher starts another
/// process.
const IDLE: Duration = Duration::from_secs(180);

/// The `tapedeck rooms` process: takes its job from standard input, ends when told to by its control
/// socket or by SIGTERM, when it has nothing to do, or when nobody looks after it any more.
pub fn run() -> ExitCode {
    let (job, runtime) = match start("rooms", work_place) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    match runtime.block_on(serve(&job)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work_place(job: &RoomsJob) -> Place<'_> {
    Place {
        folder: &job.folder,
        id: "rooms",
        room_name: "process",
        reach: Some(Reach {
            written: vec![job.folder.clone()],
            sockets: vec![job.socket.clone(), job.media_socket.clone()],
            network: true,
        }),
    }
}

/// Hosts rooms until there is a reason to end.
async fn serve(job: &RoomsJob) -> io::Result<()> {
    let place = |what: &str, path: &std::path::Path, error: io::Error| {
        let text = format!("cannot open the {what} socket {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    };
    let terminate = signal(SignalKind::terminate())?;
    // Before the server can find it, captures can.
    let (captures_end, notices) = MediaServer::bind(&job.media_socket)
        .map_err(|error| place("media", &job.media_socket, error))?;
    let (control, commands) = ControlServer::bind(&job.socket, ProcessRole::Rooms, "")
        .map_err(|error| place("control", &job.socket, error))?;
    let host = Host::new(job.settings.clone(), control, captures_end);
    host.publish();
    log::info!("ready for publishers");
    let server_lost = Duration::from_millis(job.server_lost_timeout_ms);
    Inputs {
        commands,
        notices,
        terminate,
    }
    .drive(host, server_lost)
    .await;
    Ok(())
}

/// The ways in which others reach the process.
struct Inputs {
    commands: mpsc::Receiver<CommandEnvelope>,
    notices: mpsc::Receiver<MediaNotice>,
    terminate: Signal,
}

impl Inputs {
    async fn drive(mut self, mut host: Host, server_lost: Duration) {
        let mut ticks = tokio::time::interval(SNAPSHOT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reason = loop {
            tokio::select! {
                Some(envelope) = self.commands.recv() => {
                    if host.on_command(envelope) {
                        break "it was told to";
                    }
                }
                Some(notice) = self.notices.recv() => host.on_notice(notice),
                (session, told) = host.told() => host.on_told(session, told),
                _ = self.terminate.recv() => break "it was told to by a signal",
                now = ticks.tick() => {
                    host.publish();
                    if let Some(reason) = over(&host, server_lost, now.into_std()) {
                        break reason;
                    }
                }
            }
        };
        log::info!("ending: {reason}");
        host.close(self.commands).await;
    }
}

/// Why there is nothing more to do, if so.
fn over(host: &Host, server_lost: Duration, now: Instant) -> Option<&'static str> {
    let is_past = |since: Option<Instant>, patience: Duration| {
        since.is_some_and(|since| now.saturating_duration_since(since) >= patience)
    };
    if is_past(host.unattended_since(), server_lost) {
        return Some("no server came back, and nothing is recorded");
    }
    is_past(host.idle_since(), IDLE).then_some("nobody publishes or records")
}
