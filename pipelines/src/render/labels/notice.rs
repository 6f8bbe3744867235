//! What is shown while nothing was captured.

use pangocairo::cairo::{self, Context};
use pangocairo::pango::{self, Weight};

use super::placeholder::{BACKGROUND, picture};
use super::surface::{draw, text_layout};
use super::{I420Picture, LabelError};

/// Size of the words, of the picture's shorter side.
const WORDS: f64 = 0.07;
/// Size of the bar between the broken line's ends, of the picture's shorter side.
const SIGN: f64 = 0.16;

/// A broken line and the words "recording interrupted", with the length of the interruption in
/// seconds if it is known, in the look of the placeholders. `width` and `height` are rounded down
/// to even pixels.
///
/// # Errors
/// No font is installed, or the size is zero or beyond any canvas.
pub fn notice(seconds: Option<u64>, width: u32, height: u32) -> Result<I420Picture, LabelError> {
    let (width, height) = (width & !1, height & !1);
    let side = f64::from(width.min(height));
    let words = text_layout("recording interrupted", side * WORDS, Weight::Normal)?;
    let length = seconds
        .map(|seconds| text_layout(&clock(seconds), side * WORDS, Weight::Normal))
        .transpose()?;
    let pixels = draw(width, height, |context| {
        let (red, green, blue) = BACKGROUND;
        context.set_source_rgb(red, green, blue);
        context.paint()?;
        context.translate(f64::from(width) / 2.0, f64::from(height) / 2.0);
        context.set_source_rgb(0.62, 0.64, 0.67);
        broken_line(context, -side * SIGN, side * SIGN)?;
        context.set_source_rgb(0.93, 0.94, 0.95);
        centred(context, &words, side * WORDS);
        if let Some(length) = &length {
            centred(context, length, side * WORDS * 2.6);
        }
        Ok(())
    })?;
    Ok(picture(&pixels, width, height))
}

fn broken_line(context: &Context, top: f64, size: f64) -> Result<(), cairo::Error> {
    context.set_line_width(size * 0.12);
    context.set_line_cap(cairo::LineCap::Round);
    for side in [-1.0, 1.0] {
        context.move_to(side * size * 1.6, top);
        context.line_to(side * size * 0.45, top);
        context.move_to(side * size * 0.2 + size * 0.12, top - size * 0.4);
        context.line_to(side * size * 0.2 - size * 0.12, top + size * 0.4);
    }
    context.stroke()
}

/// Writes a line centred at a height.
fn centred(context: &Context, layout: &pango::Layout, top: f64) {
    let (_, logical) = layout.extents();
    let width = f64::from(logical.width()) / f64::from(pango::SCALE);
    context.move_to(-width / 2.0, top);
    pangocairo::functions::show_layout(context, layout);
}

/// `m:ss`, or `h:mm:ss`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_a_clock() {
        assert_eq!(clock(9), "0:09");
        assert_eq!(clock(754), "12:34");
        assert_eq!(clock(7_265), "2:01:05");
    }

    #[test]
    fn words_and_length_are_there_and_all_sizes_are_drawn() {
        let with = notice(Some(12), 640, 360).unwrap();
        let without = notice(None, 640, 360).unwrap();
        assert_ne!(with, without);
        assert_eq!(with.y.len(), 640 * 360);
        assert_eq!(notice(Some(12), 34, 20).unwrap().y.len(), 34 * 20);
    }
}
