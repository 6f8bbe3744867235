//! What both child processes share: the job on standard input, the journal, where output goes,
//! priority and clocks.

mod clock;
mod random;

pub use clock::*;
pub use random::*;
