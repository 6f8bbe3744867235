//! What a recording does next: a pure function of what happened. It holds no actor, no clock and
//! no file; [`super::actor`] carries its actions out.

mod capture;
mod interruption;
mod messages;
mod pause;
mod render;
mod render_progress;
mod start;
#[cfg(test)]
mod tests;
mod upload;

use std::time::Duration;

use tapedeck_pipelines::control::{
    CaptureSnapshot, CaptureState, Command, EndReason, Failure, FailureKind, Role, Warning,
};

use capture::Capture;
use interruption::cancel_restart;
pub use messages::{Action, Event, Left, Timer};
use render::Render;

use crate::process::REACTION_TIME;
use crate::{Manifest, RecordingState, RoomError, SourceKind, StartError};

/// How long a capture that says that it waits for the disk may take to seal its log.
const LONGEST_SEALING: Duration = Duration::from_secs(60);

/// How long a machine waits for what it cannot hurry.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Capture may take so long until it is in the room.
    pub start: Duration,
    /// The media server may be away for so long.
    pub source_lost: Duration,
    /// The pause before a capture that was lost twice in a row is started again.
    pub restart_pause: Duration,
}

/// The state of one recording.
#[derive(Clone, Debug)]
pub struct Machine {
    manifest: Manifest,
    timeouts: Timeouts,
    capture: Capture,
    /// Whether the log grows no more.
    log_is_final: bool,
    render: Render,
    /// Whether the manifest is to be written for the sake of gaps.
    note_is_due: bool,
    /// Whether another session, perhaps of an earlier server, began it.
    is_resumed: bool,
    /// Whether the folder was left as it is to stay.
    finished: bool,
}

impl Machine {
    /// A machine for `manifest`; nothing happens before [`Event::Begin`] or [`Event::Resume`].
    pub fn new(mut manifest: Manifest, timeouts: Timeouts) -> Self {
        if manifest.state == RecordingState::Uploading && manifest.file.is_none() {
            manifest.state = RecordingState::Ending;
        }
        let log_is_final = manifest.ended_at.is_some() || manifest.state.is_final();
        let render = Render::new(manifest.file.is_some());
        Self {
            manifest,
            timeouts,
            capture: Capture::default(),
            log_is_final,
            render,
            note_is_due: false,
            is_resumed: false,
            finished: false,
        }
    }

    /// The recording as it stands.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Takes note of `event`; `now` is Unix ms. What comes before the first [`Action::Save`] is
    /// done at once; what follows waits until the manifest is on the disk.
    pub fn step(&mut self, event: Event, now: i64) -> Vec<Action> {
        if self.finished {
            return Vec::new();
        }
        let mut actions = match event {
            Event::Begin => self.begin(),
            Event::Resume => self.resume(),
            Event::SaveFailed(detail) => self.not_saved(detail, now),
            Event::StopRequested => self.stop_requested(now),
            Event::ServerFinishes => self.server_finishes(now),
            Event::PauseRequested(pause) => self.pause_requested(pause),
            Event::Refused {
                command, reason, ..
            } => self.refused(&command, reason),
            Event::Capture(snapshot) => self.capture_said(&snapshot, now),
            Event::Gone {
                role: Role::Capture,
                detail,
                left,
            } => self.capture_gone(&detail, &left, now),
            Event::Gone {
                role: Role::Render,
                detail,
                ..
            } => self.render_gone(&detail, now),
            Event::RoomFound(room_id) => self.room_found(&room_id, now),
            Event::RoomLost(error) => self.room_lost(&error, now),
            Event::Render(snapshot) => self.render_said(snapshot),
            Event::Uploaded(stored) => self.uploaded(stored, now),
            Event::UploadTrouble(trouble) => self.upload_trouble(trouble),
            Event::UploadCancelled => self.upload_cancelled(now),
            Event::NameTaken => self.name_taken(),
            Event::OutputUnusable(detail) => self.output_unusable(&detail, now),
            Event::Timer(timer) => self.timer_fired(timer, now),
        };
        actions.extend(self.advance());
        actions
    }

    fn begin(&mut self) -> Vec<Action> {
        self.capture.set_running();
        vec![
            Action::SetTimer(Timer::Start, self.timeouts.start),
            self.save(),
            Action::SpawnCapture,
        ]
    }

    /// The first save failed: nothing was begun.
    fn not_saved(&mut self, detail: String, now: i64) -> Vec<Action> {
        let error = StartError::Internal(format!(
            "the recording's folder cannot be written: {detail}"
        ));
        self.end(RecordingState::Failed, Some(error.to_string()), now);
        self.finished = true;
        vec![Action::AnswerStart(Err(error)), Action::Finish]
    }

