//! Kills processes of a recording server at random moments while it records, and proves by what is
//! left that nothing is lost.

mod report;
mod returning;
mod take;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::tapedeck::Tapedeck;
pub use report::Report;
pub use returning::{Presence, Returning, RoomsKills};
pub use take::{Half, Take, Taken};

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Victim {
    Server,
    Capture,
    Render,
    /// The process that holds the connections of all publishers of our own rooms.
    Rooms,
}

impl Victim {
    /// The argument by which it is started.
    fn role(self) -> &'static str {
        match self {
            Self::Server => "serve",
            Self::Capture => "capture",
            Self::Render => "render",
            Self::Rooms => "rooms",
        }
    }
}

/// States that soon become others.
const PASSING: [&str; 3] = ["starting", "ending", "uploading"];

/// The seed of random tests: `CRASH_SEED`, else drawn; printed, so that a run can be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("CRASH_SEED").ok();
    let seed = given.map_or_else(
        || u64::from(rand::random::<u32>()),
        |seed| seed.parse().expect("CRASH_SEED is a number"),
    );
    println!("CRASH_SEED={seed}");
    seed
}

/// Kills at random.
pub struct Killer {
    generator: StdRng,
    /// Those that may be killed; who is named more often is killed more often.
    victims: Vec<Victim>,
    /// Time from one kill to the next.
    pauses: (Duration, Duration),
    report: Arc<Mutex<Report>>,
    rooms_kills: RoomsKills,
}

impl Killer {
    /// A killer of `victims`, who is named more often more often.
    pub fn new(seed: u64, victims: &[Victim], pauses: (Duration, Duration)) -> Self {
        Self {
            generator: StdRng::seed_from_u64(seed),
            victims: victims.to_vec(),
            pauses,
            report: Arc::default(),
            rooms_kills: RoomsKills::default(),
        }
    }

    /// The random numbers of this run.
    pub fn generator(&mut self) -> &mut StdRng {
        &mut self.generator
    }

    /// Counts the kills of the rooms process.
    pub fn rooms_kills(&self) -> RoomsKills {
        self.rooms_kills.clone()
    }

    /// What was done so far.
    pub fn report(&self) -> Report {
        lock(&self.report).clone()
    }

    /// Kills until `done`, `most` times at the most, and has the server run again each time, as an
    /// init does. The server runs when it returns.
    pub async fn kill_until(&mut self, tapedeck: &mut Tapedeck, most: usize, done: &Cell<bool>) {
        let mut kills = 0;
        while !done.get() {
            if !self.wait(tapedeck, done).await || kills == most {
                continue;
            }
            let victim = self.victims[self.generator.random_range(0..self.victims.len())];
            if victim != Victim::Server {
                kills += usize::from(self.kill_child(tapedeck, victim));
                continue;
            }
            let states = live_states(&tapedeck.data());
            lock(&self.report).killed(Victim::Server, &states);
            kills += 1;
            tapedeck.kill();
            let away = self.generator.random_range(0..1_500);
            tokio::time::sleep(Duration::from_millis(away)).await;
            // Who dies while nobody looks is to be found too.
            let other = self.victims[self.generator.random_range(0..self.victims.len())];
            if kills < most && other != Victim::Server {
                kills += usize::from(self.kill_child(tapedeck, other));
            }
            let restarted = Instant::now();
            tapedeck.run().await;
            lock(&self.report).recovered(Victim::Server, restarted.elapsed());
        }
    }

    /// Waits until the next kill; `false` if all is done before.
    async fn wait(&mut self, tapedeck: &Tapedeck, done: &Cell<bool>) -> bool {
        let (least, most) = self.pauses;
        let pause = self
            .generator
            .random_range(least.as_millis()..most.as_millis());
        let until = Instant::now() + Duration::from_millis(pause as u64);
        while Instant::now() < until && !done.get() {
            tapedeck.keep_logs();
            // What lasts a moment only would hardly ever be hit.
            let is_passing = live_states(&tapedeck.data())
                .iter()
                .any(|state| PASSING.contains(&state.as_str()));
            if is_passing && self.generator.random_bool(0.15) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tapedeck.keep_logs();
        !done.get()
    }

    /// Kills the rooms process, or one of the captures or renders, if there is one.
    fn kill_child(&mut self, tapedeck: &Tapedeck, victim: Victim) -> bool {
        if victim == Victim::Rooms {
            let found = tapedeck.children(victim.role());
            found.iter().for_each(|pid| kill(*pid));
            if !found.is_empty() {
                self.rooms_kills.add();
                lock(&self.report).killed(victim, &live_states(&tapedeck.data()));
            }
            return !found.is_empty();
        }
        let mut found = tapedeck.processes(victim.role());
        found.sort_by(|(_, one), (_, other)| one.cmp(other));
        if found.is_empty() {
            return false;
        }
        let (pid, id) = found.swap_remove(self.generator.random_range(0..found.len()));
        let work = tapedeck.work(&id);
        let state = state_of(&work);
        kill(pid);
        lock(&self.report).killed(victim, &[state]);
        self.watch_recovery(tapedeck.data(), victim, pid, id);
        true
    }

    /// Takes note of how long it takes until another process does what `pid` did.
    fn watch_recovery(&self, data: PathBuf, victim: Victim, pid: i32, id: String) {
        let report = self.report.clone();
        let killed = Instant::now();
        let successor = move || {
            let found = crate::tapedeck::processes_of_recordings(&data, victim.role());
            let is_there = found.iter().any(|(other, of)| *other != pid && *of == id);
            let is_needed = ["starting", "active", "paused", "interrupted", "ending"]
                .contains(&state_of(&data.join("work").join(&id)).as_str());
            (is_there, is_needed)
        };
        std::thread::spawn(move || {
            while killed.elapsed() < Duration::from_secs(60) {
                match successor() {
                    (true, _) => return lock(&report).recovered(victim, killed.elapsed()),
                    (false, false) => return,
                    (false, true) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        });
    }
}

fn kill(pid: i32) {
    // SAFETY: a plain system call; the process was found by its server's own folder.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
    }
}

fn lock(report: &Mutex<Report>) -> std::sync::MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The manifest of a recording as it is on the disk; null if there is none.
pub fn manifest(work: &Path) -> Value {
    let text = std::fs::read(work.join("manifest.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn state_of(work: &Path) -> String {
    manifest(work)["state"]
        .as_str()
        .unwrap_or("none")
        .to_owned()
}

/// The states of all recordings that have not ended, each once.
fn live_states(data: &Path) -> Vec<String> {
    let work = std::fs::read_dir(data.join("work")).into_iter().flatten();
    let mut states: Vec<String> = work
        .flatten()
        .map(|entry| state_of(&entry.path()))
        .filter(|state| {
            !["complete", "limit_reached", "aborted", "failed"].contains(&state.as_str())
        })
        .collect();
    states.sort();
    states.dedup();
    if states.is_empty() {
        states.push("idle".to_owned());
    }
    states
}
