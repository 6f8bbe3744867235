//! The control protocol between the server and its kinds of child: newline-delimited JSON
//! over a Unix socket. The child listens, the server connects, as often as it likes.
//!
//! On connect the child sends [`Event::Hello`] and a snapshot; then a snapshot at every change of
//! state and once a second. Commands carry ids, are answered by [`Event::Reply`] and may be
//! repeated. Unknown fields and events are ignored, so that a newer server can drive a child of
//! the version before.

mod messages;
mod whip;

pub use messages::*;
pub use whip::*;

/// The version of the messages. Raised when a change is more than an added optional field.
pub const PROTOCOL_VERSION: u32 = 1;

mod client;
mod lines;
mod replies;
mod server;
mod socket;

pub use client::*;
pub use lines::MAX_LINE_BYTES;
#[cfg(feature = "capture")]
pub(crate) use lines::read_line;
pub use server::*;
pub use socket::{MAX_SOCKET_PATH_BYTES, check_socket_path};
#[cfg(feature = "capture")]
pub(crate) use socket::{SocketFile, is_same_user};
