//! Whether a render that says that it is well also gets on.

use std::time::Duration;

use tapedeck_pipelines::control::{RenderSnapshot, RenderState, Role};

use super::{Action, Machine, Timer};

/// A render that has work and gets nothing done for so long hangs. Checking what an earlier one
/// left of a long recording, on a slow disk, may take minutes.
const STALLED: Duration = Duration::from_secs(300);
/// Likewise while the finished file is written, of which nothing is told meanwhile.
const FINISHING_STALLED: Duration = Duration::from_secs(3_600);
/// Being this far behind what was captured is work, ms of recording time. A render stays behind a
/// little in any case.
const BEHIND_MS: u64 = 60_000;

/// What changes when a render gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    state: RenderState,
    position_ms: u64,
    read_ms: u64,
    frames: u64,
    bytes: u64,
}

impl Progress {
    fn of(snapshot: &RenderSnapshot) -> Self {
        Self {
            state: snapshot.state,
            position_ms: snapshot.position_ms,
            read_ms: snapshot.read_ms,
            frames: snapshot.frames,
            bytes: snapshot.bytes,
        }
    }
}

impl Machine {
    /// Watches a running render while it has work.
    pub(super) fn watch_render(&mut self, snapshot: &RenderSnapshot) -> Vec<Action> {
        let captured_ms = self.capture.told_ms.unwrap_or(0);
        let has_work = self.log_is_final || captured_ms >= snapshot.recording_time_ms() + BEHIND_MS;
        let progress = has_work.then(|| Progress::of(snapshot));
        let before = std::mem::replace(&mut self.render.progress, progress);
        match progress {
            None if before.is_some() => vec![Action::CancelTimer(Timer::RenderStalled)],
            Some(_) if before != progress => {
                let has_read_all = self.log_is_final && snapshot.lag_ms == 0;
                let patience = match has_read_all {
                    true => FINISHING_STALLED,
                    false => STALLED,
                };
                vec![Action::SetTimer(Timer::RenderStalled, patience)]
            }
            _ => Vec::new(),
        }
    }

    /// It is started again, from its last fragment.
    pub(super) fn render_stalled(&mut self) -> Vec<Action> {
        self.render.progress = None;
        self.render.fail("it got nothing done for minutes");
        vec![Action::Kill(Role::Render)]
    }
}
