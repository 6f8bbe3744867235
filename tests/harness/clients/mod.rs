//! Real clients that publish: LiveKit's Python client and its browser client in Chromium.

mod chromium;
mod python;
mod static_files;

pub use chromium::Chromium;
pub use python::{PYTHON_PITCH, PythonPublisher};

use std::path::PathBuf;

/// The folder of the clients' programs.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients")
}
