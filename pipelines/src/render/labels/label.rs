//! The name of a participant on a translucent strip.

use pangocairo::pango::{self, EllipsizeMode, Weight};
use unicode_segmentation::UnicodeSegmentation;

use super::surface::{draw, rounded_rectangle, text_layout};
use super::text::one_line;
use super::{LabelError, Overlay};

/// Letters' size, of the strip's height.
const FONT_SIZE: f64 = 0.56;
/// Free space left and right of the text, of the strip's height.
const PADDING: f64 = 0.4;
/// Radius of the strip's corners, of its height.
const CORNER: f64 = 0.28;
/// Opacity of the dark strip.
const STRIP_ALPHA: f64 = 0.55;

/// White text on a translucent dark strip with round corners, `height` pixels high and as wide as
/// the text, at most `max_width` pixels; longer text ends in an ellipsis. `text` may come from
/// anybody: control characters are neutralised and its length is bounded. A text without visible
/// characters, or a strip too small to read, gives [`Overlay::EMPTY`].
///
/// # Errors
/// No font is installed, or the size is beyond any canvas.
pub fn label(text: &str, max_width: u32, height: u32) -> Result<Overlay, LabelError> {
    let line = one_line(text);
    let (max_width, height) = (max_width & !1, height & !1);
    if line.is_empty() || height < 8 || max_width < height {
        return Ok(Overlay::EMPTY);
    }
    let strip = f64::from(height);
    let padding = strip * PADDING;
    let room = f64::from(max_width) - 2.0 * padding;
    let layout = drawable(&line, strip * FONT_SIZE)?;
    layout.set_ellipsize(EllipsizeMode::End);
    layout.set_width((room * f64::from(pango::SCALE)) as i32);
    let (_, logical) = layout.extents();
    let units = f64::from(pango::SCALE);
    let text_width = (f64::from(logical.width()) / units).min(room);
    let text_height = f64::from(logical.height()) / units;
    // Some scripts are far taller than Latin: they are made smaller, never cut.
    let scale = (strip / text_height).min(1.0);
    let width = even_ceil(text_width * scale + 2.0 * padding).min(max_width);
    // Text that runs from right to left is laid out at the far end of the width it was given.
    let left = f64::from(logical.x()) / units;

    let pixels = draw(width, height, |context| {
        rounded_rectangle(context, f64::from(width), strip, strip * CORNER);
        context.set_source_rgba(0.0, 0.0, 0.0, STRIP_ALPHA);
        context.fill()?;
        context.translate(padding, (strip - text_height * scale) / 2.0);
        context.scale(scale, scale);
        context.move_to(-left, 0.0);
        context.set_source_rgb(1.0, 1.0, 1.0);
        pangocairo::functions::show_layout(context, &layout);
        Ok(())
    })?;
    let alpha = pixels.iter().map(|pixel| pixel.alpha).collect();
    let luma = pixels.iter().map(|pixel| pixel.luma()).collect();
    Ok(Overlay {
        width,
        height,
        alpha,
        luma,
    })
}

/// Lays out a line without the signs that no installed font has, which would be boxes; all of it
/// if that would leave nothing of the name.
fn drawable(line: &str, size: f64) -> Result<pango::Layout, LabelError> {
    let laid_out = |text: &str| text_layout(text, size, Weight::Medium);
    let layout = laid_out(line)?;
    if layout.unknown_glyphs_count() == 0 {
        return Ok(layout);
    }
    let mut known = String::new();
    for grapheme in line.graphemes(true) {
        if laid_out(grapheme)?.unknown_glyphs_count() == 0 {
            known.push_str(grapheme);
        }
    }
    let known = one_line(&known);
    if known.chars().any(char::is_alphanumeric) {
        laid_out(&known)
    } else {
        Ok(layout)
    }
}

/// The least even number of pixels that holds `width`.
fn even_ceil(width: f64) -> u32 {
    (width.ceil() as u32).next_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bright_pixels(overlay: &Overlay) -> usize {
        overlay.luma.iter().filter(|&&luma| luma > 150).count()
    }

    #[test]
    fn names_of_any_script_are_drawn_within_the_given_width() {
        for name in [
            "Anna",
            "참가자 이름",
            "مشارك رقم واحد",
            "👩‍💻 Ada",
            "नमस्ते",
            "日本語の名前",
            "שם",
        ] {
            let overlay = label(name, 300, 28).unwrap();
            assert!(
                overlay.width <= 300 && overlay.width.is_multiple_of(2),
                "{name}"
            );
            assert_eq!(overlay.height, 28);
            assert_eq!(overlay.alpha.len(), (overlay.width * 28) as usize);
            assert_eq!(overlay.luma.len(), overlay.alpha.len());
            assert!(bright_pixels(&overlay) > 20, "{name} is not visible");
        }
    }

    #[test]
    fn signs_without_a_font_leave_no_boxes_beside_a_name() {
        // A private-use character, which no font is expected to have.
        let box_only = label("\u{10fff0}", 300, 28).unwrap();
        assert!(bright_pixels(&box_only) > 20, "something stands for a name");
        assert_eq!(
            label("\u{10fff0} Grace \u{10fff0}", 300, 28).unwrap(),
            label("Grace", 300, 28).unwrap()
        );
    }

    #[test]
    fn long_names_are_ellipsised_and_bounded() {
        let long = label(&"very long name ".repeat(100_000), 200, 24).unwrap();
        assert!(long.width <= 200 && long.width > 150);
        let other_end = label(&format!("{}Z", "very long name ".repeat(10)), 200, 24).unwrap();
        assert_eq!(long, other_end);
    }

    #[test]
    fn names_without_visible_characters_make_no_label() {
        for name in ["", "   ", "\n\r\t", "\u{202e}"] {
            assert!(label(name, 300, 28).unwrap().is_empty());
        }
        assert!(label("Anna", 300, 4).unwrap().is_empty());
        assert!(label("Anna", 10, 28).unwrap().is_empty());
    }

    #[test]
    fn control_characters_are_as_spaces() {
        assert_eq!(
            label("a\nb", 300, 28).unwrap(),
            label("a b", 300, 28).unwrap()
        );
    }

    #[test]
    fn the_strip_is_translucent_and_its_corners_are_round() {
        let overlay = label("Anna", 300, 28).unwrap();
        assert!(overlay.alpha[0] < 20);
        let middle_of_left_edge = (14 * overlay.width + 2) as usize;
        assert!((130..150).contains(&overlay.alpha[middle_of_left_edge]));
    }
}
