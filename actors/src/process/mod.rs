//! Child processes: how they are started, found again and ended.

mod connection;
mod handle;
mod proc;

pub use connection::{Connection, POLL, connect};
pub use handle::{Ending, Process};
pub use proc::{Status, find};
pub use tapedeck_pipelines::process::Launch;

use std::time::Duration;

use tapedeck_pipelines::control::Role;

/// How long a child may take to do what it was asked before it is killed.
pub const REACTION_TIME: Duration = Duration::from_secs(5);

/// The argument by which a recording's child is told what to be.
pub fn subcommand(role: Role) -> &'static str {
    match role {
        Role::Capture => "capture",
        Role::Render => "render",
    }
}
