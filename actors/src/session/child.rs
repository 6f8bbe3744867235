//! Looks after one child process: keeps a connection to it, passes on what it says and what it is
//! told, and says when it has ended.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::{self, FutureExt};
use tapedeck_pipelines::control::{CaptureState, Command, CommandError, Event, Role};
use tapedeck_pipelines::process::{JournalEntry, read_journal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::journal;
use super::machine::Left;
use crate::process::{
    self, Connection, Ending, Launch, POLL, Process, REACTION_TIME, connect, subcommand,
};

/// How long what a process said last may take to arrive after it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A render that says nothing for so long is asked, and killed when it does not answer. Loading
/// codecs for the first time may take long.
const SILENCE_OF_RENDER: Duration = Duration::from_secs(30);
/// Likewise a capture, from when it has been in the room.
const SILENCE_OF_CAPTURE: Duration = Duration::from_secs(10);

/// What the session hears of a child.
#[derive(Debug)]
pub enum Report {
    /// It runs under this number.
    Running(u32),
    Said(Event),
    /// It does not do what it was told.
    Refused {
        command: Command,
        reason: String,
    },
    /// The last report: how it ended, and what it wrote down of what it did.
    Gone {
        detail: String,
        journal: Vec<JournalEntry>,
        left: Left,
    },
}

/// What the session wants of a child.
enum Order {
    Tell(Command),
    Kill,
}

/// A hold on the task that looks after a child. When it is dropped the task ends; the process does
/// not.
pub struct ChildHandle {
    orders: mpsc::UnboundedSender<Order>,
}

impl ChildHandle {
    /// Sends a command as soon as there is a connection, again if the connection breaks.
    pub fn tell(&self, command: Command) {
        // The task is gone only after it has reported so.
        let _ = self.orders.send(Order::Tell(command));
    }

    /// Ends the process at once.
    pub fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }
}

/// Where a child is to be found.
#[derive(Clone, Debug)]
pub struct Place {
    pub role: Role,
    pub recording_id: String,
    /// The recording's work folder.
    pub folder: PathBuf,
    pub socket: PathBuf,
}

/// Starts a child and looks after it. Reports are awaited one by one: a busy session slows them
/// down and misses none but outdated snapshots.
pub fn spawn<F>(
    place: Place,
    launch: io::Result<Launch>,
    report: impl Fn(Report) -> F + 'static,
) -> ChildHandle
where
    F: Future<Output = ()> + 'static,
{
    let (handle, orders) = handle();
    actix::spawn(async move {
        let started = match launch {
            Ok(launch) => launch.start().await,
            Err(error) => Err(error),
        };
        match started {
            Ok(child) => {
                Watch::new(place, Process::Own(child), orders, report)
                    .run()
                    .await
            }
            Err(error) => {
                report(gone(&place, format!("it cannot be started: {error}")).await).await
            }
        }
    });
    handle
}

