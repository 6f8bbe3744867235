//! A room of our own rooms process, taken from its media socket.

mod connection;
mod join;
mod room;
mod source;

pub use source::WhipSource;
