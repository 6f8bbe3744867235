//! Where media comes from. Every source tells the same story, a stream of [`SourceEvent`]s, so
//! that the capture process does not know whom it is listening to.

pub mod agora;
mod event;
mod h264_size;
mod link;
pub mod livekit;
pub mod peer;
mod picture_size;
mod room_source;
pub mod whip;

pub use event::*;
pub use picture_size::picture_size;
pub use room_source::RoomSource;
