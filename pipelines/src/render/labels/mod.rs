//! Pictures of text: the name on a tile, and the picture shown where a camera is off.
//!
//! Everything is in the canvas's colours: 8-bit I420, BT.601, limited range (black 16, white 235).

mod label;
mod notice;
mod overlay;
mod placeholder;
mod surface;
mod text;

pub use label::label;
pub use notice::notice;
pub use overlay::{I420Mut, Overlay};
pub use placeholder::{I420Picture, PLACEHOLDER_BACKGROUND, placeholder};

/// Why a text could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// fontconfig knows no font at all; Pango would draw nothing.
    #[error(
        "no fonts are installed, so names cannot be drawn: install some, \
         for instance `apt-get install fonts-dejavu-core fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji`"
    )]
    NoFonts,
    /// Cairo refused, in practice for want of memory.
    #[error("cannot draw a text of {width}x{height} pixels: {source}")]
    Draw {
        width: u32,
        height: u32,
        #[source]
        source: pangocairo::cairo::Error,
    },
    /// A side is zero, or larger than any canvas.
    #[error("a text of {width}x{height} pixels cannot be drawn: use 1 to {max} pixels a side", max = surface::MAX_SIDE)]
    Size { width: u32, height: u32 },
}
