//! Where media comes from. Every source tells the same story, a stream of [`SourceEvent`]s, so
//! that the capture process does not know whom it is listening to.

mod event;
mod h264_size;
pub mod livekit;
pub mod peer;
mod picture_size;

pub use event::*;
pub use picture_size::picture_size;
