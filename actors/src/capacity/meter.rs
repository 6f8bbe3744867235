//! What recordings cost, as it is measured while they run.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tapedeck_pipelines::job::OutputSettings;

use super::admission::{Load, shortage};
use super::cost::scale;
use super::{Capacity, Cost, CpuCapacity, DiskCapacity, Kind, Machine, MemoryCapacity};
use crate::{DiskSpace, LiveSession, Manifest, ProcessUsage, StartRequest};

/// What a look before the last one still counts: with a look every 5 s, one of a minute ago a third.
const KEPT: f64 = 0.91;
/// How far a kind's cost moves with each look at a recording of it.
const LEARNT: f64 = 0.1;
/// Before so much was recorded nothing is said of a recording, s: its processes are starting.
const SETTLED_S: f64 = 8.0;

/// Measures recordings, and decides whether another one fits. Shared by the registry, which asks, and
/// by whoever looks at the machine.
#[derive(Debug, Default)]
pub struct Meter {
    /// Percent of the machine's cores; 0 if CPU does not count.
    max_cpu_percent: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    machine: Machine,
    disk: DiskSpace,
    recordings: HashMap<String, Measured>,
    kinds: HashMap<Kind, Cost>,
}

/// A running recording.
#[derive(Debug, Default)]
struct Measured {
    capture: Rate,
    render: Rate,
    written: Rate,
    memory_bytes: u64,
    lag_ms: u64,
}

impl Measured {
    /// Nothing until there is enough to tell.
    fn cost(&self) -> Option<Cost> {
        Some(Cost {
            cores: self.capture.value()? + self.render.value()?,
            memory_bytes: self.memory_bytes,
        })
    }

    fn look(&mut self, session: &LiveSession) {
        let of = |role: &str| session.processes.iter().find(|it| it.role == role);
        let seconds = |ms: u64| ms as f64 / 1_000.0;
        let capture = session.capture.as_ref();
        let render = session.render.as_ref();
        let recorded = capture.map_or(0.0, |capture| seconds(capture.duration_ms));
        let rendered = render.map_or(0.0, |render| seconds(render.position_ms));
        self.capture.look(of("capture"), recorded);
        self.render.look(of("render"), rendered);
        let bytes = capture.map_or(0, |it| it.log_bytes) + render.map_or(0, |it| it.bytes);
        self.written.add(0, bytes as f64, recorded);
        self.memory_bytes = session.processes.iter().map(|it| it.memory_bytes).sum();
        self.lag_ms = match session.manifest.is_live() {
            true => session.lag_ms().unwrap_or_default(),
            false => 0,
        };
    }
}

/// Something that is used up as a recording advances; what is long ago counts less.
#[derive(Debug, Default)]
struct Rate {
    /// Whose, amount and position at the last look.
    last: Option<(u32, f64, f64)>,
    amount: f64,
    advanced_s: f64,
}

impl Rate {
    fn look(&mut self, process: Option<&ProcessUsage>, position_s: f64) {
        if let Some(process) = process {
            self.add(process.pid, process.cpu_seconds, position_s);
        }
    }

    fn add(&mut self, whose: u32, amount: f64, position_s: f64) {
        let Some((known, before, from)) = self.last else {
            self.last = Some((whose, amount, position_s));
            return;
        };
        if known != whose || amount < before || position_s < from {
            // Another process, which begins anew.
            self.last = Some((whose, amount, position_s));
        } else if position_s > from {
            self.amount = self.amount * KEPT + (amount - before);
            self.advanced_s = self.advanced_s * KEPT + (position_s - from);
            self.last = Some((whose, amount, position_s));
        }
    }

    /// The amount for each second of recording.
    fn value(&self) -> Option<f64> {
        (self.advanced_s >= SETTLED_S).then(|| self.amount / self.advanced_s)
    }
}