    fn resume(&mut self) -> Vec<Action> {
        use RecordingState::*;
        self.is_resumed = true;
        self.capture.set_running();
        self.render.attach();
        let mut actions = vec![Action::Attach(Role::Capture)];
        match self.manifest.state {
            Starting => {
                self.render = Render::new(false);
                actions.push(Action::SetTimer(Timer::Start, self.timeouts.start));
            }
            Active | Paused => {
                self.may_come_back();
                actions.extend(self.pause_again(self.manifest.state));
                actions.push(Action::Attach(Role::Render));
            }
            Interrupted => {
                self.may_come_back();
                actions.extend(self.limit_restart());
                actions.push(Action::Attach(Role::Render));
            }
            Ending => {
                if !self.log_is_final {
                    actions.extend(self.ask_for_seal());
                }
                actions.push(Action::Attach(Role::Render));
            }
            Uploading => {
                actions.push(Action::Attach(Role::Render));
                actions.extend(self.upload());
                if self.manifest.upload.is_some() {
                    actions.extend(self.dismiss_capture());
                }
            }
            Complete | LimitReached | Aborted | Failed => {
                actions.push(Action::Attach(Role::Render));
                actions.extend(self.dismiss_children());
            }
        }
        actions
    }

    fn stop_requested(&mut self, now: i64) -> Vec<Action> {
        match self.manifest.state {
            RecordingState::Starting => {
                self.start_failed(RecordingState::Aborted, StartError::Stopped, now)
            }
            RecordingState::Active | RecordingState::Paused | RecordingState::Interrupted => {
                self.manifest.end_reason = Some(EndReason::Stopped);
                self.manifest.stop_requested_at = Some(now);
                if !self.capture.runs() {
                    return self.end_without_capture(EndReason::Stopped, now);
                }
                let mut actions = self.leave_interruption();
                self.manifest.state = RecordingState::Ending;
                actions.extend(self.ask_for_seal());
                actions.push(self.save());
                actions
            }
            _ => Vec::new(),
        }
    }

    fn server_finishes(&mut self, now: i64) -> Vec<Action> {
        use RecordingState::*;
        if matches!(
            self.manifest.state,
            Starting | Active | Paused | Interrupted
        ) {
            self.manifest.stopped_by_server = true;
        }
        self.stop_requested(now)
    }

    fn ask_for_seal(&self) -> Vec<Action> {
        let reason = self.manifest.end_reason.unwrap_or(EndReason::Stopped);
        vec![
            Action::Tell(Role::Capture, Command::Stop { reason }),
            Action::SetTimer(Timer::Seal, REACTION_TIME),
        ]
    }

    /// What waits for a slow disk is lost with the process: one that says so is waited for.
    fn seal_is_late(&mut self) -> Vec<Action> {
        self.capture.sealing_for += REACTION_TIME;
        let seals = std::mem::take(&mut self.capture.seals);
        if seals && self.capture.sealing_for < LONGEST_SEALING {
            return vec![Action::SetTimer(Timer::Seal, REACTION_TIME)];
        }
        vec![Action::Kill(Role::Capture)]
    }

    fn capture_said(&mut self, snapshot: &CaptureSnapshot, now: i64) -> Vec<Action> {
        match snapshot.state {
            CaptureState::Recording | CaptureState::Paused | CaptureState::Reconnecting => {
                self.in_room(snapshot, now)
            }
            CaptureState::Sealed => {
                let mut actions = match self.manifest.state {
                    RecordingState::Starting => self.in_room(snapshot, now),
                    _ => Vec::new(),
                };
                if !self.log_is_final {
                    self.note(snapshot);
                }
                let ended_at = snapshot.ended_at_ms.unwrap_or(now);
                actions.extend(self.sealed(snapshot.end_reason, ended_at));
                actions
            }
            CaptureState::Failed => match &snapshot.failure {
                Some(failure) => self.capture_failed(failure, now),
                None => self.capture_failed(
                    &Failure {
                        kind: FailureKind::Internal,
                        message: "capture failed without a reason".into(),
                    },
                    now,
                ),
            },
            CaptureState::Joining | CaptureState::Unknown => Vec::new(),
        }
    }

    fn sealed(&mut self, reason: Option<EndReason>, ended_at: i64) -> Vec<Action> {
        use RecordingState::*;
        if self.log_is_final
            || !matches!(self.manifest.state, Active | Paused | Interrupted | Ending)
        {
            return Vec::new();
        }
        self.log_is_final = true;
        let mut actions = self.leave_interruption();
        self.manifest.state = Ending;
        self.manifest.ended_at = Some(ended_at);
        self.manifest.end_reason = reason
            .or(self.manifest.end_reason)
            .or(Some(EndReason::Stopped));
        actions.extend([Action::CancelTimer(Timer::Seal), self.save()]);
        // Also of a log that has an end: one that could not be written to the end has none.
        if self.render.runs() {
            actions.push(Action::Tell(Role::Render, Command::Finish));
        }
        actions.extend(self.render_without_pause());
        actions
    }

    fn capture_failed(&mut self, failure: &Failure, now: i64) -> Vec<Action> {
        if self.manifest.state == RecordingState::Starting {
            let error = self.not_joined(failure);
            return self.start_failed(RecordingState::Failed, error, now);
        }
        self.capture_cannot_go_on(failure, now)
    }

