//! What a session is told and asked.

use std::pin::Pin;

use actix::prelude::*;
use tapedeck_pipelines::control::{CaptureSnapshot, Event as ChildEvent, RenderSnapshot, Role};

use super::actor::RecordingSession;
use super::child::Report;
use super::journal;
use super::machine::Event;
use crate::uploader::Trouble;

/// Somebody wants the recording to end.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Stop;

impl Handler<Stop> for RecordingSession {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        self.step(Event::StopRequested, context);
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

impl Handler<Trouble> for RecordingSession {
    type Result = ();

    fn handle(&mut self, Trouble(detail): Trouble, context: &mut Self::Context) {
        self.step(Event::UploadTrouble(detail), context);
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
            Report::Gone { detail, journal } => {
                self.gone(role, &detail);
                // What it wrote down may be more than it could say.
                match journal::last_state(role, &journal) {
                    Some(ChildEvent::Capture { snapshot }) => {
                        self.step(Event::Capture(snapshot), context);
                    }
                    Some(ChildEvent::Render { snapshot }) => {
                        self.step(Event::Render(snapshot), context);
                    }
                    _ => {}
                }
                self.step(Event::Gone { role, detail }, context);
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
