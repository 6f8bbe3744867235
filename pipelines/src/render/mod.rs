//! The render process: follows the capture log and makes the output.

pub mod labels;
mod timeline;
