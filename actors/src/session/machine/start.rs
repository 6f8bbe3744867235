//! A capture that ends before it is in the room is started again while the start may take.

use std::time::Duration;

use tapedeck_pipelines::control::Role;

use super::capture::Phase;
use super::{Action, Machine, Timer};
use crate::backoff::Backoff;
use crate::{RecordingState, RoomError, StartError};

/// Captures of one start that may end before they are in the room.
pub const MOST_STARTS: u32 = 4;
/// Between two of them, from the second on: what ends them may need a moment to pass.
const PAUSE: Backoff = Backoff {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(1),
};

impl Machine {
    /// Capture ended before it was in the room.
    pub(super) fn capture_never_joined(&mut self, now: i64) -> Vec<Action> {
        let ended = self.capture.count_loss();
        if ended >= MOST_STARTS || !self.is_awaited() {
            let error = self.never_joined();
            return self.start_failed(RecordingState::Failed, error, now);
        }
        let detail = self.capture.detail.clone();
        self.count_restart(Role::Capture, &detail, now);
        if ended == 1 {
            return self.look_for_room();
        }
        self.capture.phase = Phase::Waiting;
        let pause = PAUSE.pause(ended - 1, 0.0);
        vec![Action::SetTimer(Timer::CaptureRestart, pause)]
    }

    /// Whether somebody waits for the start, or can ask for it again: of a start that nobody was
    /// answered, and that recorded nothing, nobody would know.
    fn is_awaited(&self) -> bool {
        !self.is_resumed || self.manifest.idempotency_key.is_some()
    }

    /// The room is there.
    pub(super) fn start_again(&mut self) -> Vec<Action> {
        self.capture.phase = Phase::Running;
        vec![Action::SpawnCapture]
    }

    /// The room, which was there when the start was asked for, is not.
    pub(super) fn room_lost_at_start(&mut self, error: &RoomError, now: i64) -> Vec<Action> {
        if self.capture.phase != Phase::Looking {
            return Vec::new();
        }
        self.capture.phase = Phase::Idle;
        self.start_failed(RecordingState::Failed, error.clone().into(), now)
    }

    /// What is told when a start takes too long.
    pub(super) fn start_is_late(&self) -> StartError {
        match self.capture.detail.is_empty() {
            // Some of what is configured went by before.
            true => StartError::Timeout(
                u64::try_from(self.timeouts.start.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX),
            ),
            false => self.never_joined(),
        }
    }

    fn never_joined(&self) -> StartError {
        StartError::Internal(format!(
            "the capture process ended before it was in the room ({})",
            self.capture.detail
        ))
    }
}
