//! One recording: its actor, the machine that decides, and the processes that do the work.

mod actor;
mod child;
mod errands;
mod jobs;
mod journal;
mod machine;
mod messages;
mod status;

pub use actor::{Beginning, RecordingSession};
pub use messages::{Look, SetPaused, Stop};
pub use status::{SessionStatus, StatusSender};