/// Finds a child that was started earlier and looks after it.
pub fn attach<F>(place: Place, report: impl Fn(Report) -> F + 'static) -> ChildHandle
where
    F: Future<Output = ()> + 'static,
{
    let (handle, orders) = handle();
    actix::spawn(async move {
        let (folder, role) = (place.folder.clone(), place.role);
        let found =
            tokio::task::spawn_blocking(move || process::find(&folder, subcommand(role))).await;
        match found.ok().flatten() {
            Some(process) => {
                Watch::new(place, Process::Adopted(process), orders, report)
                    .run()
                    .await
            }
            None => report(gone(&place, "no such process".into()).await).await,
        }
    });
    handle
}

fn handle() -> (ChildHandle, mpsc::UnboundedReceiver<Order>) {
    // Unbounded, but a session gives each order at most a few times.
    let (orders, receiver) = mpsc::unbounded_channel();
    (ChildHandle { orders }, receiver)
}

type Sending = Pin<Box<dyn Future<Output = Result<(), CommandError>>>>;

struct Watch<R> {
    place: Place,
    process: Process,
    orders: mpsc::UnboundedReceiver<Order>,
    report: R,
    connection: Option<Connection>,
    commands: VecDeque<Command>,
    sending: Option<Sending>,
    last_heard: Instant,
    /// Whether it was asked why it is silent.
    asked: bool,
    /// Whether it is to say something again and again. A capture that reads a long log and joins
    /// says nothing until it is in the room.
    has_heartbeat: bool,
}

/// What a watch woke up for.
enum Wake {
    Ended(Ending),
    Ordered(Option<Order>),
    Connected(Connection),
    Heard(Option<Event>),
    Sent(Result<(), CommandError>),
    Silent,
}

impl<R, F> Watch<R>
where
    R: Fn(Report) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    fn new(
        place: Place,
        process: Process,
        orders: mpsc::UnboundedReceiver<Order>,
        report: R,
    ) -> Self {
        let is_adopted = matches!(process, Process::Adopted(_));
        Self {
            has_heartbeat: is_adopted || place.role == Role::Render,
            place,
            process,
            orders,
            report,
            connection: None,
            commands: VecDeque::new(),
            sending: None,
            last_heard: Instant::now(),
            asked: false,
        }
    }

    async fn run(mut self) {
        if let Some(pid) = self.process.pid() {
            (self.report)(Report::Running(pid)).await;
        }
        loop {
            self.send_next();
            match self.next().await {
                Wake::Ended(Ending { detail, .. }) => {
                    self.pass_on_last_words().await;
                    let gone = gone(&self.place, detail).await;
                    return (self.report)(gone).await;
                }
                Wake::Ordered(Some(Order::Tell(command))) => {
                    if self.commands.back() != Some(&command) {
                        self.commands.push_back(command);
                    }
                }
                Wake::Ordered(Some(Order::Kill)) => self.process.kill(),
                // The session is gone: another one will attach.
                Wake::Ordered(None) => return,
                Wake::Connected(connection) => self.connection = Some(connection),
                Wake::Heard(Some(event)) => self.heard(event).await,
                Wake::Heard(None) => {
                    self.disconnect();
                    // A peer that hangs up at once must not be called without a pause.
                    sleep(POLL).await;
                }
                Wake::Sent(result) => self.sent(result).await,
                Wake::Silent => self.silent(),
            }
        }
    }

    async fn next(&mut self) -> Wake {
        let silence = match self.place.role {
            Role::Render => SILENCE_OF_RENDER,
            Role::Capture => SILENCE_OF_CAPTURE,
        };
        let patience = match self.asked {
            false => silence,
            true => silence + REACTION_TIME,
        };
        let silent_at = self.last_heard + patience;
        let place = &self.place;
        let heard = async {
            match &mut self.connection {
                Some(connection) => Wake::Heard(connection.events.recv().await),
                None => Wake::Connected(connect(&place.socket).await),
            }
        };
        let sent = async {
            match &mut self.sending {
                Some(sending) => Wake::Sent(sending.await),
                None => future::pending().await,
            }
        };
        tokio::select! {
            biased;
            order = self.orders.recv() => Wake::Ordered(order),
            wake = sent => wake,
            wake = heard => wake,
            ending = self.process.ended() => Wake::Ended(ending),
            () = sleep_until(silent_at), if self.has_heartbeat => Wake::Silent,
        }
    }

    fn send_next(&mut self) {
        if self.sending.is_none()
            && let (Some(connection), Some(command)) = (&self.connection, self.commands.front())
        {
            let (client, command) = (connection.client.clone(), command.clone());
            self.sending =
                Some(async move { client.command(command, REACTION_TIME).await }.boxed_local());
        }
    }

    async fn sent(&mut self, result: Result<(), CommandError>) {
        self.sending = None;
        match result {
            Ok(()) => {
                self.heard_something();
                self.commands.pop_front();
            }
            Err(CommandError::Refused(reason)) => {
                self.heard_something();
                let Some(command) = self.commands.pop_front() else {
                    return;
                };
                log::warn!(
                    "{}: {} refused {command:?}: {reason}",
                    self.place.recording_id,
                    self.name()
                );
                (self.report)(Report::Refused { command, reason }).await;
            }
            // Sent again on the next connection; whoever ordered it sets a limit.
            Err(CommandError::Disconnected | CommandError::Timeout) => self.disconnect(),
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.sending = None;
    }

    fn silent(&mut self) {
        if self.asked {
            log::warn!(
                "{}: {} does not answer and is killed",
                self.place.recording_id,
                self.name()
            );
            self.process.kill();
            self.last_heard = Instant::now();
        } else {
            self.commands.push_back(Command::Snapshot);
        }
        self.asked = !self.asked;
    }

    fn heard_something(&mut self) {
        self.last_heard = Instant::now();
        self.asked = false;
    }

    async fn heard(&mut self, event: Event) {
        self.heard_something();
        match event {
            Event::Hello {
                recording_id, role, ..
            } if recording_id != self.place.recording_id || role != self.place.role.into() => {
                log::error!(
                    "{}: the socket of {} answers for {recording_id} and is not used",
                    self.place.recording_id,
                    self.name()
                );
                sleep(POLL).await;
                self.disconnect();
            }
            Event::Hello { .. } | Event::Reply { .. } | Event::Rooms { .. } | Event::Unknown => {}
            said @ (Event::Capture { .. } | Event::Render { .. }) => {
                if let Event::Capture { snapshot } = &said {
                    self.has_heartbeat |= matches!(
                        snapshot.state,
                        CaptureState::Recording
                            | CaptureState::Reconnecting
                            | CaptureState::Paused
                            | CaptureState::Sealed
                    );
                }
                (self.report)(Report::Said(said)).await;
            }
        }
    }

    /// What was sent before the process ended may still be on its way.
    async fn pass_on_last_words(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        while let Ok(Some(event)) = timeout(LAST_WORDS, connection.events.recv()).await {
            self.heard(event).await;
        }
    }

    fn name(&self) -> &'static str {
        subcommand(self.place.role)
    }
}

/// The last report on a child. A process that was killed leaves its socket's file behind.
async fn gone(place: &Place, detail: String) -> Report {
    match tokio::fs::remove_file(&place.socket).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::warn!("cannot remove {}: {error}", place.socket.display());
        }
        _ => {}
    }
    let name = subcommand(place.role);
    let (role, folder) = (place.role, place.folder.clone());
    let read = tokio::task::spawn_blocking(move || {
        let journal = read_journal(&folder.join(name).with_extension("jsonl"))?;
        let left = journal::left(role, &folder, &journal);
        io::Result::Ok((journal, left))
    });
    let read = read.await.map_err(io::Error::other);
    let (journal, left) = read.and_then(|read| read).unwrap_or_else(|error| {
        log::warn!(
            "{}: the journal of {name} cannot be read: {error}",
            place.recording_id
        );
        Default::default()
    });
    Report::Gone {
        detail,
        journal,
        left,
    }
}
