//! A running recording: source events into the log, commands and limits.

mod pausing;
mod sealing;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::control::{CaptureSnapshot, CaptureState, Command, CommandEnvelope, EndReason};
use crate::job::{CaptureJob, CaptureLimits};
use crate::log::MachineTime;
use crate::process::now_boot_ns;
use crate::sources::{Joined, RoomSource, SourceEvent};

use super::clock::{RecordingClock, SleepWatch};
use super::ending::{Facts, limit_reached};
use super::keyframes::KeyframeRequests;
use super::layers::LayerChoice;
use super::process::{Control, OpenLog, unknown_command};
use super::recorder::{Reaction, Recorder};
use super::writer::LogThread;

use pausing::{Before, Unanswered, next_synced};
use sealing::Sealing;

/// Time between two snapshots of an unchanged state.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// A process that wakes up so much too late was stopped by somebody, or its machine was.
const STALL: Duration = Duration::from_secs(2);

/// Two clocks that are read within so much of each other tell of the same moment.
const READ_AT_ONCE: Duration = Duration::from_millis(100);

/// Time between two checkpoints: a process that goes on in the log reads about so much of it.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(120);

/// How long a sealed recording whose room is gone waits for its server to come and read.
const AFTER_THE_ROOM: Duration = Duration::from_secs(10);

/// A recording from the moment it is in the room.
pub struct Recording {
    limits: CaptureLimits,
    source: RoomSource,
    log: LogThread,
    recorder: Recorder,
    clock: RecordingClock,
    sleep: SleepWatch,
    layers: LayerChoice,
    keyframes: KeyframeRequests,
    /// What a snapshot tells that nothing else keeps.
    status: CaptureSnapshot,
    /// Whether the source is connected to the room.
    connected: bool,
    /// When it was paused, if it is.
    paused_since: Option<MachineTime>,
    /// What others know while the disk does not have a pause, or its end.
    before: Option<Before>,
    /// Commands that are answered when the disk has what they did, in their order.
    unanswered: VecDeque<Unanswered>,
    /// The end of the log, until the disk has it.
    sealing: Option<Sealing>,
    empty_since: Option<Instant>,
    /// Since when the source has nothing more to tell.
    source_ended: Option<Instant>,
    next_snapshot: Instant,
    next_checkpoint: Instant,
}

#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Exit,
}

impl Recording {
    /// Takes up a recording whose log is open.
    pub fn new(job: &CaptureJob, source: RoomSource, joined: Joined, opened: OpenLog) -> Self {
        let now = Instant::now();
        let status = CaptureSnapshot {
            room_id: Some(opened.room_id.unwrap_or(joined.room_id)),
            started_at_ms: Some(opened.started_wall_ns / 1_000_000),
            ..CaptureSnapshot::default()
        };
        opened.log.journal(
            "joined",
            json!({
                "room_id": status.room_id,
                "started_at_ms": status.started_at_ms,
                "time_ms": opened.clock.at(now) / 1_000_000,
            }),
        );
        let mut recording = Self {
            limits: job.limits,
            source,
            log: opened.log,
            recorder: opened.recorder,
            clock: opened.clock,
            sleep: SleepWatch::new(now, now_boot_ns()),
            layers: LayerChoice::new(job.canvas),
            keyframes: KeyframeRequests::default(),
            status,
            connected: true,
            paused_since: opened.paused_since,
            before: None,
            unanswered: VecDeque::new(),
            sealing: None,
            empty_since: None,
            source_ended: None,
            next_snapshot: now,
            // The first one tells of the log before this process.
            next_checkpoint: now,
        };
        recording.status.state = recording.open_state();
        recording.note_who_is_there(now);
        recording
    }

    /// Runs until it is told to leave, or has no reason to stay.
    pub async fn run(mut self, control: &mut Control) {
        self.publish(control);
        loop {
            let wake = self.next_wake();
            let next = tokio::select! {
                biased;
                Some(envelope) = control.commands.recv() => self.command(envelope, control),
                _ = control.terminate.recv() => {
                    self.suspend(control).await;
                    Next::Exit
                }
                synced = next_synced(&mut self.unanswered) => {
                    self.answer(synced, control);
                    Next::GoOn
                }
                () = sealing::done(&mut self.sealing) => self.sealed(control),
                failure = self.log.failed(), if self.is_open() => {
                    self.log_failed(failure, control);
                    Next::GoOn
                }
                event = self.source.next() => {
                    self.event(event, control);
                    Next::GoOn
                }
                () = tokio::time::sleep_until(wake.into()) => Next::GoOn,
            };
            self.notice_sleep();
            self.notice_stall(wake);
            if next == Next::Exit || self.on_time(control) == Next::Exit {
                break;
            }
        }
        self.answer_all(control);
        self.source.leave().await;
        log::info!("left the room");
    }

