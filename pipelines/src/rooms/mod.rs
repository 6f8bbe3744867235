//! The rooms process: it holds the WebRTC connections of all WHIP publishers and hands what they
//! send to the captures that ask for it.

mod host;
pub(crate) mod ids;
mod keyframe_limit;
pub mod media;
pub mod ports;
mod process;
mod room;
mod sdp;
mod session;
mod simulcast;

pub use process::run;
