//! A room on a LiveKit or OpenVidu server.

mod address;
mod leave;
mod negotiation;
mod recovery;
mod room;
mod session;
mod signal;

pub use session::LivekitSource;
