//! From the job on standard input to the exit code.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::control::{
    CaptureSnapshot, CaptureState, Command, CommandEnvelope, ControlServer, EndReason, Event,
    Failure, FailureKind, Role,
};
use crate::job::{CaptureJob, Source};
use crate::log::{LogError, LogEvent, MachineTime, is_locked};
use crate::process::{Journal, Place, Reach, start};
use crate::sources::{Joined, RoomSource};

use super::clock::RecordingClock;
use super::earlier::Earlier;
use super::recorder::Recorder;
use super::recording::Recording;
use super::sink::event;
use super::writer::{LogPlace, LogThread, log_failure};

/// How long the last snapshot of a process that has nothing more to do stays readable.
const LINGER: Duration = Duration::from_secs(10);

/// How long the log is waited for, which an earlier process that was killed has until its last
/// write to the disk is done.
const LOG_IN_USE: Duration = Duration::from_secs(20);

/// Between two looks at whether it still has it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long a connected server takes to read a snapshot, at most.
const READING: Duration = Duration::from_millis(300);

/// The `tapedeck capture` process: takes its job from standard input, ends when told to by its
/// control socket, by its limits, or by SIGTERM.
pub fn run() -> ExitCode {
    match start("capture", work_place) {
        Ok((job, runtime)) => runtime.block_on(capture(job)),
        Err(exit) => exit,
    }
}

fn work_place(job: &CaptureJob) -> Place<'_> {
    Place {
        folder: &job.folder,
        id: &job.recording_id,
        room_name: &job.room_name,
        reach: match job.source {
            // It may have to start the browser, which keeps its own pages in a sandbox.
            Source::Agora { .. } => None,
            Source::Livekit { .. } | Source::Whip { .. } => Some(Reach {
                written: vec![job.folder.clone()],
                sockets: vec![job.socket.clone()],
                network: true,
            }),
        },
    }
}

/// The ways in which others reach the process.
pub(super) struct Control {
    pub server: ControlServer,
    pub commands: mpsc::Receiver<CommandEnvelope>,
    pub terminate: Signal,
}

