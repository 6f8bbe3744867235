//! Pictures: decoded frames of each track and the canvas they are drawn on.

mod canvas;
mod compositor;
mod fit;
mod luma;
mod track;
mod view;

pub use canvas::Canvas;
pub use compositor::Compositor;
pub use luma::{has_contrast, some_luma};
pub use track::{Picture, VideoTrack};

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {detail}")]
pub struct PictureError {
    pub action: &'static str,
    pub detail: String,
}

impl PictureError {
    pub fn new(action: &'static str, detail: impl std::fmt::Display) -> Self {
        Self {
            action,
            detail: detail.to_string(),
        }
    }
}
