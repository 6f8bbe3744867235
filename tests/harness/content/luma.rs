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

    /// The picture in another size; each pixel is the mean of the area that it covers.
    pub fn scaled(&self, width: usize, height: usize) -> Self {
        let columns = coverage(self.width, width);
        let rows = coverage(self.height, height);
        let mut narrow = vec![0.0_f32; width * self.height];
        let sources = self.pixels.chunks_exact(self.width.max(1));
        for (source, target) in sources.zip(narrow.chunks_exact_mut(width.max(1))) {
            for (pixel, covered) in target.iter_mut().zip(&columns) {
                *pixel = covered
                    .iter()
                    .map(|&(x, weight)| weight * f32::from(source[x]))
                    .sum();
            }
        }
        let mut pixels = Vec::with_capacity(width * height);
        for covered in &rows {
            pixels.extend((0..width).map(|x| {
                let parts = covered
                    .iter()
                    .map(|&(y, weight)| weight * narrow[y * width + x]);
                parts.sum::<f32>().round() as u8
            }));
        }
        Self {
            width,
            height,
            pixels,
        }
    }
}

/// For each of `to` pixels in a row: which of `from` pixels it covers, and how much of it each is.
fn coverage(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let step = from as f64 / to as f64;
    let covered = |index: usize| {
        let (start, end) = (index as f64 * step, (index + 1) as f64 * step);
        let first = start as usize;
        let last = (end.ceil() as usize).min(from);
        let weight = |pixel: usize| {
            let overlap = end.min((pixel + 1) as f64) - start.max(pixel as f64);
            (overlap.max(0.0) / step) as f32
        };
        (first..last).map(|pixel| (pixel, weight(pixel))).collect()
    };
    (0..to).map(covered).collect()
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