impl Control {
    fn open(job: &CaptureJob) -> io::Result<Self> {
        let (server, commands) =
            ControlServer::bind(&job.socket, Role::Capture, &job.recording_id)?;
        Ok(Self {
            server,
            commands,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub fn publish(&self, snapshot: CaptureSnapshot) {
        self.server.publish(Event::Capture { snapshot });
    }

    async fn close(self) {
        self.server.close(READING).await;
    }
}

async fn capture(job: CaptureJob) -> ExitCode {
    let mut control = match Control::open(&job) {
        Ok(control) => control,
        Err(error) => {
            log::error!(
                "cannot open the control socket {}: {error}",
                job.socket.display()
            );
            return ExitCode::FAILURE;
        }
    };
    control.publish(CaptureSnapshot::default());
    match begin(&job, &mut control).await {
        Ok(recording) => {
            recording.run(&mut control).await;
            control.close().await;
            ExitCode::SUCCESS
        }
        Err(NotBegun::Terminated) => {
            control.close().await;
            ExitCode::SUCCESS
        }
        Err(NotBegun::Told(snapshot)) => {
            let failed = snapshot.state == CaptureState::Failed;
            if let Some(failure) = &snapshot.failure {
                log::error!("{}", failure.message);
                note_failure(&job, failure);
            }
            linger(&mut control, snapshot).await;
            control.close().await;
            if failed {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

/// Why there is no recording to run.
enum NotBegun {
    /// The last snapshot.
    Told(Box<CaptureSnapshot>),
    /// By a signal, before it was in the room: a log that there is stays as it is.
    Terminated,
}

impl From<Box<CaptureSnapshot>> for NotBegun {
    fn from(snapshot: Box<CaptureSnapshot>) -> Self {
        Self::Told(snapshot)
    }
}

/// Joins the room and opens the log.
async fn begin(job: &CaptureJob, control: &mut Control) -> Result<Recording, NotBegun> {
    let reading = read_earlier(log_folder(job));
    let earlier = unless_told(reading, control).await?.map_err(failed)?;
    if let Some(earlier) = &earlier
        && let Some(reason) = earlier.ended
    {
        log::info!("the log is complete already");
        return Err(Box::new(complete(earlier, reason)).into());
    }
    let known = earlier.as_ref().map(Earlier::known).unwrap_or_default();
    let give_up_after = Duration::from_millis(job.limits.source_lost_timeout_ms);
    let joining = RoomSource::join(&job.source, job.video, known, give_up_after);
    let (source, joined) = unless_told(joining, control).await?.map_err(failed)?;
    let opened = match earlier {
        None => create_log(job, &joined),
        Some(earlier) => resume_log(job, earlier),
    };
    match opened {
        Ok(opened) => Ok(Recording::new(job, source, joined, opened)),
        Err(error) => {
            source.leave().await;
            Err(failed_log(error).into())
        }
    }
}

/// Waits for `doing`, unless it is told meanwhile that there is to be no recording.
async fn unless_told<T>(
    doing: impl Future<Output = T>,
    control: &mut Control,
) -> Result<T, NotBegun> {
    let mut doing = pin!(doing);
    loop {
        tokio::select! {
            done = &mut doing => return Ok(done),
            Some(envelope) = control.commands.recv() => {
                if let Some(reason) = answer_before_recording(control, &envelope) {
                    return Err(Box::new(stopped_early(reason)).into());
                }
            }
            _ = control.terminate.recv() => return Err(NotBegun::Terminated),
        }
    }
}

/// An open log and what has been written to it so far.
pub(super) struct OpenLog {
    pub log: LogThread,
    pub recorder: Recorder,
    pub clock: RecordingClock,
    pub started_wall_ns: i64,
    /// As the log tells it; none for a new one.
    pub room_id: Option<String>,
    /// When it was paused, if it is.
    pub paused_since: Option<MachineTime>,
}

fn place(job: &CaptureJob) -> LogPlace {
    LogPlace {
        folder: log_folder(job),
        journal: journal_path(job),
        recording_id: job.recording_id.clone(),
        settings: job.log,
    }
}

fn log_folder(job: &CaptureJob) -> PathBuf {
    job.folder.join("log")
}

fn journal_path(job: &CaptureJob) -> PathBuf {
    job.folder.join("capture.jsonl")
}

fn create_log(job: &CaptureJob, joined: &Joined) -> Result<OpenLog, LogError> {
    let clock = RecordingClock::new(joined.at, 0);
    let now = clock.now();
    let started_wall_ns = now.wall_ns - i64::try_from(now.time_ns).unwrap_or(0);
    let mut log = LogThread::create(place(job), started_wall_ns, clock.clone())?;
    let started = LogEvent::RecordingStarted {
        recording_id: job.recording_id.clone(),
        room_name: job.room_name.clone(),
        room_id: joined.room_id.clone(),
        source: job.source.kind().to_owned(),
    };
    let mut beginning = now;
    beginning.time_ns = 0;
    beginning.wall_ns = started_wall_ns;
    let recorder = Recorder::begin(clock.clone(), started, beginning, &mut log);
    event(&mut log, clock.now(), MachineTime::now().event());
    Ok(OpenLog {
        log,
        recorder,
        clock,
        started_wall_ns,
        room_id: None,
        paused_since: None,
    })
}

fn resume_log(job: &CaptureJob, earlier: Earlier) -> Result<OpenLog, LogError> {
    let (mut log, clock, resumed) = LogThread::resume(place(job), |resumed| {
        let until_ns = resumed.time_ns.max(earlier.until_ns);
        let now = Instant::now();
        if earlier.paused_since.is_some() {
            let clock = RecordingClock::new(now, until_ns);
            clock.stop(now);
            return clock;
        }
        // A wall clock that was set meanwhile must not make hours of it.
        let longest_ns = job.limits.max_duration_ms.saturating_mul(1_000_000);
        let away_ns = MachineTime::now().since(&earlier.until);
        let time_ns = until_ns.saturating_add(away_ns).min(longest_ns);
        RecordingClock::new(now, time_ns.max(until_ns))
    })?;
    log::info!(
        "going on in the log of an earlier process, {} torn bytes cut",
        resumed.cut_bytes
    );
    let room_id = earlier.room_id.clone();
    let paused_since = earlier.paused_since.clone();
    let recorder = Recorder::resume(clock.clone(), earlier, clock.now(), &mut log);
    event(&mut log, clock.now(), MachineTime::now().event());
    Ok(OpenLog {
        log,
        recorder,
        clock,
        started_wall_ns: resumed.started_wall_ns,
        room_id: (!room_id.is_empty()).then_some(room_id),
        paused_since,
    })
}

/// Reads the log, once nobody writes it any more.
async fn read_earlier(folder: PathBuf) -> Result<Option<Earlier>, Failure> {
    let give_up_at = Instant::now() + LOG_IN_USE;
    while is_locked(&folder).map_err(|error| log_failure(&error))? {
        if Instant::now() >= give_up_at {
            // The log is as good as it was: this is no reason to end the recording.
            return Err(Failure {
                kind: FailureKind::Internal,
                message: format!(
                    "an earlier capture process still has the log in {}, as it waits for the disk; \
                     check the data folder's disk",
                    folder.display()
                ),
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    tokio::task::spawn_blocking(move || Earlier::read(&folder))
        .await
        .unwrap_or(Ok(None))
        .map_err(|error| log_failure(&error))
}

/// Answers a command that comes before there is a recording. Returns why not to begin one.
fn answer_before_recording(control: &Control, envelope: &CommandEnvelope) -> Option<EndReason> {
    let (answer, reason) = match &envelope.command {
        Command::Stop { reason } => (Ok(()), Some(*reason)),
        Command::Leave => (Ok(()), Some(EndReason::Stopped)),
        Command::Snapshot => (Ok(()), None),
        Command::Pause | Command::Resume | Command::RenewToken { .. } => (
            Err("it has not joined the room; try again when it records".to_owned()),
            None,
        ),
        Command::Finish | Command::Whip { .. } | Command::Unknown => (Err(unknown_command()), None),
    };
    control.server.reply(&envelope.id, answer);
    reason
}

/// The answer to a command that is not for capture.
pub(super) fn unknown_command() -> String {
    "a capture process does not know this command; it knows stop, pause, resume, leave and snapshot"
        .to_owned()
}

fn failed(failure: Failure) -> Box<CaptureSnapshot> {
    Box::new(CaptureSnapshot {
        state: CaptureState::Failed,
        failure: Some(failure),
        ..CaptureSnapshot::default()
    })
}

fn failed_log(error: LogError) -> Box<CaptureSnapshot> {
    failed(log_failure(&error))
}

fn stopped_early(reason: EndReason) -> CaptureSnapshot {
    CaptureSnapshot {
        state: CaptureState::Failed,
        end_reason: Some(reason),
        failure: Some(Failure {
            kind: FailureKind::Internal,
            message: "it was stopped before it had joined the room".to_owned(),
        }),
        ..CaptureSnapshot::default()
    }
}

fn complete(earlier: &Earlier, reason: EndReason) -> CaptureSnapshot {
    let started_at_ms = earlier.started_wall_ns / 1_000_000;
    let duration_ms = earlier.until_ns / 1_000_000;
    CaptureSnapshot {
        state: CaptureState::Sealed,
        room_id: Some(earlier.room_id.clone()),
        started_at_ms: Some(started_at_ms),
        ended_at_ms: Some(started_at_ms + i64::try_from(duration_ms).unwrap_or(0)),
        duration_ms,
        end_reason: Some(reason),
        gaps: earlier.told.gaps().to_vec(),
        pauses: earlier.told.pauses().to_vec(),
        ..CaptureSnapshot::default()
    }
}

fn note_failure(job: &CaptureJob, failure: &Failure) {
    let noted = Journal::open(&journal_path(job))
        .and_then(|mut journal| journal.append("failed", &json!({ "failure": failure })));
    if let Err(error) = noted {
        log::warn!("cannot write to the journal: {error}");
    }
}

/// Keeps the last snapshot readable until a server has read it.
async fn linger(control: &mut Control, snapshot: Box<CaptureSnapshot>) {
    control.publish(*snapshot);
    let end = Instant::now() + LINGER;
    let mut read_by = None;
    loop {
        let now = Instant::now();
        if control.server.alone_since().is_none() {
            read_by.get_or_insert(now + READING);
        }
        if now >= end || read_by.is_some_and(|read_by| now >= read_by) {
            return;
        }
        tokio::select! {
            Some(envelope) = control.commands.recv() => {
                let left = matches!(envelope.command, Command::Leave);
                answer_before_recording(control, &envelope);
                if left {
                    return;
                }
            }
            _ = control.terminate.recv() => return,
            () = tokio::time::sleep(READING / 3) => {}
        }
    }
}
