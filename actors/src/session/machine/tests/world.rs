//! Long random lives of a recording.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::PauseError;

/// A world in which processes, disk and store do what they like, in any order, and in which the
/// server may end at any moment.
struct World {
    machine: Machine,
    /// As the last save left it.
    disk: Option<Manifest>,
    capture_runs: bool,
    /// Whether capture said that it cannot go on.
    capture_fails: bool,
    looks_for_room: bool,
    /// Requests to pause or to go on that were not answered.
    pauses: HashSet<bool>,
    render_runs: bool,
    finished: bool,
    /// Whether the log exists and has an end.
    has_log: bool,
    output: bool,
    stored: bool,
    uploads: u32,
    timers: HashSet<Timer>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            machine: machine(RecordingState::Starting),
            disk: None,
            capture_runs: false,
            capture_fails: false,
            looks_for_room: false,
            pauses: HashSet::new(),
            render_runs: false,
            finished: false,
            has_log: false,
            output: false,
            stored: false,
            uploads: 0,
            timers: HashSet::new(),
        };
        world.step(Event::Begin);
        world
    }

    fn step(&mut self, event: Event) {
        let described = format!("{event:?} in {:?}", self.machine);
        for action in self.machine.step(event, NOW) {
            assert!(!self.finished, "{action:?} after the end: {described}");
            match action {
                Action::Save(manifest) => {
                    let before = self.disk.as_ref().map(|manifest| manifest.state);
                    assert!(
                        !before.is_some_and(RecordingState::is_final),
                        "changed after its end: {described}"
                    );
                    if manifest.is_delivered() {
                        assert!(self.stored, "told as delivered: {described}");
                    }
                    self.disk = Some(*manifest);
                }
                Action::AnswerStart(Ok(())) => {
                    let state = self.disk.as_ref().unwrap().state;
                    assert_ne!(
                        state,
                        RecordingState::Starting,
                        "answered early: {described}"
                    );
                }
                Action::AnswerPause { pause, answer } => {
                    let state = self.disk.as_ref().unwrap().state;
                    assert!(
                        answer.is_err() || pause == (state == RecordingState::Paused),
                        "answered early: {described}"
                    );
                    if answer != Err(PauseError::Pending) {
                        self.pauses.remove(&pause);
                    }
                }
                Action::FindRoom => {
                    assert!(!self.capture_runs && !self.looks_for_room, "{described}");
                    self.looks_for_room = true;
                }
                Action::SpawnCapture => {
                    assert!(!self.capture_runs && self.disk.is_some(), "{described}");
                    let disk = self.disk.as_ref().unwrap();
                    assert!(
                        disk.is_live() && disk.state != RecordingState::Ending,
                        "captured after the end: {described}"
                    );
                    self.capture_runs = true;
                    self.capture_fails = false;
                }
                Action::SpawnRender { .. } => {
                    assert!(!self.render_runs, "two renders: {described}");
                    assert!(self.has_log, "{described}");
                    self.render_runs = true;
                    self.output = false;
                }
                Action::Attach(role) => {
                    let runs = match role {
                        Role::Capture => self.capture_runs,
                        Role::Render => self.render_runs,
                    };
                    assert!(runs || self.disk.is_some());
                }
                Action::Tell(Role::Capture, Command::Leave) => {
                    let manifest = self.machine.manifest();
                    assert!(
                        manifest.state.is_final()
                            || manifest.upload.is_some()
                            || self.capture_fails,
                        "left early: {described}"
                    );
                }
                Action::Upload(_) => {
                    assert!(self.output, "{described}");
                    assert_eq!(self.disk.as_ref().unwrap().state, RecordingState::Uploading);
                    self.uploads += 1;
                    assert_eq!(self.uploads, 1, "uploaded twice at once: {described}");
                }
                Action::Clear => {
                    let state = self.disk.as_ref().unwrap().state;
                    let captured = self.disk.as_ref().unwrap().started_at.is_some();
                    assert!(
                        self.stored || !captured || state == RecordingState::Aborted,
                        "lost: {described}"
                    );
                    assert!(!self.capture_runs && !self.render_runs, "{described}");
                }
                Action::Finish => {
                    assert!(
                        !self.capture_runs && !self.render_runs,
                        "left behind: {described}"
                    );
                    self.finished = true;
                }
                Action::SetTimer(timer, _) => drop(self.timers.insert(timer)),
                Action::CancelTimer(timer) => drop(self.timers.remove(&timer)),
                Action::RenewToken => panic!("nobody asked: {described}"),
                Action::Kill(_) | Action::Tell(..) | Action::AnswerStart(Err(_)) => {}
            }
        }
    }

    /// The server ends; the next one begins with what is on the disk.
    fn restart_server(&mut self) {
        let Some(manifest) = self.disk.clone().filter(|_| !self.finished) else {
            return;
        };
        self.machine = Machine::new(manifest, TIMEOUTS);
        self.timers.clear();
        self.pauses.clear();
        self.looks_for_room = false;
        self.uploads = 0;
        self.step(Event::Resume);
        for (role, runs) in [
            (Role::Capture, self.capture_runs),
            (Role::Render, self.render_runs),
        ] {
            if !runs && !self.finished {
                self.step(gone(role));
            }
        }
    }

    fn pause(&mut self, pause: bool) {
        self.pauses.insert(pause);
        self.step(Event::PauseRequested(pause));
    }

    fn happen(&mut self, what: u32) {
        let in_room = self.capture_runs && !self.capture_fails;
        match what {
            0..=5 if in_room => {
                self.has_log = true;
                self.step(capture(CaptureState::Recording));
            }
            6..=7 if in_room => {
                self.has_log = true;
                self.step(capture(CaptureState::Paused));
            }
            8..=9 if in_room && self.has_log => self.step(capture(CaptureState::Sealed)),
            10 if in_room => {
                self.capture_fails = true;
                self.step(capture_failed(FailureKind::Log));
            }
            11..=12 if in_room => {
                self.capture_fails = true;
                self.step(capture_failed(FailureKind::SourceUnreachable));
            }
            13 if in_room => {
                self.capture_fails = true;
                self.step(capture_failed(FailureKind::Internal));
            }
            14..=19 if self.capture_runs => {
                self.capture_runs = false;
                self.step(gone(Role::Capture));
            }
            20..=29 if self.render_runs => self.step(render(RenderState::Following, 100)),
            30..=39 if self.render_runs && self.machine.log_is_final => {
                self.output = true;
                self.step(finished());
            }
            40..=42 if self.render_runs => self.step(render(RenderState::Failed, 0)),
            43..=55 if self.render_runs => {
                self.render_runs = false;
                self.step(gone(Role::Render));
            }
            56..=59 => self.step(Event::StopRequested),
            60..=69 if self.uploads > 0 => {
                self.stored = true;
                self.uploads -= 1;
                self.step(Event::Uploaded(Vec::new()));
            }
            70 if self.uploads > 0 => self.step(Event::UploadTrouble(trouble(false))),
            71 if self.uploads > 0 => {
                self.uploads -= 1;
                self.step(Event::NameTaken);
            }
            72 if self.uploads > 0 => {
                self.uploads -= 1;
                self.output = false;
                self.step(Event::OutputUnusable("x".into()));
            }
            73..=76 => self.restart_server(),
            77..=79 => self.pause(what == 77),
            80..=84 if self.looks_for_room => {
                self.looks_for_room = false;
                let id = ["RM_seen", "RM_other"][what as usize % 2];
                self.step(Event::RoomFound(id.into()));
            }
            85..=87 if self.looks_for_room => {
                self.looks_for_room = false;
                let error = match what {
                    85 => RoomError::Unknown("room".into()),
                    _ => RoomError::Unreachable("x".into()),
                };
                self.step(Event::RoomLost(error));
            }
            88..=99 => {
                let mut timers: Vec<_> = self.timers.iter().copied().collect();
                timers.sort_by_key(|timer| format!("{timer:?}"));
                if let Some(timer) = timers.first() {
                    self.timers.remove(timer);
                    self.step(Event::Timer(*timer));
                }
            }
            _ => {}
        }
    }

    fn fire(&mut self, timer: Timer) {
        if self.timers.remove(&timer) && !self.finished {
            self.step(Event::Timer(timer));
        }
    }

    /// From here on children, stores and timers behave. Somebody stops the recording, or its room
    /// ends.
    fn settle(&mut self, is_stopped: bool) {
        for _ in 0..200 {
            if self.finished {
                return;
            }
            if is_stopped {
                self.step(Event::StopRequested);
            }
            let state = self.machine.manifest().state;
            if self.looks_for_room && !self.finished {
                self.looks_for_room = false;
                self.step(Event::RoomLost(RoomError::Unknown("room".into())));
            }
            if self.capture_runs && !self.finished {
                if !self.capture_fails {
                    self.has_log = true;
                    self.step(capture(CaptureState::Sealed));
                }
                if (state.is_final() || self.capture_fails) && !self.finished {
                    self.capture_runs = false;
                    self.step(gone(Role::Capture));
                }
            }
            if self.render_runs && self.machine.log_is_final && !self.finished {
                self.output = true;
                self.step(finished());
                self.render_runs = false;
                if !self.finished {
                    self.step(gone(Role::Render));
                }
            }
            if self.uploads > 0 && !self.finished {
                self.uploads -= 1;
                self.stored = true;
                self.step(Event::Uploaded(Vec::new()));
            }
            for timer in self.timers.clone() {
                self.fire(timer);
            }
        }
        panic!("it does not come to an end: {:?}", self.machine);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn whatever_happens_nothing_is_lost_and_everything_ends(
        happenings in proptest::collection::vec(0_u32..100, 0..100),
        is_stopped: bool,
    ) {
        let mut world = World::new();
        for what in happenings {
            if world.finished {
                break;
            }
            world.happen(what);
        }
        world.settle(is_stopped);
        prop_assert!(world.pauses.is_empty(), "requests were never answered: {:?}", world.pauses);
        let manifest = world.disk.unwrap();
        prop_assert!(manifest.state.is_final(), "{manifest:?}");
        let explained = manifest.state.is_delivered() || manifest.error.is_some();
        prop_assert!(explained, "{manifest:?}");
        // What comes now is too late.
        for event in [Event::StopRequested, Event::Uploaded(Vec::new()), gone(Role::Capture)] {
            prop_assert_eq!(world.machine.step(event, NOW), []);
        }
    }
}
