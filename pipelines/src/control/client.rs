use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::mem::discriminant;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::lines::read_line;
use super::socket::{check_socket_path, is_same_user};
use super::{Command, CommandEnvelope, Event, WhipAnswer, WhipRequest};
use crate::process::random_u64;

/// Events that wait to be received.
const EVENT_QUEUE: usize = 16;
/// Commands that wait to be sent.
const COMMAND_QUEUE: usize = 16;

/// The server's end of a connection to one child. Dropping it closes the connection, which the
/// child survives.
pub struct ControlClient {
    commands: mpsc::Sender<String>,
    waiting: Arc<Waiting>,
    /// Drawn for each connection: a child remembers the ids of earlier ones.
    id_prefix: u64,
    next_id: AtomicU64,
    connection: AbortHandle,
}

/// Who waits for which reply; `None` once the connection ended.
struct Waiting(Mutex<Option<HashMap<String, ReplySender>>>);

/// What a child answers: the answer to a WHIP request where it was one.
type Answer = Result<Option<WhipAnswer>, String>;

type ReplySender = oneshot::Sender<Answer>;

impl ControlClient {
    /// Connects once. Events arrive on the receiver (bounded; a slow reader misses older
    /// snapshots, never the newest), which ends when the connection does.
    pub async fn connect(path: &Path) -> io::Result<(Self, mpsc::Receiver<Event>)> {
        check_socket_path(path)?;
        let stream = UnixStream::connect(path).await?;
        if !is_same_user(&stream) {
            let message = format!("{} belongs to another user's process", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let (reading, writing) = stream.into_split();
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        let (commands, lines) = mpsc::channel(COMMAND_QUEUE);
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let served = Served(waiting.clone());
        let connection = tokio::spawn(async move {
            let result = tokio::select! {
                result = receive(reading, &served.0, events) => result,
                never = send(writing, lines) => match never {},
            };
            if let Err(error) = result {
                log::debug!("a control connection ended: {error}");
            }
        });
        let client = Self {
            commands,
            waiting,
            id_prefix: random_u64(),
            next_id: AtomicU64::new(1),
            connection: connection.abort_handle(),
        };
        Ok((client, receiver))
    }

    /// Sends a command under a new id and waits for its reply.
    ///
    /// # Errors
    /// The connection ended, the child refused, or `timeout` passed.
    pub async fn command(&self, command: Command, timeout: Duration) -> Result<(), CommandError> {
        self.command_as(&self.draw_id(), command, timeout).await
    }

    /// As [`ControlClient::command`] under an id of the caller's choice: repeated on a later
    /// connection with the same id, it is carried out once.
    ///
    /// # Errors
    /// As [`ControlClient::command`].
    pub async fn command_as(
        &self,
        id: &str,
        command: Command,
        timeout: Duration,
    ) -> Result<(), CommandError> {
        self.ask_as(id, command, timeout).await.map(drop)
    }

    /// Passes a WHIP client's request to the rooms process.
    ///
    /// # Errors
    /// As [`ControlClient::command`].
    pub async fn whip(
        &self,
        request: WhipRequest,
        timeout: Duration,
    ) -> Result<WhipAnswer, CommandError> {
        self.whip_as(&self.draw_id(), request, timeout).await
    }

    /// As [`ControlClient::whip`] under an id of the caller's choice, see
    /// [`ControlClient::command_as`].
    ///
    /// # Errors
    /// As [`ControlClient::command`].
    pub async fn whip_as(
        &self,
        id: &str,
        request: WhipRequest,
        timeout: Duration,
    ) -> Result<WhipAnswer, CommandError> {
        self.ask_as(id, Command::Whip { request }, timeout)
            .await?
            .ok_or_else(|| CommandError::Refused("the process gave no answer".to_owned()))
    }

    fn draw_id(&self) -> String {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{number}", self.id_prefix)
    }

    async fn ask_as(
        &self,
        id: &str,
        command: Command,
        timeout: Duration,
    ) -> Result<Option<WhipAnswer>, CommandError> {
        let envelope = CommandEnvelope {
            id: id.to_owned(),
            command,
        };
        let mut line = serde_json::to_string(&envelope)
            .map_err(|error| CommandError::Refused(error.to_string()))?;
        line.push('\n');
        let reply = self.waiting.add(id).ok_or(CommandError::Disconnected)?;
        let answered = async {
            self.commands
                .send(line)
                .await
                .map_err(|_| CommandError::Disconnected)?;
            match reply.await {
                Ok(result) => result.map_err(CommandError::Refused),
                Err(_) => Err(CommandError::Disconnected),
            }
        };
        let result = tokio::time::timeout(timeout, answered).await;
        result.unwrap_or_else(|_| {
            self.waiting.remove(id);
            Err(CommandError::Timeout)
        })
    }
}

impl Drop for ControlClient {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the connection to the process ended")]
    Disconnected,
    #[error("the process did not answer in time")]
    Timeout,
    #[error("the process refused: {0}")]
    Refused(String),
}

impl Waiting {
    fn add(&self, id: &str) -> Option<oneshot::Receiver<Answer>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().as_mut()?.insert(id.to_owned(), sender);
        Some(receiver)
    }

    fn remove(&self, id: &str) -> Option<ReplySender> {
        self.lock().as_mut()?.remove(id)
    }

    /// Lets go of those who wait, and of those who come.
    fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, ReplySender>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the waiting with the connection, however that ends.
struct Served(Arc<Waiting>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Sends lines as long as the connection takes them. Never ends: what the other end said last is
/// still to be read when it takes no more.
async fn send(mut writing: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) -> Infallible {
    while let Some(line) = lines.recv().await {
        if let Err(error) = writing.write_all(line.as_bytes()).await {
            log::debug!("cannot send a command: {error}");
            break;
        }
    }
    std::future::pending().await
}

/// Takes in replies and events until the connection ends.
async fn receive(
    reading: OwnedReadHalf,
    waiting: &Waiting,
    events: mpsc::Sender<Event>,
) -> io::Result<()> {
    let (arrived, arrivals) = mpsc::channel(1);
    let reading = async move {
        let mut reading = BufReader::new(reading);
        let mut line = Vec::new();
        let result = loop {
            match read_line(&mut reading, &mut line).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
            match serde_json::from_slice(&line) {
                Ok(Event::Reply { id, error, whip }) => {
                    if let Some(sender) = waiting.remove(&id) {
                        let _ = sender.send(error.map_or(Ok(whip), Err));
                    }
                }
                // Of a later version.
                Ok(Event::Unknown) => {}
                Ok(event) => drop(arrived.send(event).await),
                Err(error) => log::debug!("ignored a line of the control protocol: {error}"),
            }
        };
        waiting.end();
        result
    };
    let (result, ()) = tokio::join!(reading, forward(arrivals, events));
    result
}

/// Hands events on. What the receiver has no room for is replaced by newer ones of its kind.
async fn forward(mut arrivals: mpsc::Receiver<Event>, events: mpsc::Sender<Event>) {
    let mut backlog: VecDeque<Event> = VecDeque::new();
    let mut is_open = true;
    while is_open || !backlog.is_empty() {
        tokio::select! {
            room = events.reserve(), if !backlog.is_empty() => match (room, backlog.pop_front()) {
                (Ok(room), Some(event)) => room.send(event),
                // Nobody wants events; replies still count.
                _ => backlog.clear(),
            },
            event = arrivals.recv(), if is_open => match event {
                Some(event) => {
                    backlog.retain(|older| discriminant(older) != discriminant(&event));
                    backlog.push_back(event);
                }
                None => is_open = false,
            },
        }
    }
}