    /// Whether the log takes what comes.
    fn is_open(&self) -> bool {
        self.sealing.is_none()
            && matches!(
                self.status.state,
                CaptureState::Recording | CaptureState::Reconnecting | CaptureState::Paused
            )
    }

    /// The state while the log is being written.
    fn open_state(&self) -> CaptureState {
        let is_paused = self.paused_since.is_some();
        let is_known_as_paused = self.before.as_ref().map_or(is_paused, |it| it.is_paused);
        match (is_known_as_paused, self.connected) {
            (true, _) => CaptureState::Paused,
            (false, true) => CaptureState::Recording,
            (false, false) => CaptureState::Reconnecting,
        }
    }

    fn note_state(&mut self, control: &Control) {
        if self.is_open() {
            self.status.state = self.open_state();
        }
        self.publish(control);
    }

    fn command(&mut self, envelope: CommandEnvelope, control: &Control) -> Next {
        let (answer, next) = match envelope.command {
            Command::Stop { reason } => {
                self.seal(reason, control);
                return self.answer_when_sealed(envelope.id, Next::GoOn, control);
            }
            Command::Leave => {
                self.seal(EndReason::Stopped, control);
                return self.answer_when_sealed(envelope.id, Next::Exit, control);
            }
            Command::Snapshot => {
                self.publish(control);
                (Ok(()), Next::GoOn)
            }
            Command::Pause | Command::Resume if !self.is_open() => (
                Err("the recording has ended: it cannot be paused or resumed".to_owned()),
                Next::GoOn,
            ),
            Command::RenewToken { token } => {
                let renewed = self.source.renew_token(token);
                self.publish(control);
                (renewed, Next::GoOn)
            }
            Command::Pause => {
                self.pause();
                self.answer_when_synced(envelope.id);
                return Next::GoOn;
            }
            Command::Resume => {
                self.resume();
                self.answer_when_synced(envelope.id);
                return Next::GoOn;
            }
            Command::Finish | Command::Whip { .. } | Command::Unknown => {
                (Err(unknown_command()), Next::GoOn)
            }
        };
        control.server.reply(&envelope.id, answer);
        next
    }

    fn event(&mut self, event: SourceEvent, control: &Control) {
        match &event {
            SourceEvent::Interrupted => {
                self.connected = false;
                log::warn!("the connection to the room is lost");
                self.note_state(control);
            }
            SourceEvent::Restored { settings_lost, .. } => {
                let now = Instant::now();
                self.connected = true;
                self.status.reconnects += 1;
                if *settings_lost {
                    self.layers.forget(now);
                    self.keyframes.clear();
                }
                log::info!("the connection to the room is back");
                self.note_state(control);
            }
            SourceEvent::Ended(reason) => {
                self.source_ended = Some(Instant::now());
                self.seal(*reason, control);
                return;
            }
            _ => {}
        }
        if self.is_open() {
            let reaction = self.recorder.handle(event, self.clock.now(), &mut self.log);
            self.react(reaction);
        }
    }

    fn react(&mut self, reaction: Reaction) {
        let now = Instant::now();
        match reaction {
            Reaction::Nothing => {}
            Reaction::LayoutChanged => {
                self.layers.room_changed(now);
                self.note_who_is_there(now);
            }
            Reaction::KeyframeExpected(id) => {
                self.keyframes.expect(&id, now);
                self.layers.room_changed(now);
            }
            Reaction::KeyframeWanted(id) => self.keyframes.want(&id, now),
            Reaction::KeyframeArrived(id) => self.keyframes.arrived(&id),
            Reaction::VideoStopped(id) => {
                self.keyframes.forget(&id);
                self.layers.room_changed(now);
            }
        }
    }

    fn note_who_is_there(&mut self, now: Instant) {
        if self.recorder.participant_count() > 0 {
            self.empty_since = None;
        } else {
            self.empty_since.get_or_insert(now);
        }
    }

    /// When something has to be done though nothing happens.
    fn next_wake(&self) -> Instant {
        let mut wake = self.next_snapshot;
        if self.is_open() {
            let longest_ns = self.limits.max_duration_ms.saturating_mul(1_000_000);
            let others = [
                self.clock.instant(longest_ns),
                self.layers.next_due(),
                self.keyframes
                    .next_due()
                    .filter(|_| self.paused_since.is_none()),
            ];
            for due in others.into_iter().flatten() {
                wake = wake.min(due);
            }
        }
        wake
    }

