//! The moving picture between the flashes.

use super::VideoFormat;

/// How much there is to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// An even colour with a square that wanders.
    Flat,
    /// A texture that moves everywhere, with noise as of a camera.
    Busy,
}

/// Luma of the flash.
const WHITE: u8 = 235;

/// Paints frame `index` of a loop as tightly packed I420. The picture apart from the flashes is of
/// moderate brightness: luma 40 to 140.
pub fn paint(format: &VideoFormat, index: u32) -> Vec<u8> {
    let (width, height) = (format.width as usize, format.height as usize);
    let chroma_size = width.div_ceil(2) * height.div_ceil(2);
    let mut picture = vec![128u8; width * height + 2 * chroma_size];
    let (luma, chroma) = picture.split_at_mut(width * height);
    if index % format.frame_rate < format.flash_frames() {
        luma.fill(WHITE);
        return picture;
    }
    let (u, v) = chroma.split_at_mut(chroma_size);
    let angle = f64::from(format.hue).to_radians();
    u.fill((128.0 + 50.0 * angle.cos()) as u8);
    v.fill((128.0 + 50.0 * angle.sin()) as u8);
    match format.pattern {
        Pattern::Flat => luma.fill(80),
        Pattern::Busy => texture(luma, width, index as usize),
    }
    square(luma, format, index);
    picture
}

fn texture(luma: &mut [u8], width: usize, index: usize) {
    for (y, row) in luma.chunks_exact_mut(width).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let waves = triangle(x + 3 * index) + triangle(2 * y + 5 * index) + triangle(x + y);
            let noise = hash(x as u32, y as u32, index as u32) & 7;
            *pixel = 45 + (waves / 3) as u8 + noise as u8;
        }
    }
}

/// A wave between 0 and 63.
fn triangle(position: usize) -> usize {
    let step = position % 128;
    if step < 64 { step } else { 127 - step }
}

/// Noise that is the same in every run.
fn hash(x: u32, y: u32, index: u32) -> u32 {
    let mut value = x
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add(y.wrapping_mul(0x85EB_CA77))
        .wrapping_add(index.wrapping_mul(0xC2B2_AE3D));
    value ^= value >> 15;
    value = value.wrapping_mul(0x2C1B_3C6D);
    value ^ (value >> 13)
}

/// A square that crosses the picture once per loop.
fn square(luma: &mut [u8], format: &VideoFormat, index: u32) {
    let (width, height) = (format.width as usize, format.height as usize);
    let side = height / 4;
    let left = (width - side) * index as usize / format.loop_frames() as usize;
    let top = (height - side) / 2;
    for row in luma.chunks_exact_mut(width).skip(top).take(side) {
        row[left..left + side].fill(130);
    }
}
