use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tapedeck_pipelines::control::{
    CaptureSnapshot, Command, Event as ChildEvent, RenderSnapshot, Role,
};
use tapedeck_pipelines::job::Source;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::child::{self, ChildHandle, Place};
use super::errands::TRY_AGAIN;
use super::machine::{Action, Event, Left, Machine, Timeouts, Timer};
use super::messages::{View, reporter};
use super::{StatusSender, jobs};
use crate::clock::now_ms;
use crate::process::subcommand;
use crate::services::Services;
use crate::uploader::{Deliver, Delivery, FileToStore, Order};
use crate::{Manifest, PauseError, RecordingState, UploadTrouble};

/// Messages that may wait. Senders beyond that wait in turn: a busy session slows its processes'
/// reports down, which then miss outdated snapshots; it drops nothing.
const MAILBOX: usize = 32;

/// Looks after one recording: asks the machine what to do and does it.
pub struct RecordingSession {
    pub(super) machine: Machine,
    pub(super) services: Arc<Services>,
    pub(super) status: StatusSender,
    beginning: Option<Beginning>,
    pub(super) source: Option<Source>,
    /// Actions that wait for the disk, or for those before them.
    pub(super) queue: VecDeque<Action>,
    /// Whether an action is under way that the queue waits for.
    pub(super) busy: bool,
    capture_process: Option<Child>,
    render_process: Option<Child>,
    timers: HashMap<Timer, SpawnHandle>,
    /// Those who wait for a pause to begin (`true`) or to end.
    pause_answers: Vec<(bool, oneshot::Sender<PauseAnswer>)>,
    capture: Option<CaptureSnapshot>,
    render: Option<RenderSnapshot>,
}

/// How a session begins.
#[derive(Clone, Debug)]
pub enum Beginning {
    /// With a new recording, whose media comes from there.
    New(Source),
    /// With what its manifest tells.
    Resume,
}

/// What is answered to a request to pause or to go on.
type PauseAnswer = Result<Manifest, PauseError>;

struct Child {
    handle: ChildHandle,
    pid: Option<u32>,
}

impl RecordingSession {
    /// A session for the manifest in `status`. `start_timeout` is what is left for a start.
    pub fn new(
        services: Arc<Services>,
        manifest: Manifest,
        status: StatusSender,
        beginning: Beginning,
        start_timeout: Duration,
    ) -> Self {
        let settings = &services.settings;
        let timeouts = Timeouts {
            start: start_timeout,
            source_lost: Duration::from_millis(settings.limits.source_lost_timeout_ms),
            restart_pause: settings.capture_restart_pause,
        };
        Self {
            machine: Machine::new(manifest, timeouts),
            services,
            status,
            beginning: Some(beginning),
            source: None,
            queue: VecDeque::new(),
            busy: false,
            capture_process: None,
            render_process: None,
            timers: HashMap::new(),
            pause_answers: Vec::new(),
            capture: None,
            render: None,
        }
    }

    /// Names the recording in log lines.
    pub(super) fn label(&self) -> String {
        let manifest = self.machine.manifest();
        format!("{} ({})", manifest.id, manifest.room_name)
    }

    pub(super) fn step(&mut self, event: Event, context: &mut Context<Self>) {
        let mut waits = false;
        for action in self.machine.step(event, now_ms()) {
            let at_once = matches!(
                action,
                Action::Tell(..)
                    | Action::RenewToken
                    | Action::Kill(_)
                    | Action::FindRoom
                    | Action::SetTimer(..)
                    | Action::CancelTimer(_)
            );
            if at_once && !waits {
                self.carry_out(action, context);
            } else {
                waits = true;
                self.queue.push_back(action);
            }
        }
        self.work(context);
    }

    pub(super) fn work(&mut self, context: &mut Context<Self>) {
        while !self.busy {
            let Some(action) = self.queue.pop_front() else {
                return;
            };
            self.carry_out(action, context);
        }
    }

