//! Drawing with Cairo and Pango, and reading the pixels back.

use pangocairo::cairo::{self, Antialias, Context, FontOptions, Format, HintMetrics, HintStyle};
use pangocairo::pango::{self, FontDescription, Layout, Weight};
use pangocairo::prelude::*;

use super::LabelError;

/// The longest side of a drawing, pixels.
pub(super) const MAX_SIDE: u32 = 8192;

/// The first families are asked for by name so that every machine that has them draws the same;
/// fontconfig finds a fallback for each character that they lack.
const FONT_FAMILIES: &str = "Noto Sans, DejaVu Sans, Noto Sans CJK KR, sans-serif";

/// One pixel, colours multiplied by alpha.
#[derive(Clone, Copy)]
pub(super) struct Pixel {
    pub(super) alpha: u8,
    pub(super) red: u8,
    pub(super) green: u8,
    pub(super) blue: u8,
}

impl Pixel {
    /// Luma (limited range) times alpha.
    pub(super) fn luma(self) -> u8 {
        let (r, g, b) = self.rgb();
        let full = 0.299 * r + 0.587 * g + 0.114 * b;
        round(16.0 * f32::from(self.alpha) / 255.0 + full * 219.0 / 255.0)
    }

    /// Cb and Cr (limited range) times alpha.
    pub(super) fn chroma(self) -> (f32, f32) {
        let (r, g, b) = self.rgb();
        let middle = 128.0 * f32::from(self.alpha) / 255.0;
        let cb = middle + (-0.168_736 * r - 0.331_264 * g + 0.5 * b) * 224.0 / 255.0;
        let cr = middle + (0.5 * r - 0.418_688 * g - 0.081_312 * b) * 224.0 / 255.0;
        (cb, cr)
    }

    fn rgb(self) -> (f32, f32, f32) {
        (
            f32::from(self.red),
            f32::from(self.green),
            f32::from(self.blue),
        )
    }
}

/// To the nearest value of a byte.
pub(super) fn round(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// Draws on a transparent surface and gives back its pixels, row by row.
pub(super) fn draw(
    width: u32,
    height: u32,
    paint: impl FnOnce(&Context) -> Result<(), cairo::Error>,
) -> Result<Vec<Pixel>, LabelError> {
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(LabelError::Size { width, height });
    }
    pixels(width, height, paint).map_err(|source| LabelError::Draw {
        width,
        height,
        source,
    })
}

fn pixels(
    width: u32,
    height: u32,
    paint: impl FnOnce(&Context) -> Result<(), cairo::Error>,
) -> Result<Vec<Pixel>, cairo::Error> {
    let mut surface = cairo::ImageSurface::create(Format::ARgb32, width as i32, height as i32)?;
    {
        let context = Context::new(&surface)?;
        paint(&context)?;
    }
    surface.flush();
    let stride = surface.stride() as usize;
    let data = surface.data().map_err(|_| cairo::Error::SurfaceFinished)?;
    let rows = data.chunks(stride).take(height as usize);
    Ok(rows
        .flat_map(|row| row.chunks_exact(4).take(width as usize))
        .map(pixel)
        .collect())
}

/// Cairo keeps a pixel as a native-endian word 0xAARRGGBB.
fn pixel(bytes: &[u8]) -> Pixel {
    let word = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let [alpha, red, green, blue] = word.to_be_bytes();
    Pixel {
        alpha,
        red,
        green,
        blue,
    }
}

/// A layout of one line in the product's font, `size` pixels high.
///
/// # Errors
/// [`LabelError::NoFonts`].
pub(super) fn text_layout(text: &str, size: f64, weight: Weight) -> Result<Layout, LabelError> {
    let map = pangocairo::FontMap::default();
    if map.list_families().is_empty() {
        return Err(LabelError::NoFonts);
    }
    let context = map.create_context();
    pangocairo::functions::context_set_font_options(&context, font_options().as_ref());
    let mut font = FontDescription::new();
    font.set_family(FONT_FAMILIES);
    font.set_weight(weight);
    font.set_absolute_size(size * f64::from(pango::SCALE));
    let layout = Layout::new(&context);
    layout.set_font_description(Some(&font));
    layout.set_single_paragraph_mode(true);
    layout.set_text(text);
    Ok(layout)
}

/// Grey edges and no hinting: what is drawn does not depend on the machine's display settings.
fn font_options() -> Option<FontOptions> {
    let mut options = FontOptions::new().ok()?;
    options.set_antialias(Antialias::Gray);
    options.set_hint_style(HintStyle::None);
    options.set_hint_metrics(HintMetrics::Off);
    Some(options)
}

/// Adds a rectangle with round corners to the path.
pub(super) fn rounded_rectangle(context: &Context, width: f64, height: f64, radius: f64) {
    use std::f64::consts::FRAC_PI_2;
    let radius = radius.min(width / 2.0).min(height / 2.0);
    context.new_sub_path();
    let corners = [
        (width - radius, radius),
        (width - radius, height - radius),
        (radius, height - radius),
        (radius, radius),
    ];
    for (index, (x, y)) in corners.into_iter().enumerate() {
        let start = (index as f64 - 1.0) * FRAC_PI_2;
        context.arc(x, y, radius, start, start + FRAC_PI_2);
    }
    context.close_path();
}
