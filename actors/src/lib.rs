//! The actors that look after recordings: registry, a session per recording, uploader, store.
//! Other crates speak to them through [`Recorder`].

mod api;
mod backoff;
mod clock;
#[cfg(test)]
mod fixtures;
mod folder;
mod manifest;
mod naming;
mod recorder;
mod registry;
mod rooms;
mod services;
mod session;
mod state;
mod supervision;
mod uploader;
mod usage;

pub use api::*;
pub use manifest::*;
pub use recorder::Recorder;
pub use rooms::*;
