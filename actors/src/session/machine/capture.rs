//! Where capture stands, and what it says of itself.

use std::time::Duration;

use tapedeck_pipelines::control::{CaptureSnapshot, CaptureState, Failure};
use tapedeck_pipelines::log::Told;

use super::interruption::cancel_restart;
use super::{Action, Left, Machine, Timer};
use crate::RecordingState;

/// Recording for so long is progress, ms of recording time.
const PROGRESS_MS: u64 = 5_000;
/// Gaps are written down at the latest after so long.
const NOTE: Duration = Duration::from_secs(5);

/// Where capture stands.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    pub phase: Phase,
    /// Losses in a row.
    losses: u32,
    /// Recording time when this process was first heard to record, and last, ms.
    heard_ms: Option<(u64, u64)>,
    /// Recording time as it was last told, ms.
    pub told_ms: Option<u64>,
    /// Recording time at which the log ended when it was last lost, ms.
    pub recorded_ms: Option<u64>,
    /// Why the process, which is about to end, could not go on.
    pub failure: Option<Failure>,
    /// Looks at the room in a row that did not find it.
    pub looks: u32,
    /// Whether the room may be gone only until those who were in it are back.
    pub may_come_back: bool,
    /// Whether a room that is not there is being waited for.
    pub waits_for_room: bool,
    /// Whether it was waited for long enough.
    pub room_is_over: bool,
    /// Whether the media server was waited for long enough.
    pub source_is_lost: bool,
    /// When capture was last known to record, Unix ms.
    pub lost_at: Option<i64>,
    /// How it was lost.
    pub detail: String,
    /// Whether somebody told the process to go on later.
    pub suspended: bool,
    /// Whether the process was given the new token that it asked for.
    pub token_given: bool,
    /// Whether it said lately that it waits for the disk to take the end of its log.
    pub seals: bool,
    /// For how long it was given time for that.
    pub sealing_for: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// No process, and none to come by itself.
    #[default]
    Idle,
    /// A process may be there.
    Running,
    /// The room is looked for.
    Looking,
    /// The room is looked for after a pause.
    Waiting,
}

/// What a snapshot tells that the manifest does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    None,
    /// It may be written down a little later.
    Minor,
    Urgent,
}

impl Capture {
    pub fn runs(&self) -> bool {
        self.phase == Phase::Running
    }

    pub fn set_running(&mut self) {
        self.phase = Phase::Running;
    }

    /// The process is gone.
    pub fn gone(&mut self, detail: &str, left: &Left, now: i64) {
        self.phase = Phase::Idle;
        detail.clone_into(&mut self.detail);
        self.suspended = left.suspended;
        self.recorded_ms = left.recorded_ms.or(self.recorded_ms);
        // One that never got back into the room does not count as recording.
        if self.lost_at.is_none() {
            self.lost_at = Some(left.log_until.map_or(now, |until| until.min(now)));
        }
    }

    fn heard(&mut self, duration_ms: u64) {
        let first = self.heard_ms.map_or(duration_ms, |(first, _)| first);
        self.heard_ms = Some((first, duration_ms));
        self.told_ms = Some(duration_ms);
    }

    /// Counts a loss; tells how many there were in a row.
    pub fn count_loss(&mut self) -> u32 {
        let recorded = self.heard_ms.take();
        if recorded.is_some_and(|(from, to)| to.saturating_sub(from) >= PROGRESS_MS) {
            self.losses = 0;
        }
        self.losses += 1;
        self.losses
    }

    /// Forgets what was about the last time that capture was lost.
    fn is_back(&mut self) {
        *self = Self {
            phase: self.phase,
            losses: self.losses,
            heard_ms: self.heard_ms,
            told_ms: self.told_ms,
            ..Self::default()
        };
    }
}

impl Machine {
    /// A snapshot of a capture that is in the room.
    pub(super) fn in_room(&mut self, snapshot: &CaptureSnapshot, now: i64) -> Vec<Action> {
        let mut actions = self.stands(snapshot, now);
        self.capture.seals |= snapshot.sealing;
        actions.extend(self.renewal(snapshot));
        actions
    }

    /// A token is given once for each time that capture asks.
    fn renewal(&mut self, snapshot: &CaptureSnapshot) -> Option<Action> {
        let was_given = std::mem::replace(&mut self.capture.token_given, snapshot.token_wanted);
        (snapshot.token_wanted && !was_given).then_some(Action::RenewToken)
    }

    fn stands(&mut self, snapshot: &CaptureSnapshot, now: i64) -> Vec<Action> {
        use RecordingState::*;
        let seen = match snapshot.state {
            CaptureState::Paused => Paused,
            _ => Active,
        };
        self.capture.heard(snapshot.duration_ms);
        let news = self.note(snapshot);
        match self.manifest.state {
            Starting => {
                self.manifest.state = seen;
                self.manifest.started_at = Some(snapshot.started_at_ms.unwrap_or(now));
                if let Some(room_id) = &snapshot.room_id {
                    self.manifest.room_id.clone_from(room_id);
                }
                self.capture.is_back();
                let mut actions = vec![
                    Action::CancelTimer(Timer::Start),
                    self.save(),
                    Action::AnswerStart(Ok(())),
                ];
                actions.extend(self.spawn_render());
                actions
            }
            Active | Paused | Interrupted if !self.log_is_final => {
                let before = self.manifest.state;
                self.manifest.state = seen;
                let mut actions = Vec::new();
                if before == Interrupted {
                    self.capture.is_back();
                    actions.extend(cancel_restart());
                    actions.extend(self.pause_again(seen));
                }
                if before != seen || news == News::Urgent {
                    actions.push(self.save());
                } else if news == News::Minor && !self.note_is_due {
                    self.note_is_due = true;
                    actions.push(Action::SetTimer(Timer::Note, NOTE));
                }
                actions.extend(self.pause_done());
                actions
            }
            _ => Vec::new(),
        }
    }

    /// Takes over what the log of a capture that is gone tells of gaps and pauses.
    pub(super) fn note_told(&mut self, mut told: Told) {
        told.include(&self.manifest.gaps);
        self.manifest.gaps = told.gaps().to_vec();
        if !told.pauses().is_empty() {
            self.manifest.pauses = told.pauses().to_vec();
        }
    }

    /// Takes over what the snapshot tells of gaps and pauses. A process of an earlier version
    /// tells nothing of them.
    pub(super) fn note(&mut self, snapshot: &CaptureSnapshot) -> News {
        let manifest = &mut self.manifest;
        let mut news = News::None;
        if !snapshot.gaps.is_empty() && manifest.gaps != snapshot.gaps {
            manifest.gaps.clone_from(&snapshot.gaps);
            news = News::Minor;
        }
        if !snapshot.pauses.is_empty() && manifest.pauses != snapshot.pauses {
            manifest.pauses.clone_from(&snapshot.pauses);
            news = News::Urgent;
        }
        news
    }
}
