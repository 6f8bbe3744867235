use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::AbortHandle;

use super::lines::{MAX_LINE_BYTES, read_line};
use super::replies::{Arrival, Replies};
use super::socket::{SocketFile, is_same_user};
use super::{Command, CommandEnvelope, Event, PROTOCOL_VERSION, ProcessRole, WhipAnswer};

/// Commands that wait to be carried out.
const COMMAND_QUEUE: usize = 64;
/// Replies that a connection may be behind.
const REPLY_QUEUE: usize = 64;
/// The longest id of a command, bytes.
const MAX_ID_BYTES: usize = 256;
/// The most of an error that is told, characters.
const MAX_ERROR_CHARS: usize = 1_000;
/// The pause after a connection could not be accepted, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The child's end: listens on a socket of mode 0600 and serves any number of connections.
/// Must be made inside a tokio runtime; its tasks end when it is dropped, and the socket file
/// goes with it.
pub struct ControlServer {
    shared: Arc<Shared>,
    accepting: AbortHandle,
    /// True asks the connections to end, dropping it ends them.
    closing: watch::Sender<bool>,
    _file: SocketFile,
}

struct Shared {
    hello: Arc<str>,
    snapshot: watch::Sender<Option<Arc<str>>>,
    replies: broadcast::Sender<Arc<str>>,
    connections: watch::Sender<usize>,
    state: Mutex<State>,
}

struct State {
    replies: Replies,
    /// When the last connection ended.
    alone_since: Instant,
}

impl ControlServer {
    /// Binds `path`, replacing a stale socket file. Commands of all connections arrive on the
    /// receiver; each must be answered by [`ControlServer::reply`].
    ///
    /// # Errors
    /// The path is too long for a socket, another process listens on it, or the folder cannot be
    /// written.
    pub fn bind(
        path: &Path,
        role: impl Into<ProcessRole>,
        recording_id: &str,
    ) -> io::Result<(Self, mpsc::Receiver<CommandEnvelope>)> {
        let hello = line(&Event::Hello {
            protocol: PROTOCOL_VERSION,
            role: role.into(),
            pid: std::process::id(),
            recording_id: recording_id.to_owned(),
        })?;
        let (file, socket) = SocketFile::bind(path)?;
        let listener = UnixListener::from_std(socket.into())?;
        let shared = Arc::new(Shared {
            hello,
            snapshot: watch::Sender::new(None),
            replies: broadcast::Sender::new(REPLY_QUEUE),
            connections: watch::Sender::new(0),
            state: Mutex::new(State {
                replies: Replies::default(),
                alone_since: Instant::now(),
            }),
        });
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let closing = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(
            listener,
            shared.clone(),
            commands,
            closing.subscribe(),
        ));
        let accepting = accepting.abort_handle();
        Ok((
            Self {
                shared,
                accepting,
                closing,
                _file: file,
            },
            receiver,
        ))
    }

    /// Sends a snapshot to every connection, and to later ones when they connect. Never waits:
    /// a connection that does not read gets only the newest snapshot.
    ///
    /// A snapshot that is too long for a line goes without its participants or warnings.
    pub fn publish(&self, snapshot: Event) {
        match line(&snapshot).or_else(|_| line(&shortened(snapshot))) {
            Ok(line) => drop(self.shared.snapshot.send_replace(Some(line))),
            Err(error) => log::error!("cannot publish a snapshot: {error}"),
        }
    }

    /// Answers a command on all connections; the answer is remembered, and a command with the
    /// same id is answered with it without arriving again.
    ///
    /// What was published before is sent before the answer.
    pub fn reply(&self, id: &str, result: Result<(), String>) {
        self.shared.reply(id, result.map(|()| None));
    }

    /// Answers [`Command::Whip`], otherwise as [`ControlServer::reply`].
    pub fn reply_whip(&self, id: &str, answer: WhipAnswer) {
        self.shared.reply(id, Ok(Some(answer)));
    }

    /// Since when no connection has been open; `None` while one is.
    pub fn alone_since(&self) -> Option<Instant> {
        let state = self.shared.state();
        (*self.shared.connections.borrow() == 0).then_some(state.alone_since)
    }

    /// Ends after the connections were sent what was published and answered, or after `timeout`.
    pub async fn close(self, timeout: Duration) {
        self.accepting.abort();
        self.closing.send_replace(true);
        let mut connections = self.shared.connections.subscribe();
        let ended = connections.wait_for(|&connections| connections == 0);
        // A connection that takes nothing is dropped.
        let _ = tokio::time::timeout(timeout, ended).await;
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, id: &str, result: Result<Option<WhipAnswer>, String>) {
        let (whip, error) = match result {
            Ok(whip) => (whip, None),
            Err(error) => (None, Some(error.chars().take(MAX_ERROR_CHARS).collect())),
        };
        match line(&Event::Reply {
            id: id.to_owned(),
            error,
            whip,
        }) {
            Ok(line) => {
                self.state().replies.answered(id, line.clone());
                // Without a connection there is nobody to tell.
                let _ = self.replies.send(line);
            }
            Err(error) => log::error!("cannot answer a command: {error}"),
        }
    }
}

/// Counts a connection as long as it lives.
struct Connected(Arc<Shared>);

