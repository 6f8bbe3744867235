//! The end of the log, or of this process's part of it, and what helps the next one to go on.

use std::time::Duration;

use serde_json::json;

use crate::control::{CaptureState, EndReason, Failure};
use crate::log::{LogEvent, MachineTime};

use super::super::process::Control;
use super::super::sink::event;
use super::Recording;

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
    pub(super) async fn suspend(&mut self) {
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
        self.log.seal().await;
        log::info!(
            "told to end by a signal: the log can be resumed, {:.1} s so far",
            Duration::from_nanos(now.time_ns).as_secs_f64()
        );
    }

    /// Completes the log, once.
    pub(super) async fn seal(&mut self, reason: EndReason, control: &Control) {
        if !self.is_open() {
            return;
        }
        let now = self.clock.now();
        self.recorder.end(reason, now, &mut self.log);
        self.log.seal().await;
        self.status.state = CaptureState::Sealed;
        self.status.end_reason = Some(reason);
        if let Some(failure) = self.log.failure() {
            self.status.end_reason = Some(EndReason::LogFailed);
            self.status.failure = Some(failure);
        }
        self.sealed(now.wall_ns, now.time_ns, control);
    }

    /// Ends the recording because its log cannot be written any more.
    pub(super) fn log_failed(&mut self, failure: Failure, control: &Control) {
        let now = self.clock.now();
        self.status.state = CaptureState::Sealed;
        self.status.end_reason = Some(EndReason::LogFailed);
        self.status.failure = Some(failure);
        self.sealed(now.wall_ns, now.time_ns, control);
    }

    fn sealed(&mut self, wall_ns: i64, time_ns: u64, control: &Control) {
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
