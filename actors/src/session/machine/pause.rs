//! Pauses on request: capture does them, and the manifest says so before the answer.

use tapedeck_pipelines::control::{Command, Role};

use super::{Action, Machine, REACTION_TIME, Timer};
use crate::{PauseError, RecordingState};

impl Machine {
    pub(super) fn pause_requested(&mut self, pause: bool) -> Vec<Action> {
        use RecordingState::*;
        let mut actions = Vec::new();
        let earlier = self.manifest.wanted_pause.filter(|wanted| *wanted != pause);
        if let Some(earlier) = earlier {
            actions.push(answer(earlier, Err(PauseError::Overtaken)));
        }
        match self.manifest.state {
            // It is so already; a client whose answer was lost asks again.
            Active | Paused if earlier.is_none() && self.is_paused() == pause => {
                self.manifest.wanted_pause = Some(pause);
                return self.pause_done();
            }
            Active | Paused => {
                self.manifest.wanted_pause = Some(pause);
                actions.push(Action::Tell(Role::Capture, command(pause)));
            }
            // Told when it is back, also when that is another server's doing.
            Interrupted => {
                self.manifest.wanted_pause = Some(pause);
                actions.push(self.save());
            }
            _ => {
                actions.push(answer(pause, Err(PauseError::NotRecording)));
                return actions;
            }
        }
        actions.push(Action::SetTimer(Timer::Pause, REACTION_TIME));
        actions
    }

    /// What was asked of a capture that is gone is asked of the next, which was `seen` like this.
    pub(super) fn pause_again(&self, seen: RecordingState) -> Vec<Action> {
        match self.manifest.wanted_pause {
            Some(pause) if pause != (seen == RecordingState::Paused) => {
                vec![Action::Tell(Role::Capture, command(pause))]
            }
            _ => Vec::new(),
        }
    }

    /// Answers when capture has done what was asked.
    pub(super) fn pause_done(&mut self) -> Vec<Action> {
        let pause = self.is_paused();
        if self.manifest.wanted_pause != Some(pause) {
            return Vec::new();
        }
        self.manifest.wanted_pause = None;
        vec![
            Action::CancelTimer(Timer::Pause),
            // Also when nothing changed: the answer comes after what is being written.
            self.save(),
            answer(pause, Ok(())),
        ]
    }

    fn is_paused(&self) -> bool {
        self.manifest.state == RecordingState::Paused
    }

    pub(super) fn refused(&mut self, refused: &Command, reason: String) -> Vec<Action> {
        if matches!(refused, Command::RenewToken { .. }) {
            // As long as it is wanted, the next snapshot tells so.
            self.capture.token_given = false;
        }
        match self.manifest.wanted_pause {
            Some(pause) if *refused == command(pause) => {
                self.end_pause_request(PauseError::Refused(reason))
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn pause_is_late(&self) -> Vec<Action> {
        let late = |pause| answer(pause, Err(PauseError::Pending));
        self.manifest.wanted_pause.map(late).into_iter().collect()
    }

    /// The recording ends: there is nothing to pause any more.
    pub(super) fn forget_pause(&mut self) -> Vec<Action> {
        self.end_pause_request(PauseError::NotRecording)
    }

    fn end_pause_request(&mut self, error: PauseError) -> Vec<Action> {
        let Some(pause) = self.manifest.wanted_pause.take() else {
            return Vec::new();
        };
        vec![Action::CancelTimer(Timer::Pause), answer(pause, Err(error))]
    }
}

fn answer(pause: bool, answer: Result<(), PauseError>) -> Action {
    Action::AnswerPause { pause, answer }
}

fn command(pause: bool) -> Command {
    match pause {
        true => Command::Pause,
        false => Command::Resume,
    }
}
