//! Where media comes from. Every source tells the same story, a stream of [`SourceEvent`]s, so
//! that the capture process does not know whom it is listening to.

mod event;
pub mod livekit;
pub mod peer;

pub use event::*;
