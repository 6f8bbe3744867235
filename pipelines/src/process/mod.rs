//! What both child processes share: the job on standard input, the journal, where output goes,
//! logging, priority and clocks.

mod clock;
mod confine;
mod job_input;
mod journal;
mod launch;
mod logging;
mod output;
mod priority;
mod random;
#[cfg(feature = "capture")]
mod start;

pub use clock::*;
pub use confine::*;
pub use job_input::*;
pub use journal::*;
pub use launch::*;
pub use logging::*;
pub use output::*;
pub use priority::*;
pub use random::*;
#[cfg(feature = "capture")]
pub use start::*;
