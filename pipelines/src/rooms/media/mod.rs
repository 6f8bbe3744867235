//! The media socket: how captures get what the publishers of a room send.
//!
//! The rooms process listens, captures connect, one connection for each. A capture names a room,
//! is told the room's present state, and from then on everything that happens in it. It may ask
//! for key frames and picture sizes. The connection carries [`MediaRequest`] lines one way and the
//! messages of [`wire`] the other.

mod connection;
mod event;
mod queue;
mod request;
mod server;
pub mod wire;

pub use event::*;
pub use request::*;
pub use server::*;
pub use wire::MediaFrame;

pub(crate) use connection::send;
pub(crate) use queue::{Queue, queue};
pub(crate) use wire::encode_event;

/// The version of the messages. Raised when a change is more than an added optional field, event
/// or request.
pub const MEDIA_PROTOCOL_VERSION: u32 = 1;
