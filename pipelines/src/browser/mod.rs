//! The browser host: one headless Chromium with a tab for each channel of Agora that is recorded.
//!
//! Agora's channels can be heard by Agora's own SDK only, and the one that registries have is made
//! for browsers. A tab loads a page of ours with that SDK, joins a channel as one of its audience
//! and sends what it hears as samples. The host hands them to the capture that asked for the
//! channel, over a Unix socket, and replaces tabs and browsers that die.

mod arguments;
mod captures;
mod channel;
mod chromium;
mod devtools;
mod keeper;
mod listening;
mod pages;
mod pcm;
mod process;
mod profile;
mod sdk;
mod visit;

pub use channel::*;
pub use chromium::{BrowserError, find as find_chromium};
pub use process::run;
pub use sdk::find as find_sdk;
