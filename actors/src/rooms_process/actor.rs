use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tapedeck_pipelines::control::RoomsSnapshot;
use tokio::time::Instant;

use super::shared::{Connected, Link, MOST_REQUESTS, Shared};
use super::starts::Starts;
use super::watch::{self, Gone, Report, WatchHandle};

/// Messages that may wait. Senders beyond that wait in turn: a busy actor slows the process's
/// reports down and drops nothing.
const MAILBOX: usize = 64;
/// Between two looks at whether a recording needs a process that is not there.
const LOOK: Duration = Duration::from_millis(250);
/// A publisher waits for a start that may be tried within this time; otherwise it is told why the
/// last one failed.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// Looks after the rooms process: finds the one that is there, starts it when it is needed. What
/// others see of it is in the shared status.
pub struct RoomsActor {
    shared: Arc<Shared>,
    phase: Phase,
    starts: Starts,
    /// Whether a publisher waits.
    wanted: bool,
    /// Whether the server is about to end and starts nothing any more.
    closed: bool,
    watch: Option<WatchHandle>,
}

/// Where the process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// One that is there is being looked for, or was found.
    Found,
    /// It was started by this actor.
    Started,
    /// It was told to go.
    Leaving,
    /// There is none.
    Absent,
}

impl RoomsActor {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            phase: Phase::Found,
            starts: Starts::default(),
            wanted: false,
            closed: false,
            watch: None,
        }
    }

    fn set_link(&self, link: Link) {
        self.shared.status.send_modify(|status| status.link = link);
    }

    fn start_process(&mut self, context: &mut Context<Self>) {
        self.wanted = false;
        self.phase = Phase::Started;
        self.starts.began(Instant::now());
        self.set_link(Link::Pending);
        self.watch = Some(watch::spawn(self.shared.place.clone(), reporter(context)));
    }

    /// Starts the process when a publisher waits or a recording has lost it.
    fn start_if_needed(&mut self, context: &mut Context<Self>) {
        if self.phase == Phase::Absent
            && !self.closed
            && self.starts.pause(Instant::now()).is_zero()
            && (self.wanted || (self.shared.is_needed)())
        {
            self.start_process(context);
        }
    }

    fn leave(&mut self) {
        let link = match &self.watch {
            Some(watch) => {
                self.phase = Phase::Leaving;
                watch.leave();
                Link::Pending
            }
            None => Link::Absent {
                start_failure: None,
            },
        };
        self.set_link(link);
    }

    fn said(&mut self, snapshot: RoomsSnapshot) {
        let is_idle = snapshot.rooms.is_empty();
        self.shared.status.send_modify(|status| {
            status.snapshot = Some(Arc::new(snapshot));
        });
        if self.phase == Phase::Found && is_idle && !(self.shared.is_needed)() {
            self.leave_unless_asked();
        }
    }

    /// Makes room for a process of this server's version and settings. Nobody must be speaking to
    /// the old one: who comes now waits for the next.
    fn leave_unless_asked(&mut self) {
        let link = self.shared.status.borrow().link.clone();
        self.set_link(Link::Pending);
        if self.shared.requests.available_permits() == MOST_REQUESTS {
            log::info!(
                "the rooms process of an earlier server has nothing to do: the next publisher gets a new one"
            );
            self.leave();
        } else {
            self.set_link(link);
        }
    }

    fn gone(&mut self, gone: Gone, context: &mut Context<Self>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Absent);
        self.watch = None;
        let mut start_failure = None;
        if gone.failed && phase != Phase::Leaving {
            if phase == Phase::Started && !gone.was_up {
                log::error!("the rooms process did not start: {}", gone.detail);
                start_failure = Some(gone.detail.clone());
            } else {
                log::error!("the rooms process has ended: {}", gone.detail);
            }
            self.starts.failed(gone.detail, Instant::now());
        } else {
            // How another server's child ended cannot be known, but what was lost.
            let snapshot = self.shared.status.borrow().snapshot.clone();
            let in_use = snapshot.is_some_and(|snapshot| !snapshot.rooms.is_empty());
            if in_use && phase != Phase::Leaving {
                log::warn!("the rooms process has ended while in use: {}", gone.detail);
            } else if gone.ran {
                log::info!("the rooms process has ended: {}", gone.detail);
            }
            self.starts.ended();
        }
        self.shared.status.send_modify(|status| {
            status.link = Link::Absent { start_failure };
            status.pid = None;
            status.snapshot = None;
        });
        self.start_if_needed(context);
    }
}

impl Actor for RoomsActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        // One that vanished may have left something else.
        self.set_link(Link::Pending);
        self.starts.began(Instant::now());
        self.watch = Some(watch::attach(self.shared.place.clone(), reporter(context)));
        context.run_interval(LOOK, Self::start_if_needed);
    }
}

/// Somebody wants to speak to the process.
#[derive(Clone, Message)]
#[rtype(result = "Result<(), NoProcess>")]
pub struct Want {
    /// Whether it is started for that.
    pub start: bool,
}

/// Why there is nobody to speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProcess {
    /// It does not run.
    Absent,
    /// It does not run and is not started now; why.
    Fails(String),
}

impl Handler<Want> for RoomsActor {
    type Result = Result<(), NoProcess>;

    /// On success the status tells what comes of it.
    fn handle(&mut self, Want { start }: Want, context: &mut Self::Context) -> Self::Result {
        if self.phase != Phase::Absent {
            return Ok(());
        }
        if !start {
            return Err(NoProcess::Absent);
        }
        if self.closed {
            return Err(NoProcess::Fails("the server is about to end".to_owned()));
        }
        if self.starts.pause(Instant::now()) > SHORT_PAUSE {
            return Err(NoProcess::Fails(self.starts.reason().to_owned()));
        }
        self.wanted = true;
        self.set_link(Link::Pending);
        self.start_if_needed(context);
        Ok(())
    }
}

/// The process shall close all connections and end, and no other is started.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Leave;

impl Handler<Leave> for RoomsActor {
    type Result = ();

    fn handle(&mut self, _: Leave, _: &mut Self::Context) {
        self.closed = true;
        self.leave();
    }
}

/// What the task that looks after the process reports.
#[derive(Message)]
#[rtype(result = "()")]
struct ProcessReport(Report);

impl Handler<ProcessReport> for RoomsActor {
    type Result = ();

    fn handle(&mut self, ProcessReport(report): ProcessReport, context: &mut Self::Context) {
        match report {
            Report::Running(pid) => {
                let how = if self.phase == Phase::Found {
                    "was found"
                } else {
                    "runs"
                };
                log::info!("the rooms process {how}: {pid}");
                self.shared
                    .status
                    .send_modify(|status| status.pid = Some(pid));
            }
            Report::Connected(client) if self.phase != Phase::Leaving => {
                self.set_link(Link::Connected(Connected { client }));
            }
            Report::Disconnected => self.set_link(Link::Pending),
            Report::Said(snapshot) => self.said(snapshot),
            Report::Gone(gone) => self.gone(gone, context),
            Report::Connected(_) => {}
        }
    }
}

/// Reports to the actor as messages.
fn reporter(context: &Context<RoomsActor>) -> impl Fn(Report) -> Reporting + 'static {
    let actor = context.address();
    move |report| {
        let actor = actor.clone();
        Box::pin(async move {
            // An actor that is gone does not matter: another one attaches.
            let _ = actor.send(ProcessReport(report)).await;
        })
    }
}

type Reporting = std::pin::Pin<Box<dyn Future<Output = ()>>>;
