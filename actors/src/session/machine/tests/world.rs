//! Long random lives of a recording.

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// A world in which processes, disk and store do what they like, in any order, and in which the
/// server may end at any moment.
struct World {
    machine: Machine,
    /// As the last save left it.
    disk: Option<Manifest>,
    capture_runs: bool,
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
                    if manifest.state.is_delivered() {
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
                Action::SpawnCapture => {
                    assert!(!self.capture_runs && self.disk.is_some(), "{described}");
                    self.capture_runs = true;
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
                    let state = self.machine.manifest().state;
                    assert!(state.is_final(), "left early: {described}");
                }
                Action::Upload { .. } => {
                    assert!(self.output, "{described}");
                    assert_eq!(self.disk.as_ref().unwrap().state, RecordingState::Uploading);
                    self.uploads += 1;
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
                Action::Kill(_) | Action::Tell(..) | Action::AnswerStart(Err(_)) => {}
            }
        }
    }

    /// The server ends; the next one begins with what is on the disk.
    fn restart_server(&mut self) {
        let Some(manifest) = self.disk.clone().filter(|_| !self.finished) else {
            return;
        };
        self.machine = Machine::new(manifest, TIMEOUT);
        self.timers.clear();
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

    fn happen(&mut self, what: u32) {
        match what {
            0..=9 if self.capture_runs => {
                self.has_log = true;
                self.step(capture(CaptureState::Recording));
            }
            10..=12 if self.capture_runs && self.has_log => {
                self.step(capture(CaptureState::Sealed))
            }
            13 if self.capture_runs => self.step(capture_failed(FailureKind::Log)),
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
                self.step(Event::Uploaded);
            }
            70 if self.uploads > 0 => self.step(Event::UploadTrouble("x".into())),
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
            77..=99 => {
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

    /// From here on everything goes well.
    fn settle(&mut self) {
        for _ in 0..200 {
            if self.finished {
                return;
            }
            self.step(Event::StopRequested);
            let state = self.machine.manifest().state;
            if self.capture_runs && !self.finished {
                self.has_log = true;
                self.step(capture(CaptureState::Sealed));
                if state.is_final() && !self.finished {
                    self.capture_runs = false;
                    self.step(gone(Role::Capture));
                }
            }
            if self.render_runs && !self.finished {
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
                self.step(Event::Uploaded);
            }
            self.happen(77);
        }
        panic!("it does not come to an end: {:?}", self.machine);
    }
}

#[test]
fn whatever_happens_nothing_is_lost_and_everything_ends() {
    for seed in 0..5_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut world = World::new();
        for _ in 0..random.random_range(0..80) {
            if world.finished {
                break;
            }
            world.happen(random.random_range(0..100));
        }
        world.settle();
        let manifest = world.disk.unwrap();
        assert!(manifest.state.is_final(), "seed {seed}: {manifest:?}");
        let delivered = manifest.state.is_delivered();
        assert!(
            delivered || manifest.error.is_some(),
            "seed {seed}: {manifest:?}"
        );
    }
}
