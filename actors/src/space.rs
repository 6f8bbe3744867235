//! Room on the disk of the data folder.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// What is free on the disk of the data folder, and what must be for a recording to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskSpace {
    /// Bytes that this user can still write.
    pub free_bytes: u64,
    pub needed_bytes: u64,
}

impl DiskSpace {
    /// Whether no recording is begun.
    pub fn is_low(self) -> bool {
        self.free_bytes < self.needed_bytes
    }
}

impl fmt::Display for DiskSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} MB are free on the disk of the data folder, {} MB are needed for a recording to \
             begin: make room there, or lower data.min_free_mb",
            self.free_bytes / 1_000_000,
            self.needed_bytes / 1_000_000
        )
    }
}