impl Meter {
    pub fn new(max_cpu_percent: u32) -> Self {
        Self {
            max_cpu_percent,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the machine and all sessions are like now.
    pub fn look(&self, machine: Machine, disk: Option<DiskSpace>, sessions: &[LiveSession]) {
        let mut state = self.state();
        state.machine = machine;
        state.disk = disk.unwrap_or_default();
        state
            .recordings
            .retain(|id, _| sessions.iter().any(|session| session.manifest.id == *id));
        for session in sessions {
            let id = session.manifest.id.clone();
            let measured = state.recordings.entry(id).or_default();
            measured.look(session);
            if let Some(cost) = measured.cost() {
                let kind = Kind::of_recording(&session.manifest);
                let usual = cost.times(1.0 / scale(kind, &session.manifest.output));
                let known = state.kinds.entry(kind).or_insert(usual);
                *known = known.towards(usual, LEARNT);
            }
        }
    }

    /// Tells what is short for `request`, beside `running`: sessions that have not finished.
    pub fn shortage<'a>(
        &self,
        running: impl Iterator<Item = &'a Manifest>,
        request: &StartRequest,
    ) -> Option<String> {
        let state = self.state();
        let kind = Kind::of(Some(request.source), &request.output);
        let wanted = state.expected(kind, &request.output);
        self.short_in(&state, &state.load(running), wanted)
    }

    fn short_in(&self, state: &State, load: &Load, wanted: Cost) -> Option<String> {
        let cores = (self.max_cpu_percent > 0).then(|| self.cores(state));
        shortage(cores, &state.machine, state.disk, load, wanted)
    }

    /// What recordings may use.
    fn cores(&self, state: &State) -> f64 {
        let percent = match self.max_cpu_percent {
            0 => 100,
            percent => percent,
        };
        state.machine.cores * f64::from(percent) / 100.0
    }

    /// What there is beside `running`, for a recording like `usual`.
    pub fn capacity<'a>(
        &self,
        running: impl Iterator<Item = &'a Manifest> + Clone,
        max: usize,
        usual: &OutputSettings,
    ) -> Capacity {
        let state = self.state();
        let load = state.load(running.clone());
        let wanted = state.expected(Kind::of(None, usual), usual);
        let cores = self.cores(&state);
        let (machine, disk) = (state.machine, state.disk);
        let used = running.count();
        Capacity {
            used,
            max,
            cpu: CpuCapacity {
                cores: hundredths(cores),
                used: hundredths(load.taken.cores),
                free: hundredths((cores - load.taken.cores).max(0.0)),
                per_recording: hundredths(wanted.cores),
                lag_ms: load.lag_ms,
            },
            memory: MemoryCapacity {
                total_bytes: machine.total_memory_bytes,
                used_bytes: load.taken.memory_bytes,
                free_bytes: machine
                    .free_memory_bytes
                    .saturating_sub(load.memory_due_bytes),
                per_recording_bytes: wanted.memory_bytes,
            },
            disk: DiskCapacity {
                space: disk,
                growth_bytes_per_second: load.growth_bytes_per_second,
            },
            short_of: match () {
                () if max > 0 && used >= max => Some(format!("recordings: {used} of {max} run")),
                () if disk.is_low() => Some(format!("disk: {disk}")),
                () => self.short_in(&state, &load, wanted),
            },
        }
    }
}

