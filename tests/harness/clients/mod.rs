//! Real clients: LiveKit's Python client, its browser client in Chromium, and a browser for our
//! own pages.

mod browser;
mod chromium;
mod python;
mod static_files;

pub use browser::{Browser, Tab};
pub use chromium::Chromium;
pub use python::{PYTHON_PITCH, PythonPublisher};

use std::path::PathBuf;

/// The folder of the clients' programs.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients")
}
