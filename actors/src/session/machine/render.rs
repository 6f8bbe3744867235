//! The render's part: it may be run as often as it takes.

use std::time::Duration;

use tapedeck_pipelines::control::{Command, RenderSnapshot, RenderState, Role};

use super::render_progress::Progress;
use super::{Action, Machine, REACTION_TIME, Timer};
use crate::RecordingState;

/// Failures in a row after which a final log is given up.
pub const MOST_FAILURES: u32 = 5;
/// Getting this much further than any run before is progress, ms of recording time.
const PROGRESS_MS: u64 = 10_000;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Until a disk is tried again that was full.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Where the render stands.
#[derive(Clone, Debug)]
pub struct Render {
    phase: Phase,
    failures: u32,
    /// The furthest that any run came, ms.
    furthest_ms: u64,
    /// Where the furthest was when failures were last counted from 0.
    counted_from_ms: u64,
    failure: Option<String>,
    /// Whether that was for want of space, which is no failure of the log.
    disk_full: bool,
    /// The furthest that any run came when the disk was full, ms.
    full_at_ms: Option<u64>,
    /// How far it was when last heard of, while it has work.
    pub(super) progress: Option<Progress>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No process, and none to come by itself.
    Idle,
    /// Looking for the process of an earlier session.
    Attaching,
    Running,
    /// To be started again after a pause.
    Waiting,
    /// The output is complete; the process may still be there.
    Done {
        runs: bool,
    },
}

impl Render {
    pub fn new(has_output: bool) -> Self {
        let phase = if has_output {
            Phase::Done { runs: false }
        } else {
            Phase::Idle
        };
        Self {
            phase,
            failures: 0,
            furthest_ms: 0,
            counted_from_ms: 0,
            failure: None,
            disk_full: false,
            full_at_ms: None,
            progress: None,
        }
    }

    /// Why it is about to be killed, unless it told a reason before.
    pub(super) fn fail(&mut self, reason: &str) {
        self.failure.get_or_insert_with(|| reason.to_owned());
    }

    /// A process of an earlier session may be there.
    pub fn attach(&mut self) {
        self.phase = match self.phase {
            Phase::Done { .. } => Phase::Done { runs: true },
            _ => Phase::Attaching,
        };
    }

    pub fn runs(&self) -> bool {
        matches!(
            self.phase,
            Phase::Attaching | Phase::Running | Phase::Done { runs: true }
        )
    }

    /// Whether a process works on the output.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    pub fn waits(&self) -> bool {
        self.phase == Phase::Waiting
    }

    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    pub fn has_output(&self) -> bool {
        matches!(self.phase, Phase::Done { .. })
    }

    /// Counts a failure; tells how many there were in a row.
    fn failed(&mut self) -> u32 {
        if self.furthest_ms >= self.counted_from_ms + PROGRESS_MS {
            self.counted_from_ms = self.furthest_ms;
            self.failures = 0;
        }
        self.failures += 1;
        self.failures
    }

    fn pause(&self, disk_full: bool) -> Duration {
        if disk_full {
            return FULL_DISK_PAUSE;
        }
        let doublings = self.failures.saturating_sub(1).min(16);
        FIRST_PAUSE
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE)
    }
}

impl Machine {
    pub(super) fn spawn_render(&mut self) -> Vec<Action> {
        self.render.phase = Phase::Running;
        vec![Action::SpawnRender {
            log_is_final: self.log_is_final,
        }]
    }

    /// The log became final: what failed on a growing one gets all its chances anew.
    pub(super) fn render_without_pause(&mut self) -> Vec<Action> {
        self.render.failures = 0;
        if !self.render.waits() {
            return Vec::new();
        }
        let mut actions = vec![Action::CancelTimer(Timer::RenderRestart)];
        actions.extend(self.spawn_render());
        actions
    }

