//! A translucent grey picture and how it is laid over a canvas.

/// The planes of an I420 canvas, to be drawn upon. Sides are even.
pub struct I420Mut<'a> {
    /// Luma, `y_stride` × `height` bytes.
    pub y: &'a mut [u8],
    /// Cb, `chroma_stride` × `height / 2` bytes.
    pub u: &'a mut [u8],
    /// Cr, as `u`.
    pub v: &'a mut [u8],
    /// Bytes from one luma row to the next.
    pub y_stride: usize,
    /// Bytes from one chroma row to the next.
    pub chroma_stride: usize,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
}

/// A grey picture with transparency. Sides are even; both are 0 for an empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// How much of the canvas is covered, 255 all of it; `width` × `height` bytes, row by row.
    pub alpha: Vec<u8>,
    /// Limited-range luma multiplied by alpha: the canvas becomes
    /// `canvas × (255 − alpha) / 255 + luma`. As many bytes as `alpha`.
    pub luma: Vec<u8>,
}

impl Overlay {
    /// Nothing to draw.
    pub const EMPTY: Self = Self {
        width: 0,
        height: 0,
        alpha: Vec::new(),
        luma: Vec::new(),
    };

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Lays the overlay on the canvas with its upper left corner at (`x`, `y`), both rounded down
    /// to even pixels; what is outside the canvas is cut off. The canvas turns grey under it.
    pub fn blend(&self, canvas: &mut I420Mut<'_>, x: u32, y: u32) {
        let (x, y) = (x as usize & !1, y as usize & !1);
        let width = (self.width as usize).min(canvas.width.saturating_sub(x)) & !1;
        let height = (self.height as usize).min(canvas.height.saturating_sub(y)) & !1;
        if width == 0 || height == 0 {
            return;
        }
        let row_of = |row: usize| row * self.width as usize..row * self.width as usize + width;
        for row in 0..height {
            let start = (y + row) * canvas.y_stride + x;
            let target = &mut canvas.y[start..start + width];
            let source = self.alpha[row_of(row)].iter().zip(&self.luma[row_of(row)]);
            for (pixel, (&alpha, &luma)) in target.iter_mut().zip(source) {
                *pixel = fade(*pixel, alpha).saturating_add(luma);
            }
        }
        for row in (0..height).step_by(2) {
            let upper = &self.alpha[row_of(row)];
            let lower = &self.alpha[row_of(row + 1)];
            let start = (y + row) / 2 * canvas.chroma_stride + x / 2;
            for column in 0..width / 2 {
                let alpha = mean_of_four(upper, lower, 2 * column);
                for plane in [&mut *canvas.u, &mut *canvas.v] {
                    let pixel = &mut plane[start + column];
                    *pixel = fade(*pixel, alpha).saturating_add(128 - fade(128, alpha));
                }
            }
        }
    }
}

/// `value × (255 − alpha) / 255`, rounded.
fn fade(value: u8, alpha: u8) -> u8 {
    let product = u32::from(value) * u32::from(255 - alpha);
    ((product + 127) / 255) as u8
}

fn mean_of_four(upper: &[u8], lower: &[u8], column: usize) -> u8 {
    let sum: u32 = [
        upper[column],
        upper[column + 1],
        lower[column],
        lower[column + 1],
    ]
    .into_iter()
    .map(u32::from)
    .sum();
    ((sum + 2) / 4) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A canvas of 8 × 4 in one colour, luma rows padded to 10 bytes.
    struct Canvas {
        y: Vec<u8>,
        u: Vec<u8>,
        v: Vec<u8>,
    }

    impl Canvas {
        fn new() -> Self {
            Self {
                y: vec![100; 40],
                u: vec![60; 8],
                v: vec![200; 8],
            }
        }

        fn view(&mut self) -> I420Mut<'_> {
            I420Mut {
                y: &mut self.y,
                u: &mut self.u,
                v: &mut self.v,
                y_stride: 10,
                chroma_stride: 4,
                width: 8,
                height: 4,
            }
        }
    }

    fn solid(width: u32, height: u32, alpha: u8, luma: u8) -> Overlay {
        let size = (width * height) as usize;
        Overlay {
            width,
            height,
            alpha: vec![alpha; size],
            luma: vec![luma; size],
        }
    }

    #[test]
    fn an_opaque_overlay_replaces_and_turns_grey() {
        let mut canvas = Canvas::new();
        solid(2, 2, 255, 235).blend(&mut canvas.view(), 3, 2);
        assert_eq!(canvas.y[22..24], [235, 235]);
        assert_eq!(canvas.y[32..34], [235, 235]);
        assert_eq!(canvas.y.iter().filter(|&&y| y == 235).count(), 4);
        assert_eq!(canvas.u, [60, 60, 60, 60, 60, 128, 60, 60]);
        assert_eq!(canvas.v, [200, 200, 200, 200, 200, 128, 200, 200]);
    }

    #[test]
    fn a_transparent_overlay_changes_nothing() {
        let mut canvas = Canvas::new();
        solid(8, 4, 0, 0).blend(&mut canvas.view(), 0, 0);
        assert_eq!(
            (canvas.y, canvas.u, canvas.v),
            (vec![100; 40], vec![60; 8], vec![200; 8])
        );
    }

    #[test]
    fn what_is_outside_is_cut_off() {
        let mut canvas = Canvas::new();
        solid(20, 20, 255, 235).blend(&mut canvas.view(), 6, 2);
        solid(2, 2, 255, 235).blend(&mut canvas.view(), 100, 100);
        assert_eq!(canvas.y.iter().filter(|&&y| y == 235).count(), 4);
    }
}
