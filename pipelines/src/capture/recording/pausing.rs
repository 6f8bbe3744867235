//! Pausing, going on, and answering when the disk has it.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::json;
use tapedeck_failpoints::reached;
use tokio::sync::oneshot;

use crate::control::Pause;
use crate::log::MachineTime;

use super::super::process::Control;
use super::super::sink::event;
use super::Recording;

/// A command that was carried out, but not yet on the disk.
pub(super) struct Unanswered {
    id: String,
    synced: oneshot::Receiver<()>,
}

/// How it stood before a pause began or ended of which the disk does not have the record yet. Until
/// it has, nobody is told: a process that went on in the log would know nothing of it.
pub(super) struct Before {
    pub is_paused: bool,
    pub pauses: Vec<Pause>,
}

/// Waits until the disk has what the first command did; the id, and whether it worked.
pub(super) async fn next_synced(unanswered: &mut VecDeque<Unanswered>) -> (String, bool) {
    let Some(first) = unanswered.front_mut() else {
        return std::future::pending().await;
    };
    let synced = (&mut first.synced).await.is_ok();
    let id = unanswered.pop_front().map(|first| first.id);
    (id.unwrap_or_default(), synced)
}

impl Recording {
    /// Writes no media from now on, while recording time stands still.
    pub(super) fn pause(&mut self) {
        if self.paused_since.is_some() {
            return;
        }
        self.remember_before();
        self.clock.stop(Instant::now());
        let now = self.clock.now();
        self.paused_since = Some(MachineTime::now());
        self.recorder.pause(now, &mut self.log);
        self.keyframes.clear();
        self.log
            .journal("paused", json!({ "duration_ms": now.time_ns / 1_000_000 }));
        log::info!("paused");
        reached("pause.begun");
    }

    /// Goes on after a pause.
    pub(super) fn resume(&mut self) {
        let Some(since) = self.paused_since.clone() else {
            return;
        };
        self.remember_before();
        self.paused_since = None;
        let instant = Instant::now();
        let machine_time = MachineTime::now();
        let paused_ns = machine_time.since(&since);
        let now = self.clock.now();
        // What was wanted in the pause is long overdue, and would look like a stall.
        self.keyframes.clear();
        let pictures = self.recorder.resume_after(paused_ns, now, &mut self.log);
        event(&mut self.log, now, machine_time.event());
        self.clock.go_on(instant);
        for id in pictures {
            self.keyframes.want(&id, instant);
        }
        self.log.journal(
            "resumed",
            json!({
                "duration_ms": now.time_ns / 1_000_000,
                "paused_ms": paused_ns / 1_000_000,
            }),
        );
        log::info!("going on after a pause of {} ms", paused_ns / 1_000_000);
        reached("pause.ended");
    }

    fn remember_before(&mut self) {
        let is_paused = self.paused_since.is_some();
        let now = self.clock.now();
        let recorder = &self.recorder;
        self.before.get_or_insert_with(|| Before {
            is_paused,
            pauses: recorder.told(now).pauses().to_vec(),
        });
    }

    /// Answers a command when the disk has what it did.
    pub(super) fn answer_when_synced(&mut self, id: String) {
        let synced = self.log.sync();
        self.unanswered.push_back(Unanswered { id, synced });
    }

    /// Tells what a command did that the disk has, or failed to take, and answers it.
    pub(super) fn answer(&mut self, (id, synced): (String, bool), control: &Control) {
        if self.unanswered.is_empty() {
            self.before = None;
            self.note_state(control);
        }
        let answer = if synced {
            Ok(())
        } else {
            Err("the log could not be written; see the recording's end reason".to_owned())
        };
        control.server.reply(&id, answer);
    }

    /// Answers what is still to be answered, before the process ends.
    pub(super) fn answer_all(&mut self, control: &Control) {
        while let Some(mut waiting) = self.unanswered.pop_front() {
            let synced = waiting.synced.try_recv().is_ok();
            self.answer((waiting.id, synced), control);
        }
    }
}
