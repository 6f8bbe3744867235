//! What can be put right without losing anything.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tapedeck_pipelines::log::{LogError, LogReader, Next};

use super::{CheckReport, Finding, Upkeep};
use crate::lock::LockError;
use crate::state::State;

impl Upkeep {
    /// Does what the findings of `report` say under `repair`, and marks what was done.
    ///
    /// # Errors
    /// A server uses the data folder, or the operating system refuses; what was done before stays
    /// marked.
    pub fn repair(&self, report: &mut CheckReport) -> Result<(), LockError> {
        let _lock = self.lock()?;
        for finding in &mut report.findings {
            finding.repaired = match finding.repair {
                Some(_) => self.repair_one(finding)?,
                None => false,
            };
        }
        Ok(())
    }

    fn repair_one(&self, finding: &Finding) -> io::Result<bool> {
        match finding.code {
            "torn_tail" => cut_tail(&finding.path),
            "socket" => fs::remove_file(&finding.path).map(|()| true),
            // Opening makes it anew from the manifests.
            "index" => State::open(self.folder.clone()).map(|(state, _)| state.has_index()),
            _ => Ok(false),
        }
    }
}

/// Cuts off what lies behind the last good record of a log, whose last segment is `segment`.
fn cut_tail(segment: &Path) -> io::Result<bool> {
    let Some(folder) = segment.parent() else {
        return Ok(false);
    };
    let end = end_of(folder).map_err(io::Error::other)?;
    let file = File::options().write(true).open(segment)?;
    if file.metadata()?.len() <= end {
        return Ok(false);
    }
    file.set_len(end)?;
    file.sync_all()?;
    Ok(true)
}

/// Where the last good record of the last segment ends, bytes.
fn end_of(folder: &Path) -> Result<u64, LogError> {
    let mut reader = LogReader::open(folder)?;
    while let Next::Record(_) = reader.next()? {}
    Ok(reader.position().offset)
}
