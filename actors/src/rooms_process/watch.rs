//! Looks after one rooms process: keeps a connection to it, passes on what it says, and says when
//! it has ended.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tapedeck_pipelines::control::{Command, ControlClient, Event, ProcessRole, RoomsSnapshot};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::failure::last_words;
use super::job::{RoomsPlace, SUBCOMMAND};
use crate::process::{self, Connection, Ending, POLL, Process, REACTION_TIME, connect};

/// A process that says nothing for so long is asked, and killed when it does not answer. It speaks
/// once a second.
const SILENCE: Duration = Duration::from_secs(10);

/// What the actor hears of the process.
pub enum Report {
    /// It runs under this number.
    Running(u32),
    /// It can be spoken to.
    Connected(Arc<ControlClient>),
    Disconnected,
    Said(RoomsSnapshot),
    /// The last report.
    Gone(Gone),
}

/// How the process ended.
#[derive(Clone, Debug)]
pub struct Gone {
    /// In words.
    pub detail: String,
    /// Whether it was there at all.
    pub ran: bool,
    /// Whether it could be spoken to.
    pub was_up: bool,
    /// Whether it is known to have failed.
    pub failed: bool,
}

/// A hold on the task that looks after the process. When it is dropped the task ends; the process
/// does not.
pub struct WatchHandle {
    leave: mpsc::Sender<()>,
}

impl WatchHandle {
    /// Tells the process to close all connections and to end. It is killed when it does not.
    pub fn leave(&self) {
        // One that is full has been told.
        let _ = self.leave.try_send(());
    }
}

