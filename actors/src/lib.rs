//! The actors that look after recordings: registry, a session per recording, uploader, store.
//! Other crates speak to them through [`Recorder`].

mod api;
mod manifest;
mod rooms;

pub use api::*;
pub use manifest::*;
pub use rooms::*;
