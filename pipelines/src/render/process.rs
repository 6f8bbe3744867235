use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{RenderControl, RenderError, render, tell_failure};
use crate::control::{Command, CommandEnvelope, ControlServer, Event, OutputFile, Role, Warning};
use crate::job::RenderJob;
use crate::process::{
    Journal, Reach, harden, init_logging, lower_priority, read_job, redirect_output,
};

/// The render gives way to capture and server.
const NICENESS: i32 = 5;
/// How large `render.log` may grow, bytes.
const LOG_CAP: u64 = 4 << 20;
/// What the process may allocate at most, bytes: a decoder that is led astray fails instead of
/// taking the machine's memory.
const MEMORY_LIMIT: u64 = 3 << 30;
/// Time between two snapshots.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the socket stays after the end, so that the server reads the last snapshot.
const FAREWELL: Duration = Duration::from_millis(500);

/// The main of `tapedeck render`: reads a [`RenderJob`] from standard input and carries it out.
/// Exits with 0 when the output is complete.
pub fn run_job() -> ExitCode {
    let job: RenderJob = match read_job() {
        Ok(job) => job,
        Err(error) => {
            eprintln!("cannot read the job: {error}");
            return ExitCode::FAILURE;
        }
    };
    let told = harden(Some(&reach(&job)));
    if let Err(error) = redirect_output(&job.folder.join("render.log"), LOG_CAP) {
        eprintln!("cannot write render.log: {error}");
    }
    let _ = init_logging(&job.recording_id, &job.room_name);
    for (level, text) in told {
        log::log!(level, "{text}");
    }
    if let Err(error) = lower_priority(NICENESS) {
        log::warn!("cannot lower the priority: {error}");
    }
    limit_memory();
    match supervised(&job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What decoders of media from strangers may reach.
fn reach(job: &RenderJob) -> Reach {
    let made = job.output.parent().map(Path::to_owned);
    Reach {
        written: made.into_iter().chain([job.folder.clone()]).collect(),
        sockets: job.socket.iter().cloned().collect(),
        network: false,
    }
}

/// Renders with a journal and, if the job names one, a control socket.
fn supervised(job: &RenderJob) -> Result<(), RenderError> {
    let control = Arc::new(RenderControl::default());
    let listener = listen(job, &control)?;
    let result = journaled(job, &control);
    if let Some((end, thread)) = listener {
        let _ = end.send(());
        let _ = thread.join();
    }
    result
}

fn journaled(job: &RenderJob, control: &RenderControl) -> Result<(), RenderError> {
    let opened = Journal::open(&job.folder.join("render.jsonl"));
    let mut journal = opened
        .map_err(|source| RenderError::Folder {
            path: job.folder.clone(),
            source,
        })
        .inspect_err(|error| tell_failure(control, error))?;
    note(&mut journal, "started", &());
    let result = render(job, control);
    match &result {
        Ok(output) => note(&mut journal, "finished", &Finished::new(output, control)),
        Err(error) => note(
            &mut journal,
            "failed",
            &serde_json::json!({ "error": error.to_string() }),
        ),
    }
    result.map(|_| ())
}

/// What the journal tells of a finished render, for a server that was away.
#[derive(serde::Serialize)]
struct Finished<'a> {
    #[serde(flatten)]
    output: &'a OutputFile,
    further_outputs: Vec<OutputFile>,
    warnings: Vec<Warning>,
}

impl<'a> Finished<'a> {
    fn new(output: &'a OutputFile, control: &RenderControl) -> Self {
        let snapshot = control.snapshot();
        Self {
            output,
            further_outputs: snapshot.further_outputs,
            warnings: snapshot.warnings,
        }
    }
}

fn note(journal: &mut Journal, happening: &str, details: &impl serde::Serialize) {
    if let Err(error) = journal.append(happening, details) {
        log::warn!("cannot write the journal: {error}");
    }
}

type Listener = (oneshot::Sender<()>, thread::JoinHandle<()>);

/// Serves the control socket on a thread of its own until told to end.
fn listen(job: &RenderJob, control: &Arc<RenderControl>) -> Result<Option<Listener>, RenderError> {
    let Some(path) = job.socket.clone() else {
        return Ok(None);
    };
    let failed = |source: std::io::Error| RenderError::Socket {
        path: job.socket.clone().unwrap_or_default(),
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (server, commands) = {
        let _guard = runtime.enter();
        ControlServer::bind(&path, Role::Render, &job.recording_id).map_err(failed)?
    };
    let control = Arc::clone(control);
    let (end, ended) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("control".into())
        .spawn(move || runtime.block_on(serve(server, commands, &control, ended)))
        .map_err(failed)?;
    Ok(Some((end, thread)))
}

async fn serve(
    server: ControlServer,
    mut commands: tokio::sync::mpsc::Receiver<CommandEnvelope>,
    control: &RenderControl,
    mut ended: oneshot::Receiver<()>,
) {
    let publish = || {
        server.publish(Event::Render {
            snapshot: control.snapshot(),
        })
    };
    publish();
    let mut over = false;
    while !over {
        tokio::select! {
            _ = &mut ended => over = true,
            () = control.changed() => {}
            () = tokio::time::sleep(SNAPSHOT_INTERVAL) => {}
            Some(CommandEnvelope { id, command }) = commands.recv() => {
                let result = obey(&command, control);
                publish();
                server.reply(&id, result);
            }
        }
        publish();
    }
    tokio::time::sleep(FAREWELL).await;
}

fn obey(command: &Command, control: &RenderControl) -> Result<(), String> {
    match command {
        Command::Finish => {
            control.finish();
            Ok(())
        }
        Command::Snapshot => Ok(()),
        Command::Stop { .. }
        | Command::Pause
        | Command::Resume
        | Command::RenewToken { .. }
        | Command::Leave => Err("a render has no room to leave".into()),
        Command::Whip { .. } | Command::Unknown => {
            Err("this version does not know the command".into())
        }
    }
}

fn limit_memory() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Data).maximum;
    let current = maximum.map_or(MEMORY_LIMIT, |maximum| maximum.min(MEMORY_LIMIT));
    if let Err(error) = setrlimit(
        Resource::Data,
        Rlimit {
            current: Some(current),
            maximum,
        },
    ) {
        log::warn!("cannot limit the memory: {error}");
    }
}
