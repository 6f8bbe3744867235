//! A child process as the server holds it.

use std::time::Duration;

use tokio::process::Child;
use tokio::time::sleep;

use super::proc::ProcessId;

/// Between two looks at a process that is not our child.
const POLL: Duration = Duration::from_millis(250);

/// A child, whoever started it.
pub enum Process {
    /// Our child, to be reaped by us.
    Own(Child),
    /// Started by an earlier server or session.
    Adopted(ProcessId),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// In words.
    pub detail: String,
    /// Whether it failed; unknown of a process that is not our child.
    pub failed: Option<bool>,
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
    pub async fn ended(&mut self) -> Ending {
        match self {
            Self::Own(child) => match child.wait().await {
                Ok(status) => Ending {
                    detail: status.to_string(),
                    failed: Some(!status.success()),
                },
                Err(error) => Ending {
                    detail: format!("it cannot be waited for: {error}"),
                    failed: None,
                },
            },
            Self::Adopted(process) => {
                while process.is_alive() {
                    sleep(POLL).await;
                }
                Ending {
                    detail: "it ended by itself".into(),
                    failed: None,
                }
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
