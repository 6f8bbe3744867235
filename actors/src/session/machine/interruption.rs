//! A capture that was lost is started again, on the log that is there.

use std::time::Duration;

use tapedeck_pipelines::control::{Command, EndReason, Failure, FailureKind, Gap, Role};

use super::capture::Phase;
use super::{Action, Machine, REACTION_TIME, Timer};
use crate::backoff::Backoff;
use crate::{RecordingState, Restart, RoomError, SourceKind};

/// Captures that may be lost in a row, none of which recorded for 5 s.
pub const MOST_LOSSES: u32 = 8;
/// The longest pause before capture is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Between two looks at whether the room is there.
const LOOK_AGAIN: Backoff = Backoff {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(5),
};
/// How long those who were in a room may take to come back to it.
const LONGEST_RETURN: Duration = Duration::from_secs(60);
/// A room of the same name that is another one is taken for the same meeting when not more than
/// this, or the time-out of the source, has passed.
const SAME_MEETING: Duration = Duration::from_secs(600);
/// What capture may need to read its log and to join, beside the time-out of the source.
const REJOIN: Duration = Duration::from_secs(60);
/// Who suspended capture may be about to end this server as well: a capture started now would be
/// ended with it.
const AFTER_SUSPENSION: Duration = Duration::from_millis(1_500);
/// The code by which the manifest tells that capture did not end as it should.
const CAPTURE_LOST: &str = "capture_lost";

impl Machine {
    /// A capture that was in the room before says that it cannot go on; it is about to end.
    pub(super) fn capture_cannot_go_on(&mut self, failure: &Failure, now: i64) -> Vec<Action> {
        match self.manifest.state {
            RecordingState::Active | RecordingState::Paused | RecordingState::Interrupted
                if failure.kind != FailureKind::Log =>
            {
                if self.capture.failure.is_some() {
                    return Vec::new();
                }
                self.capture.failure = Some(failure.clone());
                vec![
                    Action::Tell(Role::Capture, Command::Leave),
                    Action::SetTimer(Timer::CaptureExit, REACTION_TIME),
                ]
            }
            _ => {
                let reason = match failure.kind {
                    FailureKind::Log => EndReason::LogFailed,
                    _ => EndReason::CaptureLost,
                };
                self.end_log(reason, &failure.message, now)
            }
        }
    }

    /// Capture is gone though nothing ended the recording.
    pub(super) fn capture_lost(&mut self, now: i64) -> Vec<Action> {
        let was_interrupted = self.manifest.state == RecordingState::Interrupted;
        let detail = self.capture.detail.clone();
        if self.is_over_long(now) {
            return self.end_log(EndReason::MaxDuration, &detail, now);
        }
        let failure = self.capture.failure.take();
        self.manifest.state = RecordingState::Interrupted;
        let mut actions = vec![
            Action::CancelTimer(Timer::CaptureExit),
            Action::CancelTimer(Timer::Rejoin),
        ];
        if !was_interrupted {
            // Publishers of a rooms process that died as well post again.
            self.capture.may_come_back |= self.manifest.source == SourceKind::Whip.name();
            actions.push(Action::SetTimer(
                Timer::SourceLost,
                self.timeouts.source_lost,
            ));
        }
        match failure {
            Some(failure) if failure.kind != FailureKind::Internal => {
                actions.extend(self.room_lost(&RoomError::Unreachable(failure.message), now));
                if !was_interrupted {
                    actions.push(self.save());
                }
                return actions;
            }
            _ => {}
        }
        let detail = failure.map_or(detail, |failure| failure.message);
        let losses = self.capture.count_loss();
        if losses >= MOST_LOSSES {
            let detail = format!("{losses} times in a row, at last: {detail}");
            actions.extend(self.end_log(EndReason::CaptureLost, &detail, now));
            return actions;
        }
        self.count_restart(Role::Capture, &detail, now);
        let pauses = Backoff {
            first: self.timeouts.restart_pause,
            longest: LONGEST_PAUSE,
        };
        let pause = match losses {
            1 if self.capture.suspended => Some(AFTER_SUSPENSION),
            1 => None,
            _ => Some(pauses.pause(losses - 1, 0.0)),
        };
        match pause {
            None => actions.extend(self.look_for_room()),
            Some(pause) => {
                self.capture.phase = Phase::Waiting;
                actions.push(Action::SetTimer(Timer::CaptureRestart, pause));
            }
        }
        actions.push(self.save());
        actions
    }