impl State {
    /// What a recording will cost by what others of its kind do.
    fn expected(&self, kind: Kind, output: &OutputSettings) -> Cost {
        let scale = scale(kind, output);
        let known = self.kinds.get(&kind).copied();
        known
            .unwrap_or(kind.usual())
            .times(scale)
            .at_least_of(kind, scale)
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes that a disk takes in a second"
    )]
    fn load<'a>(&self, running: impl Iterator<Item = &'a Manifest>) -> Load {
        let mut load = Load::default();
        for manifest in running {
            let measured = self.recordings.get(&manifest.id);
            let kind = Kind::of_recording(manifest);
            let held = measured.map_or(0, |measured| measured.memory_bytes);
            load.taken.memory_bytes += held;
            // What is sealed is rendered as fast as there is CPU, behind those that are live.
            if !manifest.is_live() {
                continue;
            }
            let cost = match measured.and_then(Measured::cost) {
                Some(cost) => cost.at_least_of(kind, scale(kind, &manifest.output)),
                None => {
                    let cost = self.expected(kind, &manifest.output);
                    load.memory_due_bytes += cost.memory_bytes.saturating_sub(held);
                    cost
                }
            };
            load.taken.cores += cost.cores;
            if let Some(measured) = measured {
                load.lag_ms = load.lag_ms.max(measured.lag_ms);
                let written = measured.written.value().unwrap_or_default();
                load.growth_bytes_per_second += written as u64;
            }
        }
        load
    }
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use tapedeck_pipelines::control::{CaptureSnapshot, RenderSnapshot};

    use super::*;
    use crate::RecordingState;
    use crate::fixtures::{manifest, request};

    const MACHINE: Machine = Machine {
        cores: 2.0,
        total_memory_bytes: 4_000_000_000,
        free_memory_bytes: 3_000_000_000,
    };

    fn recording(id: &str) -> Manifest {
        Manifest {
            id: id.into(),
            state: RecordingState::Active,
            ..manifest()
        }
    }

    /// A recording after `seconds`, of which so much is rendered, each second of it for `cost`
    /// seconds of CPU.
    fn session(id: &str, seconds: u64, rendered: u64, cost: f64) -> LiveSession {
        let process = |role, cpu_seconds| ProcessUsage {
            role,
            pid: 7,
            cpu_seconds,
            cpu_cores: 0.0,
            memory_bytes: 50_000_000,
            threads: 3,
        };
        LiveSession {
            manifest: recording(id),
            capture: Some(CaptureSnapshot {
                duration_ms: seconds * 1_000,
                log_bytes: seconds * 300_000,
                ..CaptureSnapshot::default()
            }),
            render: Some(RenderSnapshot {
                position_ms: rendered * 1_000,
                ..RenderSnapshot::default()
            }),
            processes: vec![
                process("capture", 0.02 * seconds as f64),
                process("render", cost * rendered as f64),
            ],
        }
    }

    fn meter(percent: u32, looks: impl Iterator<Item = Vec<LiveSession>>) -> Meter {
        let meter = Meter::new(percent);
        for sessions in looks {
            meter.look(MACHINE, None, &sessions);
        }
        meter
    }

    #[test]
    fn a_start_is_refused_when_what_runs_needs_the_cores() {
        let looks = |cost| (0..12).map(move |look| vec![session("EG_a", look * 5, look * 5, cost)]);
        let running = [recording("EG_a")];
        let told = |cost| meter(100, looks(cost)).shortage(running.iter(), &request("x"));
        assert_eq!(told(0.5), None);
        let refused = told(1.2).unwrap();
        assert!(
            refused.starts_with("CPU: 1.22 cores are needed, 0.78 of 2.00 are free"),
            "{refused}"
        );
        let off = meter(0, looks(1.2)).shortage(running.iter(), &request("x"));
        assert_eq!(off, None);
    }

    #[test]
    fn a_render_that_gets_no_cpu_costs_no_less() {
        // It gets through a third of what is recorded.
        let looks = (0..12).map(|look| vec![session("EG_a", look * 6, look * 2, 0.9)]);
        let capacity =
            meter(100, looks).capacity([recording("EG_a")].iter(), 8, &manifest().output);
        assert!((capacity.cpu.used - 0.92).abs() < 0.02, "{capacity:?}");
        assert_eq!(capacity.cpu.lag_ms, 44_000);
        let short = capacity.short_of.unwrap();
        assert!(short.contains("44 s behind"), "{short}");
    }

    #[test]
    fn gaps_that_are_cut_are_no_lag() {
        let look = |look: u64| {
            let mut session = session("EG_a", 600 + look * 5, look * 5, 0.3);
            let render = session.render.as_mut().expect("one");
            render.left_out_ms = 600_000;
            vec![session]
        };
        let meter = meter(100, (0..12).map(look));
        let running = [recording("EG_a")];
        assert_eq!(meter.shortage(running.iter(), &request("x")), None);
    }

    #[test]
    fn starts_in_flight_count() {
        let meter = meter(100, std::iter::once(Vec::new()));
        let mut starting: Vec<Manifest> = Vec::new();
        while meter.shortage(starting.iter(), &request("x")).is_none() {
            let mut manifest = recording(&format!("EG_{}", starting.len()));
            manifest.state = RecordingState::Starting;
            starting.push(manifest);
            assert!(starting.len() < 100, "nothing is ever short");
        }
        // 0.25 core each.
        assert_eq!(starting.len(), 8);
    }

    #[test]
    fn what_is_sealed_needs_no_core_of_its_own() {
        let mut sealed = recording("EG_a");
        sealed.state = RecordingState::Ending;
        sealed.ended_at = Some(5);
        let looks = (0..12).map(|look| vec![session("EG_a", look * 5, look * 5, 1.9)]);
        let capacity = meter(100, looks).capacity([sealed].iter(), 0, &manifest().output);
        assert_eq!((capacity.used, capacity.cpu.used), (1, 0.0));
        // What it cost is remembered for the next of its kind.
        assert!(capacity.cpu.per_recording > 1.5, "{capacity:?}");
    }

    #[test]
    fn a_process_that_was_started_again_is_measured_on() {
        let mut rate = Rate::default();
        for look in 0..5_u32 {
            rate.add(1, f64::from(look), f64::from(look) * 5.0);
        }
        let before = rate.value().unwrap();
        // The next one has used little, and stands elsewhere.
        rate.add(2, 0.1, 3.0);
        rate.add(2, 1.1, 8.0);
        assert!((rate.value().unwrap() - before).abs() < 0.01);
    }
}