/// Starts the process and looks after it. Reports are awaited one by one.
pub fn spawn<F>(place: RoomsPlace, report: impl Fn(Report) -> F + 'static) -> WatchHandle
where
    F: Future<Output = ()> + 'static,
{
    let (leave, orders) = mpsc::channel(1);
    actix::spawn(async move {
        let log = place.log();
        let prepared = {
            let place = place.clone();
            tokio::task::spawn_blocking(move || {
                let log_length = std::fs::metadata(place.log()).map_or(0, |log| log.len());
                place.prepare().map(|launch| (launch, log_length))
            })
        };
        let started = match prepared.await {
            Ok(Ok((launch, log_length))) => launch.start().await.map(|child| (child, log_length)),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(std::io::Error::other(error)),
        };
        let gone = match started {
            Ok((child, log_length)) => {
                let watch = Watch::new(place, Process::Own(child), orders, &report);
                let Some(mut gone) = watch.run().await else {
                    return;
                };
                if gone.failed
                    && let Ok(Some(words)) =
                        tokio::task::spawn_blocking(move || last_words(&log, log_length)).await
                {
                    gone.detail = format!("{words} ({})", gone.detail);
                }
                gone
            }
            Err(error) => Gone {
                detail: format!("it cannot be started: {error}"),
                ran: false,
                was_up: false,
                failed: true,
            },
        };
        report(Report::Gone(gone)).await;
    });
    WatchHandle { leave }
}

/// Finds the process that was started earlier and looks after it.
pub fn attach<F>(place: RoomsPlace, report: impl Fn(Report) -> F + 'static) -> WatchHandle
where
    F: Future<Output = ()> + 'static,
{
    let (leave, orders) = mpsc::channel(1);
    actix::spawn(async move {
        let folder = place.job.folder.clone();
        let found = tokio::task::spawn_blocking(move || process::find(&folder, SUBCOMMAND)).await;
        let gone = match found.ok().flatten() {
            Some(found) => {
                let watch = Watch::new(place, Process::Adopted(found), orders, &report);
                let Some(gone) = watch.run().await else {
                    return;
                };
                gone
            }
            None => {
                place.remove_sockets().await;
                Gone {
                    detail: "no such process".into(),
                    ran: false,
                    was_up: false,
                    failed: false,
                }
            }
        };
        report(Report::Gone(gone)).await;
    });
    WatchHandle { leave }
}

struct Watch<'a, R> {
    place: RoomsPlace,
    process: Process,
    orders: mpsc::Receiver<()>,
    report: &'a R,
    connection: Option<Connection>,
    was_up: bool,
    last_heard: Instant,
    /// Whether it was asked why it is silent.
    asked: bool,
    /// When it is killed, since it was told to go.
    kill_at: Option<Instant>,
    /// Why it was killed.
    killed: Option<&'static str>,
}

/// What a watch woke up for.
enum Wake {
    Ended(Ending),
    Leave(Option<()>),
    Connected(Connection),
    Heard(Option<Box<Event>>),
    Late,
}

impl<'a, R, F> Watch<'a, R>
where
    R: Fn(Report) -> F,
    F: Future<Output = ()> + 'static,
{
    fn new(place: RoomsPlace, process: Process, orders: mpsc::Receiver<()>, report: &'a R) -> Self {
        Self {
            place,
            process,
            orders,
            report,
            connection: None,
            was_up: false,
            last_heard: Instant::now(),
            asked: false,
            kill_at: None,
            killed: None,
        }
    }

    /// Returns when the process has ended; nothing if nobody wants to know.
    async fn run(mut self) -> Option<Gone> {
        if let Some(pid) = self.process.pid() {
            (self.report)(Report::Running(pid)).await;
        }
        loop {
            match self.next().await {
                Wake::Ended(ending) => return Some(self.gone(ending).await),
                Wake::Leave(Some(())) => {
                    self.kill_at.get_or_insert(Instant::now() + REACTION_TIME);
                    self.tell(Command::Leave);
                }
                // The actor is gone: another one will attach.
                Wake::Leave(None) => return None,
                Wake::Connected(connection) => {
                    self.connection = Some(connection);
                    if self.kill_at.is_some() {
                        self.tell(Command::Leave);
                    }
                }
                Wake::Heard(Some(event)) => self.heard(*event).await,
                Wake::Heard(None) => self.disconnect().await,
                Wake::Late => self.late(),
            }
        }
    }

    async fn next(&mut self) -> Wake {
        let patience = match self.asked {
            false => SILENCE,
            true => SILENCE + REACTION_TIME,
        };
        let late_at = self.kill_at.unwrap_or(self.last_heard + patience);
        let socket = &self.place.job.socket;
        let heard = async {
            match &mut self.connection {
                Some(connection) => Wake::Heard(connection.events.recv().await.map(Box::new)),
                None if self.killed.is_some() => pending().await,
                None => Wake::Connected(connect(socket).await),
            }
        };
        tokio::select! {
            biased;
            order = self.orders.recv() => Wake::Leave(order),
            wake = heard => wake,
            ending = self.process.ended() => Wake::Ended(ending),
            () = sleep_until(late_at), if self.killed.is_none() => Wake::Late,
        }
    }

    async fn heard(&mut self, event: Event) {
        match event {
            Event::Hello {
                role: ProcessRole::Rooms,
                ..
            } => {
                self.was_up = true;
                if let Some(connection) = &self.connection {
                    (self.report)(Report::Connected(connection.client.clone())).await;
                }
            }
            Event::Hello { role, .. } => {
                log::error!("the socket of the rooms process answers for {role:?}: it is not used");
                return self.disconnect().await;
            }
            Event::Rooms { snapshot } => (self.report)(Report::Said(snapshot)).await,
            _ => return,
        }
        self.last_heard = Instant::now();
        self.asked = false;
    }

    async fn disconnect(&mut self) {
        self.connection = None;
        (self.report)(Report::Disconnected).await;
        // A peer that hangs up at once must not be called without a pause.
        sleep(POLL).await;
    }

    fn late(&mut self) {
        if self.kill_at.is_some() {
            self.kill("it did not end when it was told to and was killed");
        } else if self.asked {
            self.kill("it did not answer and was killed");
        } else {
            self.asked = true;
            self.tell(Command::Snapshot);
        }
    }

    fn kill(&mut self, why: &'static str) {
        log::warn!("the rooms process: {why}");
        self.process.kill();
        self.killed = Some(why);
    }

    /// Sends a command; what comes of it is seen by what the process does.
    fn tell(&self, command: Command) {
        let Some(connection) = &self.connection else {
            return;
        };
        let client = connection.client.clone();
        actix::spawn(async move {
            if let Err(error) = client.command(command.clone(), REACTION_TIME).await {
                log::debug!("the rooms process: {command:?}: {error}");
            }
        });
    }

    async fn gone(self, ending: Ending) -> Gone {
        self.place.remove_sockets().await;
        Gone {
            detail: self.killed.map_or(ending.detail, str::to_owned),
            ran: true,
            was_up: self.was_up,
            // One of ours that never could be spoken to was of no use, however it ended.
            failed: self.killed.is_some()
                || ending.failed.is_some_and(|failed| failed || !self.was_up),
        }
    }
}
