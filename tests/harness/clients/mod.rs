//! Real clients: LiveKit's Python client, its browser client and a WHIP client in Chromium, and a
//! browser for our own pages.

mod browser;
mod chromium;
mod python;
mod static_files;
mod whip;

pub use browser::{Browser, Tab};
pub use chromium::Chromium;
pub use python::{PYTHON_PITCH, PythonPublisher};
pub use whip::WhipPage;

use static_files::StaticFiles;
use std::path::PathBuf;

/// The folder of the clients' programs.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients")
}