    /// Why a start fails when capture says that it cannot join.
    fn not_joined(&self, failure: &Failure) -> StartError {
        let message = failure.message.clone();
        let source = SourceKind::named(&self.manifest.source);
        match (failure.kind, source) {
            (FailureKind::Log | FailureKind::Internal, _) => StartError::Internal(message),
            (FailureKind::SourceRefused, Some(SourceKind::Agora)) => {
                RoomError::JoinRefused(message).into()
            }
            (FailureKind::SourceTimeout, Some(SourceKind::Agora)) => {
                RoomError::JoinTimeout(message).into()
            }
            (FailureKind::SourceRefused, _) => RoomError::Refused(message).into(),
            // Of the time-out of our own rooms process its own words tell more.
            (FailureKind::SourceUnreachable, _)
            | (FailureKind::SourceTimeout, Some(SourceKind::Whip)) => {
                RoomError::Unreachable(message).into()
            }
            (FailureKind::SourceTimeout, _) => RoomError::Timeout.into(),
        }
    }

    fn capture_gone(&mut self, detail: &str, left: &Left, now: i64) -> Vec<Action> {
        use RecordingState::*;
        self.capture.gone(detail, left, now);
        // Also what no server was there to hear of.
        if let Some(told) = &left.told
            && !self.manifest.state.is_final()
        {
            self.note_told(told.clone());
        }
        match self.manifest.state {
            Starting => self.capture_never_joined(now),
            Active | Paused | Interrupted => self.capture_lost(now),
            _ => self.end_log(EndReason::CaptureLost, detail, now),
        }
    }

    /// What an interrupted recording waits for does not matter any more, nor what it was asked.
    fn leave_interruption(&mut self) -> Vec<Action> {
        let mut actions = self.forget_pause();
        if self.manifest.state == RecordingState::Interrupted {
            actions.extend(cancel_restart());
        }
        actions
    }

    fn timer_fired(&mut self, timer: Timer, now: i64) -> Vec<Action> {
        match timer {
            Timer::Start if self.manifest.state == RecordingState::Starting => {
                let mut actions = Vec::new();
                if self.capture.runs() {
                    actions.push(Action::Kill(Role::Capture));
                }
                let error = self.start_is_late();
                actions.extend(self.start_failed(RecordingState::Failed, error, now));
                actions
            }
            Timer::Seal if !self.log_is_final => self.seal_is_late(),
            Timer::CaptureExit if self.capture.runs() => vec![Action::Kill(Role::Capture)],
            Timer::RenderExit if self.render.runs() => vec![Action::Kill(Role::Render)],
            Timer::RenderRestart if self.render.waits() => self.spawn_render(),
            Timer::RenderStalled if self.render.is_running() => self.render_stalled(),
            Timer::Pause => self.pause_is_late(),
            timer => self.capture_timer(timer),
        }
    }

    /// Ends a recording that never was in the room.
    fn start_failed(&mut self, state: RecordingState, error: StartError, now: i64) -> Vec<Action> {
        self.end(state, Some(error.to_string()), now);
        self.log_is_final = true;
        let mut actions = [Timer::Start, Timer::CaptureRestart]
            .map(Action::CancelTimer)
            .to_vec();
        actions.extend(self.dismiss_children());
        actions.extend([self.save(), Action::AnswerStart(Err(error))]);
        actions
    }

    /// Asks the children to go. They are killed when they do not.
    fn dismiss_children(&self) -> Vec<Action> {
        let mut actions = self.dismiss_capture();
        if self.render.runs() {
            actions.push(Action::SetTimer(Timer::RenderExit, REACTION_TIME));
        }
        actions
    }

    /// Asks capture to go. It is killed when it does not.
    fn dismiss_capture(&self) -> Vec<Action> {
        if !self.capture.runs() {
            return Vec::new();
        }
        vec![
            Action::Tell(Role::Capture, Command::Leave),
            Action::SetTimer(Timer::CaptureExit, REACTION_TIME),
        ]
    }

    fn end(&mut self, state: RecordingState, error: Option<String>, now: i64) {
        self.manifest.state = state;
        self.manifest.error = error;
        self.manifest.ended_at.get_or_insert(now);
    }

    /// What follows from where everything stands.
    fn advance(&mut self) -> Vec<Action> {
        match self.manifest.state {
            RecordingState::Ending if self.log_is_final && self.render.has_output() => {
                self.manifest.state = RecordingState::Uploading;
                let mut actions = vec![self.save()];
                actions.extend(self.upload());
                actions
            }
            RecordingState::Ending if self.log_is_final && self.render.is_idle() => {
                self.spawn_render()
            }
            state
                if state.is_final()
                    && !self.finished
                    && !self.capture.runs()
                    && !self.render.runs() =>
            {
                self.finished = true;
                (!self.manifest.keeps_folder())
                    .then_some(Action::Clear)
                    .into_iter()
                    .chain([Action::Finish])
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn save(&self) -> Action {
        Action::Save(Box::new(self.manifest.clone()))
    }

    fn warn(&mut self, code: &str, message: String) {
        if self
            .manifest
            .warnings
            .iter()
            .all(|warning| warning.code != code)
        {
            self.manifest.warnings.push(Warning {
                code: code.into(),
                message,
            });
        }
    }
}