    /// Tells when the machine slept: recording time has gone on meanwhile.
    fn notice_sleep(&mut self) {
        let awake = self.sleep.awake;
        let (now, boot_ns) = (Instant::now(), now_boot_ns());
        if now.elapsed() >= READ_AT_ONCE {
            // This process was stopped between the two: it looks again.
            return;
        }
        let slept = self.sleep.look(now, boot_ns);
        if slept >= STALL && self.is_open() {
            log::warn!("this machine slept for {slept:.1?}");
            self.clock.leap(now, slept);
            self.recorder
                .stalled(awake, self.clock.now(), &mut self.log);
        }
    }

    /// Tells when this process did not run long after it was to wake up, whatever woke it then.
    fn notice_stall(&mut self, wake: Instant) {
        let late = wake.elapsed();
        if late >= STALL && self.is_open() {
            log::warn!("this process could not run for {late:.1?}");
            self.recorder.stalled(wake, self.clock.now(), &mut self.log);
        }
    }

    /// Does what is due.
    fn on_time(&mut self, control: &Control) -> Next {
        let now = Instant::now();
        let wake = self.next_wake();
        if now < wake {
            return Next::GoOn;
        }
        if self.is_open() {
            self.ask_for_media(now);
            self.recorder.tick(self.clock.now(), &mut self.log);
            if now >= self.next_checkpoint {
                self.next_checkpoint = now + CHECKPOINT_INTERVAL;
                self.check_point();
            }
            let facts = Facts {
                recorded: Duration::from_nanos(self.clock.at(now)),
                empty_since: self.empty_since,
                alone_since: control.server.alone_since(),
            };
            if let Some(reason) = limit_reached(&self.limits, &facts, now) {
                self.seal(reason, control);
            }
        }
        if now >= self.next_snapshot {
            self.publish(control);
        }
        self.reason_to_stay(now, control)
    }

    fn ask_for_media(&mut self, now: Instant) {
        let participants = self.recorder.participant_count();
        let requests = self
            .layers
            .take(now, participants, self.recorder.publications());
        for request in requests {
            log::debug!(
                "asking for the {} layer of {}, {}x{}",
                request.layer,
                request.id,
                request.width,
                request.height
            );
            self.source.set_video_size(
                &request.id,
                request.width,
                request.height,
                request.frame_rate,
            );
        }
        if self.paused_since.is_some() {
            return;
        }
        for id in self.keyframes.due(now) {
            log::debug!("asking for a key frame of {id}");
            self.source.request_keyframe(&id);
        }
    }

    /// A sealed recording stays in the room for its server's sake.
    fn reason_to_stay(&self, now: Instant, control: &Control) -> Next {
        let Some(alone_since) = control.server.alone_since() else {
            return Next::GoOn;
        };
        if self.is_open() || self.sealing.is_some() {
            return Next::GoOn;
        }
        let server_lost = Duration::from_millis(self.limits.server_lost_timeout_ms);
        let room_gone = self
            .source_ended
            .is_some_and(|ended| now.duration_since(ended.max(alone_since)) >= AFTER_THE_ROOM);
        if room_gone || now.duration_since(alone_since) >= server_lost {
            Next::Exit
        } else {
            Next::GoOn
        }
    }

    fn publish(&mut self, control: &Control) {
        self.next_snapshot = Instant::now() + SNAPSHOT_INTERVAL;
        let now = self.clock.now();
        if self.is_open() {
            self.status.duration_ms = now.time_ns / 1_000_000;
        }
        self.status.frames = self.recorder.frames();
        self.status.bytes = self.recorder.bytes();
        self.status.log_bytes = self.log.log_bytes();
        self.status.first_frame_at_ms = self
            .recorder
            .first_frame_wall_ns()
            .map(|wall_ns| wall_ns / 1_000_000);
        let mut snapshot = self.status.clone();
        let told = self.recorder.told(now);
        snapshot.gaps = told.gaps().to_vec();
        let known = self.before.as_ref().map(|before| &before.pauses[..]);
        snapshot.pauses = known.unwrap_or(told.pauses()).to_vec();
        snapshot.token_wanted = self.source.is_token_wanted();
        snapshot.participants = self
            .recorder
            .participants(|id| self.layers.layer(id).to_owned());
        for participant in &mut snapshot.participants {
            participant.level = self.source.level(&participant.id);
        }
        control.publish(snapshot);
    }
}
