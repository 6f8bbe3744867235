//! What is shown where a camera is off.

use pangocairo::cairo::Context;
use pangocairo::pango::{self, Weight};

use super::LabelError;
use super::surface::{Pixel, draw, round, text_layout};
use super::text::initial;

/// An I420 picture without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct I420Picture {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Luma, `width` × `height` bytes.
    pub y: Vec<u8>,
    /// Cb, a quarter as many bytes.
    pub u: Vec<u8>,
    /// Cr, as `u`.
    pub v: Vec<u8>,
}

/// Y, Cb and Cr of the area around a placeholder's disc.
pub const PLACEHOLDER_BACKGROUND: [u8; 3] = [48, 130, 127];

/// The same as red, green and blue.
pub(super) const BACKGROUND: (f64, f64, f64) = (0.139, 0.148, 0.162);
/// Colours of the disc; a name always gets the same one.
const DISCS: [(f64, f64, f64); 8] = [
    (0.33, 0.42, 0.58),
    (0.30, 0.48, 0.45),
    (0.47, 0.40, 0.57),
    (0.55, 0.40, 0.36),
    (0.36, 0.46, 0.33),
    (0.53, 0.38, 0.48),
    (0.30, 0.45, 0.54),
    (0.50, 0.44, 0.31),
];
/// The disc's diameter, of the tile's shorter side.
const DISC: f64 = 0.46;
/// Size of the letter, of the disc's diameter.
const LETTER: f64 = 0.48;

/// The picture of a participant without a camera: the name's first letter on a disc in the middle
/// of a calm dark area; the outline of a person where the name has no letter, or none that the
/// installed fonts know. `width` and `height` are rounded down to even pixels.
///
/// # Errors
/// No font is installed, or the size is zero or beyond any canvas.
pub fn placeholder(name: &str, width: u32, height: u32) -> Result<I420Picture, LabelError> {
    let (width, height) = (width & !1, height & !1);
    let diameter = f64::from(width.min(height)) * DISC;
    let letter = initial(name)
        .map(|text| text_layout(&text, diameter * LETTER, Weight::Normal))
        .transpose()?
        .filter(|layout| layout.unknown_glyphs_count() == 0);
    let pixels = draw(width, height, |context| {
        let (red, green, blue) = BACKGROUND;
        context.set_source_rgb(red, green, blue);
        context.paint()?;
        context.translate(f64::from(width) / 2.0, f64::from(height) / 2.0);
        let (red, green, blue) = DISCS[disc_of(name)];
        context.set_source_rgb(red, green, blue);
        disc(context, diameter / 2.0)?;
        context.set_source_rgb(0.93, 0.94, 0.95);
        match &letter {
            Some(layout) => centred(context, layout, diameter),
            None => person(context, diameter)?,
        }
        Ok(())
    })?;
    Ok(picture(&pixels, width, height))
}

fn disc(context: &Context, radius: f64) -> Result<(), pangocairo::cairo::Error> {
    context.new_path();
    context.arc(0.0, 0.0, radius, 0.0, std::f64::consts::TAU);
    context.fill()
}

/// Draws the ink of a text in the middle, small enough for the disc.
fn centred(context: &Context, layout: &pango::Layout, diameter: f64) {
    let (ink, _) = layout.extents();
    let units = f64::from(pango::SCALE);
    let (width, height) = (
        f64::from(ink.width()) / units,
        f64::from(ink.height()) / units,
    );
    let scale = (diameter * 0.62 / width.max(height).max(1.0)).min(1.0);
    context.scale(scale, scale);
    let left = f64::from(ink.x()) / units + width / 2.0;
    let top = f64::from(ink.y()) / units + height / 2.0;
    context.move_to(-left, -top);
    pangocairo::functions::show_layout(context, layout);
}

/// Head and shoulders, inside the disc.
fn person(context: &Context, diameter: f64) -> Result<(), pangocairo::cairo::Error> {
    context.arc(0.0, 0.0, diameter / 2.0, 0.0, std::f64::consts::TAU);
    context.clip();
    context.arc(
        0.0,
        -diameter * 0.11,
        diameter * 0.16,
        0.0,
        std::f64::consts::TAU,
    );
    context.fill()?;
    context.arc(
        0.0,
        diameter * 0.42,
        diameter * 0.29,
        0.0,
        std::f64::consts::TAU,
    );
    context.fill()
}

/// The same number for the same name, whichever machine or run (FNV-1a).
fn disc_of(name: &str) -> usize {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash as usize % DISCS.len()
}

/// Pixels of a drawing without transparent parts, of even sides.
pub(super) fn picture(pixels: &[Pixel], width: u32, height: u32) -> I420Picture {
    let columns = width as usize;
    let y = pixels.iter().map(|pixel| pixel.luma()).collect();
    let mut u = Vec::with_capacity(pixels.len() / 4);
    let mut v = Vec::with_capacity(pixels.len() / 4);
    for rows in pixels.chunks_exact(2 * columns) {
        let (upper, lower) = rows.split_at(columns);
        for (upper, lower) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
            let block = upper.iter().chain(lower).map(|pixel| pixel.chroma());
            let (cb, cr) = block.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            u.push(round(cb / 4.0));
            v.push(round(cr / 4.0));
        }
    }
    I420Picture {
        width,
        height,
        y,
        u,
        v,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disc_is_in_the_middle_of_the_named_background() {
        let picture = placeholder("참가자 이름", 640, 360).unwrap();
        assert_eq!(
            (picture.y.len(), picture.u.len(), picture.v.len()),
            (230_400, 57_600, 57_600)
        );
        assert_eq!(
            [picture.y[0], picture.u[0], picture.v[0]],
            PLACEHOLDER_BACKGROUND
        );
        let changed = |row: usize| {
            let row = &picture.y[row * 640..(row + 1) * 640];
            row.iter()
                .filter(|&&y| y != PLACEHOLDER_BACKGROUND[0])
                .count()
        };
        assert_eq!((changed(20), changed(340)), (0, 0));
        assert!((155..175).contains(&changed(180)), "{}", changed(180));
    }

    #[test]
    fn names_differ_and_repeat() {
        let of = |name| placeholder(name, 320, 180).unwrap();
        assert_eq!(of("Anna"), of("Anna"));
        assert_ne!(of("Anna"), of("Bert"));
        assert_ne!(of(""), of("Anna"));
    }

    #[test]
    fn odd_and_tiny_tiles_are_drawn_and_empty_ones_refused() {
        assert_eq!(placeholder("A", 33, 21).unwrap().y.len(), 32 * 20);
        assert_eq!(placeholder("A", 2, 2).unwrap().y.len(), 4);
        assert!(matches!(
            placeholder("A", 0, 10),
            Err(LabelError::Size { .. })
        ));
    }
}
