//! A channel of Agora, taken from the browser host.

mod host;
mod source;
mod speakers;

pub use source::{AgoraSource, Channel};
