//! A child process as the server holds it.

use std::time::Duration;

use tokio::process::Child;
use tokio::time::sleep;

use super::processes::ProcessId;

/// Between two looks at a process that is not our child.
const POLL: Duration = Duration::from_millis(250);

/// A child, whoever started it.
pub enum Process {
    /// Our child, to be reaped by us.
    Own(Child),
    /// Started by an earlier server or session.
    Adopted(ProcessId),
}

impl Process {
    /// Its number, until it has been waited for.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Own(child) => child.id(),
            Self::Adopted(process) => Some(process.pid),
        }
    }

    /// Waits until it has ended; tells how. May be called again after it was dropped.
    pub async fn ended(&mut self) -> String {
        match self {
            Self::Own(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => format!("it cannot be waited for: {error}"),
            },
            Self::Adopted(process) => {
                while process.is_alive() {
                    sleep(POLL).await;
                }
                "it ended by itself".into()
            }
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        match self {
            Self::Own(child) => {
                if let Err(error) = child.start_kill() {
                    log::warn!("cannot kill a child: {error}");
                }
            }
            Self::Adopted(process) => process.kill(),
        }
    }
}
