//! The end of the log, or of this process's part of it, and what helps the next one to go on.

use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;

use crate::control::{CaptureState, EndReason, Failure};
use crate::log::{LogEvent, MachineTime};

use super::super::clock::Moment;
use super::super::process::Control;
use super::super::sink::event;
use super::{Next, Recording};

/// The end of the log, on its way to the disk, which may take its time.
pub(super) struct Sealing {
    reason: EndReason,
    at: Moment,
    done: oneshot::Receiver<()>,
    /// Commands that are answered when it is there.
    commands: Vec<String>,
    /// What follows then.
    next: Next,
}

/// Waits until the disk has the end of the log, or failed to take it.
pub(super) async fn done(sealing: &mut Option<Sealing>) {
    match sealing {
        // Without an answer the thread that writes panicked.
        Some(sealing) => drop((&mut sealing.done).await),
        None => std::future::pending().await,
    }
}

impl Recording {
    /// Sums up the log so far for a process that goes on in it.
    pub(super) fn check_point(&mut self) {
        let room_id = self.status.room_id.clone().unwrap_or_default();
        let paused_since = self.paused_since.clone();
        let now = self.clock.now();
        let checkpoint = self.recorder.checkpoint(room_id, paused_since);
        if self.paused_since.is_none() {
            event(&mut self.log, now, MachineTime::now().event());
        }
        event(
            &mut self.log,
            now,
            LogEvent::Checkpoint(Box::new(checkpoint)),
        );
    }

    /// Leaves the log to a later process, on the disk and without an end.
    pub(super) async fn suspend(&mut self, control: &Control) {
        if self.sealing.is_some() {
            done(&mut self.sealing).await;
            self.sealed(control);
        }
        if !self.is_open() {
            return;
        }
        let now = self.clock.now();
        self.recorder.suspend(now, &mut self.log);
        self.log.journal(
            "suspended",
            json!({
                "duration_ms": now.time_ns / 1_000_000,
                "paused": self.paused_since.is_some(),
            }),
        );
        // Without an answer the thread that writes panicked.
        let _ = self.log.seal().await;
        log::info!(
            "told to end by a signal: the log can be resumed, {:.1} s so far",
            Duration::from_nanos(now.time_ns).as_secs_f64()
        );
    }

    /// Has the log completed, once; [`Recording::sealed`] when the disk has it.
    pub(super) fn seal(&mut self, reason: EndReason, control: &Control) {
        if !self.is_open() {
            return;
        }
        let at = self.clock.now();
        self.recorder.end(reason, at, &mut self.log);
        self.sealing = Some(Sealing {
            reason,
            at,
            done: self.log.seal(),
            commands: Vec::new(),
            next: Next::GoOn,
        });
        self.status.sealing = true;
        self.status.duration_ms = at.time_ns / 1_000_000;
        self.publish(control);
    }

    /// Answers a command when nothing is left to be sealed; `next` follows then.
    pub(super) fn answer_when_sealed(&mut self, id: String, next: Next, control: &Control) -> Next {
        let Some(sealing) = &mut self.sealing else {
            control.server.reply(&id, Ok(()));
            return next;
        };
        sealing.commands.push(id);
        if next == Next::Exit {
            sealing.next = next;
        }
        Next::GoOn
    }

    /// The disk has the end of the log, or failed to take it.
    pub(super) fn sealed(&mut self, control: &Control) -> Next {
        let Some(sealing) = self.sealing.take() else {
            return Next::GoOn;
        };
        self.status.sealing = false;
        self.status.state = CaptureState::Sealed;
        self.status.end_reason = Some(sealing.reason);
        if let Some(failure) = self.log.failure() {
            self.status.end_reason = Some(EndReason::LogFailed);
            self.status.failure = Some(failure);
        }
        self.ended(sealing.at.wall_ns, sealing.at.time_ns, control);
        for id in &sealing.commands {
            control.server.reply(id, Ok(()));
        }
        sealing.next
    }

    /// Ends the recording because its log cannot be written any more.
    pub(super) fn log_failed(&mut self, failure: Failure, control: &Control) {
        let now = self.clock.now();
        self.status.state = CaptureState::Sealed;
        self.status.end_reason = Some(EndReason::LogFailed);
        self.status.failure = Some(failure);
        self.ended(now.wall_ns, now.time_ns, control);
    }

    fn ended(&mut self, wall_ns: i64, time_ns: u64, control: &Control) {
        self.before = None;
        self.status.ended_at_ms = Some(wall_ns / 1_000_000);
        self.status.duration_ms = time_ns / 1_000_000;
        self.source.release();
        self.keyframes.clear();
        log::info!(
            "the log is complete: {:?}, {} frames in {:.1} s",
            self.status.end_reason,
            self.recorder.frames(),
            Duration::from_nanos(time_ns).as_secs_f64()
        );
        self.log.journal(
            "sealed",
            json!({
                "reason": self.status.end_reason,
                "failure": self.status.failure,
                "ended_at_ms": self.status.ended_at_ms,
                "duration_ms": self.status.duration_ms,
            }),
        );
        self.publish(control);
    }
}
