//! Grey pictures and their likeness.

use tapedeck_pipelines::layout::Rect;

/// The luma plane of a picture, or a part of it; rows without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luma {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// `width` × `height` bytes, limited range.
    pub pixels: Vec<u8>,
}

impl Luma {
    /// Cuts a part out; what is outside the picture is left away.
    pub fn crop(&self, rect: Rect) -> Self {
        let left = (rect.x as usize).min(self.width);
        let top = (rect.y as usize).min(self.height);
        let width = (rect.width as usize).min(self.width - left);
        let height = (rect.height as usize).min(self.height - top);
        let rows = self
            .pixels
            .chunks_exact(self.width.max(1))
            .skip(top)
            .take(height);
        let pixels = rows
            .flat_map(|row| &row[left..left + width])
            .copied()
            .collect();
        Self {
            width,
            height,
            pixels,
        }
    }

    /// The picture in another size; each pixel is the mean of what it covers (or the nearest one
    /// where the picture grows).
    pub fn scaled(&self, width: usize, height: usize) -> Self {
        let span = |index: usize, from: usize, to: usize| {
            let start = index * from / to;
            start..((index + 1) * from / to).max(start + 1)
        };
        let mut pixels = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let rows = span(row, self.height, height);
                let columns = span(column, self.width, width);
                let count = (rows.len() * columns.len()) as u32;
                let sum: u32 = rows
                    .flat_map(|y| &self.pixels[y * self.width..][columns.clone()])
                    .map(|&pixel| u32::from(pixel))
                    .sum();
                pixels.push(((sum + count / 2) / count) as u8);
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }
}

/// Mean of the structural similarity (Wang et al. 2004) of two pictures of one size, over windows
/// of 8 × 8 pixels every 4 pixels; 1 for equal pictures.
///
/// # Panics
/// The sizes differ, or are below 8 × 8.
pub fn ssim(one: &Luma, other: &Luma) -> f64 {
    const WINDOW: usize = 8;
    const STEP: usize = 4;
    assert_eq!(
        (one.width, one.height),
        (other.width, other.height),
        "pictures of one size"
    );
    assert!(
        one.width >= WINDOW && one.height >= WINDOW,
        "pictures of at least 8 x 8"
    );
    let mut sum = 0.0;
    let mut windows = 0;
    for top in (0..=one.height - WINDOW).step_by(STEP) {
        for left in (0..=one.width - WINDOW).step_by(STEP) {
            sum += window_ssim(one, other, left, top, WINDOW);
            windows += 1;
        }
    }
    sum / f64::from(windows)
}

fn window_ssim(one: &Luma, other: &Luma, left: usize, top: usize, side: usize) -> f64 {
    let (mut x, mut y, mut xx, mut yy, mut xy) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    for row in top..top + side {
        let start = row * one.width + left;
        let pairs = one.pixels[start..start + side]
            .iter()
            .zip(&other.pixels[start..start + side]);
        for (&a, &b) in pairs {
            let (a, b) = (u32::from(a), u32::from(b));
            x += a;
            y += b;
            xx += a * a;
            yy += b * b;
            xy += a * b;
        }
    }
    let count = (side * side) as f64;
    let (mean_x, mean_y) = (f64::from(x) / count, f64::from(y) / count);
    let variance_x = f64::from(xx) / count - mean_x * mean_x;
    let variance_y = f64::from(yy) / count - mean_y * mean_y;
    let covariance = f64::from(xy) / count - mean_x * mean_y;
    let (c1, c2) = ((0.01_f64 * 255.0).powi(2), (0.03_f64 * 255.0).powi(2));
    ((2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2))
        / ((mean_x * mean_x + mean_y * mean_y + c1) * (variance_x + variance_y + c2))
}
