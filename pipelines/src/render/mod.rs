//! The render process: follows the capture log and makes the output.

pub mod labels;
pub mod mp4;
mod timeline;