impl Connected {
    fn new(shared: Arc<Shared>) -> Self {
        shared
            .connections
            .send_modify(|connections| *connections += 1);
        Self(shared)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.state().alone_since = Instant::now();
        self.0
            .connections
            .send_modify(|connections| *connections -= 1);
    }
}

async fn accept(
    listener: UnixListener,
    shared: Arc<Shared>,
    commands: mpsc::Sender<CommandEnvelope>,
    closing: watch::Receiver<bool>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_same_user(&stream) => {
                let connected = Connected::new(shared.clone());
                tokio::spawn(serve(stream, connected, commands.clone(), closing.clone()));
            }
            Ok(_) => log::warn!("refused a control connection of another user"),
            Err(error) => {
                log::warn!("cannot accept a control connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    stream: UnixStream,
    connected: Connected,
    commands: mpsc::Sender<CommandEnvelope>,
    mut closing: watch::Receiver<bool>,
) {
    let asked_to_close = closing.clone();
    let (reading, writing) = stream.into_split();
    let shared = &connected.0;
    // Before the first command is taken in, or its reply could be missed.
    let replies = shared.replies.subscribe();
    let result = tokio::select! {
        result = receive(reading, shared, commands) => result,
        result = send(writing, shared, replies, asked_to_close) => result,
        () = dropped(&mut closing) => Ok(()),
    };
    if let Err(error) = result {
        log::info!("a control connection ended: {error}");
    }
}

/// Takes in commands until the connection ends.
async fn receive(
    reading: OwnedReadHalf,
    shared: &Shared,
    commands: mpsc::Sender<CommandEnvelope>,
) -> io::Result<()> {
    let mut reading = BufReader::new(reading);
    let mut line = Vec::new();
    while read_line(&mut reading, &mut line).await? {
        let envelope = match parse(&line) {
            Parsed::Command(envelope) => envelope,
            Parsed::Refused { id, error } => {
                shared.reply(&id, Err(error));
                continue;
            }
            Parsed::Nothing => continue,
        };
        let arrival = shared.state().replies.arrived(&envelope.id);
        match arrival {
            Arrival::New => {
                let id = envelope.id.clone();
                if commands.send(envelope).await.is_err() {
                    shared.reply(&id, Err("the process is ending".to_owned()));
                }
            }
            Arrival::Pending => {}
            Arrival::Answered(line) => drop(shared.replies.send(line)),
        }
    }
    Ok(())
}

/// Ends when the server is dropped.
async fn dropped(closing: &mut watch::Receiver<bool>) {
    while closing.changed().await.is_ok() {}
}

/// Tells what is published and answered until the connection or the server ends.
async fn send(
    mut writing: OwnedWriteHalf,
    shared: &Shared,
    mut replies: broadcast::Receiver<Arc<str>>,
    mut closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut snapshots = shared.snapshot.subscribe();
    snapshots.mark_changed();
    writing.write_all(shared.hello.as_bytes()).await?;
    loop {
        let line = tokio::select! {
            biased;
            changed = snapshots.changed() => match changed {
                Ok(()) => snapshots.borrow_and_update().clone(),
                Err(_) => return Ok(()),
            },
            reply = replies.recv() => match reply {
                Ok(line) => Some(line),
                // It asks again, if it wants to know.
                Err(broadcast::error::RecvError::Lagged(_)) => None,
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
            // Last, when all the above is told.
            _ = closing.wait_for(|&closing| closing) => return Ok(()),
        };
        if let Some(line) = line {
            writing.write_all(line.as_bytes()).await?;
        }
    }
}

enum Parsed {
    Command(CommandEnvelope),
    /// It is a command, but none that this version can carry out.
    Refused {
        id: String,
        error: String,
    },
    /// It is not even a command.
    Nothing,
}

fn parse(line: &[u8]) -> Parsed {
    match serde_json::from_slice::<CommandEnvelope>(line) {
        Ok(envelope) if envelope.id.len() > MAX_ID_BYTES => Parsed::Nothing,
        Ok(CommandEnvelope {
            id,
            command: Command::Unknown,
        }) => Parsed::Refused {
            id,
            error: format!("protocol version {PROTOCOL_VERSION} does not know this command"),
        },
        Ok(envelope) => Parsed::Command(envelope),
        Err(error) => {
            let id = serde_json::from_slice::<serde_json::Value>(line)
                .ok()
                .and_then(|value| Some(value.get("id")?.as_str()?.to_owned()));
            match id {
                Some(id) if id.len() <= MAX_ID_BYTES => Parsed::Refused {
                    id,
                    error: format!("malformed command: {error}"),
                },
                _ => Parsed::Nothing,
            }
        }
    }
}

fn line(event: &Event) -> io::Result<Arc<str>> {
    let mut line = serde_json::to_string(event)?;
    line.push('\n');
    if line.len() > MAX_LINE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a line of {} bytes is too long", line.len()),
        ));
    }
    Ok(line.into())
}

/// The snapshot without its lists.
fn shortened(mut event: Event) -> Event {
    match &mut event {
        Event::Capture { snapshot } => snapshot.participants.clear(),
        Event::Render { snapshot } => snapshot.warnings.clear(),
        Event::Rooms { snapshot } => snapshot
            .rooms
            .iter_mut()
            .for_each(|room| room.participants.clear()),
        _ => {}
    }
    event
}