    /// The server or the machine was started again, so the media server may have been as well.
    pub(super) fn may_come_back(&mut self) {
        self.capture.may_come_back = true;
    }

    /// The limits of an interruption that another session began.
    pub(super) fn limit_restart(&self) -> [Action; 2] {
        let source_lost = self.timeouts.source_lost;
        [
            Action::SetTimer(Timer::SourceLost, source_lost),
            Action::SetTimer(Timer::Rejoin, source_lost + REJOIN),
        ]
    }

    /// Ends a recording whose capture is being started again.
    pub(super) fn end_without_capture(&mut self, reason: EndReason, now: i64) -> Vec<Action> {
        let detail = self.capture.detail.clone();
        self.end_log(reason, &detail, now)
    }

    pub(super) fn look_for_room(&mut self) -> Vec<Action> {
        self.capture.phase = Phase::Looking;
        vec![Action::FindRoom]
    }

    pub(super) fn room_found(&mut self, room_id: &str, now: i64) -> Vec<Action> {
        if self.capture.phase != Phase::Looking {
            return Vec::new();
        }
        if self.manifest.state == RecordingState::Starting {
            return self.start_again();
        }
        if room_id != self.manifest.room_id && self.is_another_meeting(now) {
            let detail = format!(
                "{}; the room of that name is another one now",
                self.capture.detail
            );
            return self.end_log(EndReason::RoomEnded, &detail, now);
        }
        self.capture.phase = Phase::Running;
        self.capture.looks = 0;
        vec![
            Action::SetTimer(Timer::Rejoin, self.timeouts.source_lost + REJOIN),
            Action::SpawnCapture,
        ]
    }

    pub(super) fn room_lost(&mut self, error: &RoomError, now: i64) -> Vec<Action> {
        if self.manifest.state == RecordingState::Starting {
            return self.room_lost_at_start(error, now);
        }
        if self.manifest.state != RecordingState::Interrupted || self.capture.runs() {
            return Vec::new();
        }
        let mut actions = Vec::new();
        let is_unknown = matches!(error, RoomError::Unknown(_));
        let is_over = if is_unknown {
            !self.capture.may_come_back || self.capture.room_is_over
        } else {
            // A media server that was away has lost its rooms; its clients make them anew.
            self.capture.may_come_back = true;
            self.capture.source_is_lost
        };
        if is_over {
            let reason = match is_unknown {
                true => EndReason::RoomEnded,
                false => EndReason::SourceLost,
            };
            let detail = format!("{}; {error}", self.capture.detail);
            return self.end_log(reason, &detail, now);
        }
        if is_unknown && !self.capture.waits_for_room {
            self.capture.waits_for_room = true;
            let patience = LONGEST_RETURN.min(self.timeouts.source_lost);
            actions.push(Action::SetTimer(Timer::RoomOver, patience));
        }
        self.capture.looks += 1;
        self.capture.phase = Phase::Waiting;
        let pause = LOOK_AGAIN.pause(self.capture.looks, 0.0);
        actions.push(Action::SetTimer(Timer::CaptureRestart, pause));
        actions
    }

    pub(super) fn capture_timer(&mut self, timer: Timer) -> Vec<Action> {
        match timer {
            Timer::CaptureRestart if self.capture.phase == Phase::Waiting => self.look_for_room(),
            Timer::Rejoin
                if self.capture.runs() && self.manifest.state == RecordingState::Interrupted =>
            {
                vec![Action::Kill(Role::Capture)]
            }
            Timer::RoomOver => {
                self.capture.room_is_over = true;
                Vec::new()
            }
            Timer::SourceLost => {
                self.capture.source_is_lost = true;
                Vec::new()
            }
            Timer::Note => {
                self.note_is_due = false;
                match self.manifest.state.is_final() {
                    true => Vec::new(),
                    false => vec![self.save()],
                }
            }
            _ => Vec::new(),
        }
    }

    /// Nothing will be added to the log, which has no end record.
    pub(super) fn end_log(&mut self, reason: EndReason, detail: &str, now: i64) -> Vec<Action> {
        if self.log_is_final {
            return Vec::new();
        }
        // A stop that was asked for stays the reason.
        let reason = self.manifest.end_reason.unwrap_or(reason);
        self.warn(
            CAPTURE_LOST,
            format!(
                "capture ended without sealing its log ({detail}): the last moments may be missing"
            ),
        );
        let ended_at = self.capture.lost_at.unwrap_or(now);
        self.note_missing_end(ended_at, now);
        let actions = self.sealed(Some(reason), ended_at);
        if !self.capture.runs() {
            self.capture.phase = Phase::Idle;
        }
        actions
    }