    pub(super) fn render_said(&mut self, snapshot: RenderSnapshot) -> Vec<Action> {
        if self.render.phase == Phase::Attaching {
            self.render.phase = Phase::Running;
            if self.log_is_final && snapshot.state != RenderState::Finished {
                return [
                    vec![Action::Tell(Role::Render, Command::Finish)],
                    self.render_said(snapshot),
                ]
                .concat();
            }
        }
        self.render.furthest_ms = self.render.furthest_ms.max(snapshot.position_ms);
        match (snapshot.state, &snapshot.output) {
            _ if self.render.phase != Phase::Running || self.manifest.state.is_final() => {
                Vec::new()
            }
            (RenderState::Finished, Some(output)) => {
                self.render.phase = Phase::Done { runs: true };
                self.manifest.error = None;
                self.manifest.file = Some(output.clone());
                self.manifest.further_files = snapshot.further_outputs;
                for warning in snapshot.warnings {
                    if !self.manifest.warnings.contains(&warning) {
                        self.manifest.warnings.push(warning);
                    }
                }
                vec![Action::SetTimer(Timer::RenderExit, REACTION_TIME)]
            }
            (RenderState::Failed | RenderState::Finished, _) if self.render.failure.is_none() => {
                self.render.failure = Some(
                    snapshot
                        .failure
                        .unwrap_or_else(|| "render ended without an output".into()),
                );
                self.render.disk_full = snapshot.disk_full;
                vec![Action::SetTimer(Timer::RenderExit, REACTION_TIME)]
            }
            _ if self.render.failure.is_none() => {
                let mut actions = self.watch_render(&snapshot);
                actions.extend(self.space_is_back(snapshot.position_ms));
                actions
            }
            _ => Vec::new(),
        }
    }

    /// A render gets on that had no room on the disk, which is the only error before the upload.
    fn space_is_back(&mut self, position_ms: u64) -> Option<Action> {
        self.manifest.error.as_ref()?;
        // An earlier session may have heard of it.
        let full_at_ms = *self.render.full_at_ms.get_or_insert(position_ms);
        if position_ms < full_at_ms + PROGRESS_MS {
            return None;
        }
        self.render.full_at_ms = None;
        self.manifest.error = None;
        Some(self.save())
    }

    pub(super) fn render_gone(&mut self, detail: &str, now: i64) -> Vec<Action> {
        let mut actions = vec![Action::CancelTimer(Timer::RenderExit)];
        if self.render.progress.take().is_some() {
            actions.push(Action::CancelTimer(Timer::RenderStalled));
        }
        match self.render.phase {
            Phase::Done { .. } => {
                self.render.phase = Phase::Done { runs: false };
                actions
            }
            // Nothing was there to attach to.
            Phase::Attaching
                if matches!(
                    self.manifest.state,
                    RecordingState::Active | RecordingState::Paused | RecordingState::Interrupted
                ) =>
            {
                self.spawn_render()
            }
            Phase::Attaching => {
                self.render.phase = Phase::Idle;
                Vec::new()
            }
            Phase::Running if self.manifest.state.is_final() => {
                self.render.phase = Phase::Idle;
                actions
            }
            Phase::Running => {
                let reason = self
                    .render
                    .failure
                    .take()
                    .unwrap_or_else(|| detail.to_owned());
                actions.extend(self.render_failed(&reason, now));
                actions
            }
            Phase::Idle | Phase::Waiting => Vec::new(),
        }
    }

    pub(super) fn output_unusable(&mut self, detail: &str, now: i64) -> Vec<Action> {
        if self.manifest.state != RecordingState::Uploading {
            return Vec::new();
        }
        self.manifest.state = RecordingState::Ending;
        self.manifest.file = None;
        self.manifest.further_files.clear();
        let mut actions = vec![self.save()];
        // Killed first, so that two renders never write the same file.
        if self.render.runs() {
            self.render.phase = Phase::Running;
            self.render.failure = Some(detail.to_owned());
            actions.insert(0, Action::Kill(Role::Render));
        } else {
            actions.extend(self.render_failed(detail, now));
        }
        actions
    }

    fn render_failed(&mut self, reason: &str, now: i64) -> Vec<Action> {
        let disk_full = std::mem::take(&mut self.render.disk_full);
        // A full disk is waited for, however long it takes.
        let failures = if disk_full { 0 } else { self.render.failed() };
        if self.log_is_final && failures >= MOST_FAILURES {
            self.render.phase = Phase::Idle;
            let error = format!(
                "rendering failed {failures} times in a row, the capture log is kept: {reason}"
            );
            self.end(RecordingState::Failed, Some(error), now);
            let mut actions = vec![self.save()];
            actions.extend(self.dismiss_children());
            return actions;
        }
        self.render.phase = Phase::Waiting;
        if disk_full {
            self.manifest.error = Some(reason.to_owned());
            self.render.full_at_ms = Some(self.render.furthest_ms);
        } else {
            self.count_restart(Role::Render, reason, now);
        }
        vec![
            Action::SetTimer(Timer::RenderRestart, self.render.pause(disk_full)),
            self.save(),
        ]
    }
}