    fn carry_out(&mut self, action: Action, context: &mut Context<Self>) {
        match action {
            Action::Save(manifest) => self.save(*manifest, context),
            Action::AnswerStart(answer) => {
                if let Err(error) = &answer {
                    log::warn!("{}: not started: {error}", self.label());
                }
                self.status
                    .send_modify(|status| status.start = Some(answer));
            }
            Action::AnswerPause { pause, answer } => {
                let answer = answer.map(|()| self.status.borrow().manifest.clone());
                let waiting = self
                    .pause_answers
                    .extract_if(.., |(asked, _)| *asked == pause);
                for (_, waiting) in waiting {
                    // One who does not wait any more does not matter.
                    let _ = waiting.send(answer.clone());
                }
            }
            Action::FindRoom => self.find_room(context),
            Action::SpawnCapture => {
                // It may have waited for the disk while the recording was stopped.
                let is_wanted = matches!(
                    self.machine.manifest().state,
                    RecordingState::Starting | RecordingState::Interrupted
                );
                let Some(source) = self.source.take().filter(|_| is_wanted) else {
                    let gone = Event::Gone {
                        role: Role::Capture,
                        detail: "it was not needed any more".into(),
                        left: Left::default(),
                    };
                    return self.step(gone, context);
                };
                let services = &self.services;
                let launch = jobs::capture(
                    self.machine.manifest(),
                    source,
                    &services.settings,
                    &services.folder,
                );
                let handle = child::spawn(
                    self.place(Role::Capture),
                    launch,
                    reporter(Role::Capture, context),
                );
                self.capture_process = Some(Child { handle, pid: None });
            }
            Action::SpawnRender { log_is_final } => {
                let services = &self.services;
                let launch = jobs::render(
                    self.machine.manifest(),
                    log_is_final,
                    &services.settings,
                    &services.folder,
                );
                let handle = child::spawn(
                    self.place(Role::Render),
                    launch,
                    reporter(Role::Render, context),
                );
                self.render_process = Some(Child { handle, pid: None });
            }
            Action::Attach(role) => {
                let handle = child::attach(self.place(role), reporter(role, context));
                *self.process(role) = Some(Child { handle, pid: None });
            }
            Action::Tell(role, command) => {
                if let Some(child) = self.process(role) {
                    child.handle.tell(command);
                }
            }
            Action::RenewToken => match self.services.sources.token(self.machine.manifest()) {
                Ok(token) => {
                    log::info!("{}: capture gets a new token", self.label());
                    let renewal = Command::RenewToken { token };
                    self.carry_out(Action::Tell(Role::Capture, renewal), context);
                }
                Err(error) => {
                    log::error!("{}: no new token for capture: {error}", self.label());
                }
            },
            Action::Kill(role) => {
                let label = self.label();
                if let Some(child) = self.process(role) {
                    log::warn!("{label}: the {} process is killed", subcommand(role));
                    child.handle.kill();
                }
            }
            Action::SetTimer(timer, after) => {
                let fire = move |session: &mut Self, context: &mut Context<Self>| {
                    session.timers.remove(&timer);
                    session.step(Event::Timer(timer), context);
                };
                let handle = context.run_later(after, fire);
                if let Some(earlier) = self.timers.insert(timer, handle) {
                    context.cancel_future(earlier);
                }
            }
            Action::CancelTimer(timer) => {
                if let Some(handle) = self.timers.remove(&timer) {
                    context.cancel_future(handle);
                }
            }
            Action::Upload(files) => self.upload(files, context),
            Action::Clear => self.clear(context),
            Action::Finish => {
                self.status.send_modify(|status| {
                    // One that never came to the disk is not there yet.
                    status.manifest = self.machine.manifest().clone();
                    status.finished = true;
                });
                context.stop();
            }
        }
    }

    fn process(&mut self, role: Role) -> &mut Option<Child> {
        match role {
            Role::Capture => &mut self.capture_process,
            Role::Render => &mut self.render_process,
        }
    }

    fn place(&self, role: Role) -> Place {
        let id = &self.machine.manifest().id;
        Place {
            role,
            recording_id: id.clone(),
            folder: self.services.folder.work(id),
            socket: self.services.folder.socket(id, role),
        }
    }

    fn upload(&self, files: Vec<FileToStore>, context: &mut Context<Self>) {
        let services = self.services.clone();
        let manifest = self.machine.manifest();
        let order = Order {
            id: manifest.id.clone(),
            name: manifest.name.clone(),
            room_name: manifest.room_name.clone(),
            source: manifest.source.clone(),
            trouble: manifest.upload.clone(),
            files,
        };
        let trouble = context.address().recipient::<UploadTrouble>();
        let delivered = async move {
            loop {
                let message = Deliver {
                    order: order.clone(),
                    trouble: trouble.clone(),
                };
                match services.uploader.address().send(message).await {
                    Ok(delivery) => return delivery,
                    // It vanished; the next one begins anew.
                    Err(_) => sleep(TRY_AGAIN.first).await,
                }
            }
        };
        let done = |delivery, session: &mut Self, context: &mut Context<Self>| {
            let event = match delivery {
                Delivery::Stored(stored) => Event::Uploaded(stored),
                Delivery::Cancelled => Event::UploadCancelled,
                Delivery::NameTaken => Event::NameTaken,
                Delivery::SourceUnusable(detail) => Event::OutputUnusable(detail),
                Delivery::Abandoned => return,
            };
            session.step(event, context);
        };
        context.spawn(delivered.into_actor(self).map(done));
    }

    /// The answer to a request to pause or to go on, once there is one.
    pub(super) fn pause_answer(&mut self, pause: bool) -> oneshot::Receiver<PauseAnswer> {
        let (sender, answer) = oneshot::channel();
        self.pause_answers.push((pause, sender));
        answer
    }

    pub(super) fn is_starting(&self) -> bool {
        self.machine.manifest().state == RecordingState::Starting
    }

    /// What the processes last said, and their numbers.
    pub(super) fn view(&self) -> View {
        let pid = |(process, name): (&Option<Child>, _)| Some((name, process.as_ref()?.pid?));
        View {
            capture: self.capture.clone(),
            render: self.render.clone(),
            processes: [
                (&self.capture_process, "capture"),
                (&self.render_process, "render"),
            ]
            .into_iter()
            .filter_map(pid)
            .collect(),
        }
    }

    pub(super) fn runs(&mut self, role: Role, pid: u32) {
        if let Some(child) = self.process(role) {
            child.pid = Some(pid);
        }
    }

    pub(super) fn gone(&mut self, role: Role, detail: &str) {
        let name = subcommand(role);
        log::info!("{}: the {name} process has ended: {detail}", self.label());
        *self.process(role) = None;
    }

    pub(super) fn heard(&mut self, event: ChildEvent, context: &mut Context<Self>) {
        match event {
            ChildEvent::Capture { snapshot } => {
                self.capture = Some(snapshot.clone());
                self.step(Event::Capture(snapshot), context);
            }
            ChildEvent::Render { snapshot } => {
                self.render = Some(snapshot.clone());
                self.step(Event::Render(snapshot), context);
            }
            ChildEvent::Hello { .. }
            | ChildEvent::Reply { .. }
            | ChildEvent::Rooms { .. }
            | ChildEvent::Unknown => {}
        }
    }
}

impl Actor for RecordingSession {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        let event = match self.beginning.take() {
            Some(Beginning::New(source)) => {
                self.source = Some(source);
                Event::Begin
            }
            Some(Beginning::Resume) | None => Event::Resume,
        };
        self.step(event, context);
    }
}
