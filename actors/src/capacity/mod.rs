//! What the machine has for recordings, what they take of it, and whether another one fits.

mod admission;
mod cost;
mod machine;
mod meter;

use schemars::JsonSchema;
use serde::Serialize;

pub use cost::{Cost, Kind};
pub use machine::Machine;
pub use meter::Meter;

use crate::DiskSpace;

/// How much there is, how much is taken, and what one more recording of the usual kind would take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Recordings that are live or being rendered.
    pub used: usize,
    /// The configured ceiling; 0 for none.
    pub max: usize,
    pub cpu: CpuCapacity,
    pub memory: MemoryCapacity,
    pub disk: DiskCapacity,
    /// Why a recording of the usual kind would not be started now; null if it would.
    pub short_of: Option<String>,
}

/// CPU, in cores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CpuCapacity {
    /// What this server may use: its cores, or less if its control group or
    /// `recording.max_cpu_percent` says so.
    pub cores: f64,
    /// What running recordings need to keep up.
    pub used: f64,
    pub free: f64,
    /// What another recording of the usual kind is expected to need.
    pub per_recording: f64,
    /// How far the render that is furthest behind is behind its live recording, ms.
    pub lag_ms: u64,
}

/// Memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryCapacity {
    /// What the machine, or the control group, has.
    pub total_bytes: u64,
    /// What the processes of recordings hold.
    pub used_bytes: u64,
    pub free_bytes: u64,
    /// What another recording of the usual kind is expected to need.
    pub per_recording_bytes: u64,
}

/// The disk of the data folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskCapacity {
    #[serde(flatten)]
    pub space: DiskSpace,
    /// What running recordings write in a second, logs and files together.
    pub growth_bytes_per_second: u64,
}
