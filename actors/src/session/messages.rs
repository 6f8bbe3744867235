//! What a session is told and asked.

use std::pin::Pin;

use actix::prelude::*;
use tapedeck_pipelines::control::{
    CaptureSnapshot, CaptureState, Event as ChildEvent, RenderSnapshot, Role,
};

use super::actor::RecordingSession;
use super::child::Report;
use super::journal;
use super::machine::Event;
use crate::{Manifest, PauseError, UploadTrouble};

/// Who wants a recording to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Stop {
    /// Somebody, this one.
    Requested,
    /// The server, which finishes all that runs.
    ServerFinishes,
}

impl Handler<Stop> for RecordingSession {
    type Result = ();

    fn handle(&mut self, stop: Stop, context: &mut Self::Context) {
        let event = match stop {
            Stop::Requested => Event::StopRequested,
            Stop::ServerFinishes => Event::ServerFinishes,
        };
        self.step(event, context);
    }
}

/// Asks what the processes last said.
#[derive(Clone, Message)]
#[rtype(result = "View")]
pub struct Look;

/// What the processes last said, and their numbers.
#[derive(Clone, Debug, MessageResponse)]
pub struct View {
    pub capture: Option<CaptureSnapshot>,
    pub render: Option<RenderSnapshot>,
    pub processes: Vec<(&'static str, u32)>,
}

impl Handler<Look> for RecordingSession {
    type Result = View;

    fn handle(&mut self, _: Look, _: &mut Self::Context) -> View {
        self.view()
    }
}

/// Somebody wants the recording to pause, or to go on. Answered when the manifest says so.
#[derive(Clone, Message)]
#[rtype(result = "Result<Manifest, PauseError>")]
pub struct SetPaused(pub bool);

impl Handler<SetPaused> for RecordingSession {
    type Result = ResponseFuture<Result<Manifest, PauseError>>;

    fn handle(&mut self, SetPaused(pause): SetPaused, context: &mut Self::Context) -> Self::Result {
        let answer = self.pause_answer(pause);
        self.step(Event::PauseRequested(pause), context);
        Box::pin(async move {
            let gone = || PauseError::Internal("the recording's session is gone: try again".into());
            answer.await.unwrap_or_else(|_| Err(gone()))
        })
    }
}

impl Handler<UploadTrouble> for RecordingSession {
    type Result = ();

    fn handle(&mut self, trouble: UploadTrouble, context: &mut Self::Context) {
        self.step(Event::UploadTrouble(trouble), context);
    }
}

/// What the task that looks after a child reports.
#[derive(Message)]
#[rtype(result = "()")]
struct ChildReport {
    role: Role,
    report: Report,
}

impl Handler<ChildReport> for RecordingSession {
    type Result = ();

    fn handle(&mut self, ChildReport { role, report }: ChildReport, context: &mut Self::Context) {
        match report {
            Report::Running(pid) => self.runs(role, pid),
            Report::Said(event) => self.heard(event, context),
            Report::Refused { command, reason } => {
                let refused = Event::Refused {
                    role,
                    command,
                    reason,
                };
                self.step(refused, context);
            }
            Report::Gone {
                detail,
                journal,
                left,
            } => {
                self.gone(role, &detail);
                // What it wrote down may be more than it could say.
                match journal::last_state(role, &journal) {
                    // That an earlier process was in the room is no news.
                    Some(ChildEvent::Capture { snapshot })
                        if snapshot.state == CaptureState::Sealed || self.is_starting() =>
                    {
                        self.step(Event::Capture(snapshot), context);
                    }
                    Some(ChildEvent::Render { snapshot }) => {
                        self.step(Event::Render(snapshot), context);
                    }
                    _ => {}
                }
                let gone = Event::Gone { role, detail, left };
                self.step(gone, context);
            }
        }
    }
}

/// Reports to the session as messages.
pub fn reporter(
    role: Role,
    context: &Context<RecordingSession>,
) -> impl Fn(Report) -> Pin<Box<dyn Future<Output = ()>>> + 'static {
    let session = context.address();
    move |report| {
        let session = session.clone();
        Box::pin(async move {
            // A session that is gone does not matter: another one attaches.
            let _ = session.send(ChildReport { role, report }).await;
        })
    }
}