    /// Tells what is missing between the loss of capture and the end as a gap, unless nobody knows
    /// how long there was something to capture.
    fn note_missing_end(&mut self, lost_at: i64, now: i64) {
        let until = match self.manifest.state {
            RecordingState::Interrupted => now,
            RecordingState::Ending => match self.manifest.stop_requested_at {
                Some(asked_at) => asked_at.min(now),
                None => return,
            },
            _ => return,
        };
        if self.is_in_pause() || self.is_another_meeting(now) {
            return;
        }
        let by_wall = u64::try_from(self.recorded_by(lost_at)).unwrap_or(0);
        // The clock may have been set meanwhile; capture tells its time once a second.
        let from_ms = match (self.capture.recorded_ms, self.capture.told_ms) {
            (Some(recorded_ms), _) => recorded_ms,
            (None, Some(told_ms)) => by_wall.clamp(told_ms, told_ms + 1_500),
            (None, None) => by_wall,
        };
        let to_ms = from_ms + u64::try_from(until - lost_at).unwrap_or(0);
        // One that lasted when capture told of it last has lasted until now.
        let last = self.manifest.gaps.last_mut();
        match last.filter(|gap| self.capture.told_ms.is_some_and(|told| gap.to_ms >= told)) {
            Some(open) => open.to_ms = to_ms.max(open.to_ms),
            None if to_ms > from_ms => self.manifest.gaps.push(Gap {
                from_ms,
                to_ms,
                reason: CAPTURE_LOST.into(),
            }),
            None => {}
        }
    }

    /// Recording time at a moment, by the wall clock, ms.
    fn recorded_by(&self, at: i64) -> i64 {
        let manifest = &self.manifest;
        let pauses = manifest.pauses.iter();
        let paused: i64 = pauses
            .map(|pause| pause.to.unwrap_or(at) - pause.from)
            .sum();
        at - manifest.started_at.unwrap_or(at) - paused
    }

    /// Why a recording whose capture was given up counts as failed though there is a file.
    pub(super) fn given_up(&self) -> String {
        let told = self.manifest.warnings.iter();
        let reason = told
            .filter(|warning| warning.code == CAPTURE_LOST)
            .map(|warning| format!(": {}", warning.message))
            .next_back();
        format!(
            "capture was given up, the file holds what was captured until then{}",
            reason.unwrap_or_default()
        )
    }

    pub(super) fn count_restart(&mut self, role: Role, reason: &str, now: i64) {
        let restarts = &mut self.manifest.restarts;
        match role {
            Role::Capture => restarts.capture += 1,
            Role::Render => restarts.render += 1,
        }
        restarts.last = Some(Restart {
            role,
            at_ms: now,
            reason: reason.to_owned(),
        });
    }

    /// Whether the recording is as long as it may become, with the time in which it was lost. The
    /// wall clock, which may have been set, tells only of the time in which nobody heard of
    /// capture; it is capture that ends a recording on time.
    fn is_over_long(&self, now: i64) -> bool {
        let capture = &self.capture;
        let recorded_ms = match capture.recorded_ms.max(capture.told_ms) {
            Some(known_ms) if capture.told_ms.is_some() || self.is_in_pause() => known_ms,
            Some(known_ms) => {
                let away_ms = now - capture.lost_at.unwrap_or(now);
                known_ms.saturating_add(u64::try_from(away_ms).unwrap_or(0))
            }
            None => u64::try_from(self.recorded_by(now)).unwrap_or(0),
        };
        recorded_ms >= self.manifest.max_duration_ms
    }

    /// Whether recording time stands still.
    fn is_in_pause(&self) -> bool {
        let last = self.manifest.pauses.last();
        last.is_some_and(|pause| pause.to.is_none())
    }

    fn is_another_meeting(&self, now: i64) -> bool {
        let lost_for = now - self.capture.lost_at.unwrap_or(now);
        let longest = SAME_MEETING.max(self.timeouts.source_lost);
        u128::try_from(lost_for).is_ok_and(|lost_for| lost_for > longest.as_millis())
    }
}

/// Capture is back, or given up.
pub fn cancel_restart() -> Vec<Action> {
    [
        Timer::CaptureRestart,
        Timer::Rejoin,
        Timer::SourceLost,
        Timer::RoomOver,
    ]
    .map(Action::CancelTimer)
    .into()
}
