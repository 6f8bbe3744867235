//! What is seen in one rectangle of the picture.

use tapedeck_pipelines::layout::Rect;

use super::Stretch;

/// Mean luma of a tile's inner half above which it flashes: publishers' pictures stay below 140,
/// their flashes are at 235.
const FLASH_LUMA: f32 = 185.0;
/// Luma of letters; nothing else outside a flash is as bright.
const LETTER_LUMA: u8 = 180;
/// Letters' pixels that make a label.
const LABEL_PIXELS: u32 = 12;
/// Luma around the disc of a camera that is off.
const PLACEHOLDER_LUMA: f32 = 48.0;
/// Blocks per side that are compared from frame to frame.
const GRID: usize = 8;
/// Change of a block's mean luma from which on the picture moves: above what coding does to a
/// still picture.
const MOTION_LUMA: f32 = 1.0;

/// A tile in one frame of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TileFrame {
    /// Presentation time, s.
    pub time: f64,
    /// Mean luma of the inner half.
    pub luma: f32,
    /// The greatest change of any of 8 × 8 blocks' mean luma since the frame before.
    pub change: f32,
    /// Pixels as bright as letters in the lowest quarter.
    pub letter_pixels: u32,
    /// Mean luma of the upper edge.
    pub edge_luma: f32,
    /// Difference of the lightest and the darkest pixel of the upper edge.
    pub edge_contrast: u8,
}

impl TileFrame {
    /// Whether the tile is white.
    pub fn flashes(&self) -> bool {
        self.luma > FLASH_LUMA
    }

    /// Whether it is the picture of a camera that is off: its plain background at the upper edge,
    /// something lighter in the middle.
    pub fn is_placeholder(&self) -> bool {
        (self.edge_luma - PLACEHOLDER_LUMA).abs() < 6.0
            && self.edge_contrast < 16
            && self.luma > self.edge_luma + 4.0
            && self.luma < FLASH_LUMA
    }

    /// Whether bright letters are in the lowest quarter. Cannot be told while it flashes.
    pub fn has_label(&self) -> bool {
        !self.flashes() && self.letter_pixels >= LABEL_PIXELS
    }
}

/// A rectangle of the picture over the whole file.
#[derive(Clone, Debug)]
pub struct Tile {
    pub rect: Rect,
    /// In order of presentation.
    pub frames: Vec<TileFrame>,
}

impl Tile {
    /// The times at which a flash begins, s.
    pub fn flashes(&self) -> Vec<f64> {
        let mut before = true;
        let mut times = Vec::new();
        for frame in &self.frames {
            if frame.flashes() && !before {
                times.push(frame.time);
            }
            before = frame.flashes();
        }
        times
    }

    /// The stretches of at least `least` seconds in which nothing moves. The last one ends with
    /// the last frame.
    pub fn frozen(&self, least: f64) -> Vec<Stretch> {
        self.stretches(|frame| frame.change < MOTION_LUMA, least)
    }

    /// The stretches in which it shows the picture of a camera that is off.
    pub fn placeholders(&self) -> Vec<Stretch> {
        self.stretches(TileFrame::is_placeholder, 0.0)
    }

    /// The part of frames that carry a name, of those in which that can be told; 0 if there are
    /// none.
    pub fn labelled(&self) -> f64 {
        let told = self.frames.iter().filter(|frame| !frame.flashes());
        let (mut with, mut all) = (0.0, 0.0);
        for frame in told {
            all += 1.0;
            with += f64::from(u8::from(frame.has_label()));
        }
        if all == 0.0 { 0.0 } else { with / all }
    }

    /// Mean luma of the inner half at a time: of the last frame not after it.
    pub fn luma_at(&self, time: f64) -> Option<f32> {
        let after = self.frames.partition_point(|frame| frame.time <= time);
        Some(self.frames.get(after.checked_sub(1)?)?.luma)
    }

    /// Frames that hold from one to the next count as the time between them.
    fn stretches(&self, holds: impl Fn(&TileFrame) -> bool, least: f64) -> Vec<Stretch> {
        let mut found: Vec<Stretch> = Vec::new();
        let mut open: Option<Stretch> = None;
        let mut previous = self.frames.first().map_or(0.0, |frame| frame.time);
        for frame in &self.frames {
            if holds(frame) {
                let start = open.map_or(previous, |stretch| stretch.start);
                open = Some(Stretch {
                    start,
                    end: frame.time,
                });
            } else {
                found.extend(open.take());
            }
            previous = frame.time;
        }
        found.extend(open);
        found.retain(|stretch| stretch.seconds() >= least);
        found
    }
}

/// Looks at a tile frame by frame.
pub struct TileObserver {
    tile: Tile,
    previous: Option<Vec<f32>>,
}

impl TileObserver {
    /// For a rectangle that lies within the picture.
    pub fn new(rect: Rect) -> Self {
        Self {
            tile: Tile {
                rect,
                frames: Vec::new(),
            },
            previous: None,
        }
    }

    /// Takes the next frame: luma rows of `stride` bytes, the rectangle inside.
    pub fn observe(&mut self, time: f64, luma: &[u8], stride: usize) {
        let view = View {
            luma,
            stride,
            rect: self.tile.rect,
        };
        let Rect { width, height, .. } = self.tile.rect;
        let blocks = view.block_means();
        let change = self.previous.as_ref().map_or(f32::INFINITY, |previous| {
            let changes = previous
                .iter()
                .zip(&blocks)
                .map(|(one, other)| (one - other).abs());
            changes.fold(0.0, f32::max)
        });
        let inner = Rect {
            x: width / 4,
            y: height / 4,
            width: width / 2,
            height: height / 2,
        };
        let lowest = Rect {
            x: 0,
            y: height - height / 4,
            width,
            height: height / 4,
        };
        // A margin keeps away what coding carries over from the neighbour.
        let margin = (height / 32).max(2);
        let edge = Rect {
            x: margin,
            y: margin,
            width: width.saturating_sub(2 * margin),
            height: (height / 16).max(1),
        };
        let letters = view.pixels(lowest).filter(|&pixel| pixel >= LETTER_LUMA);
        let edge_pixels = || view.pixels(edge);
        let (low, high) = edge_pixels().fold((u8::MAX, 0), |(low, high), pixel| {
            (low.min(pixel), high.max(pixel))
        });
        self.tile.frames.push(TileFrame {
            time,
            luma: mean(view.pixels(inner)),
            change,
            letter_pixels: letters.count() as u32,
            edge_luma: mean(edge_pixels()),
            edge_contrast: high.saturating_sub(low),
        });
        self.previous = Some(blocks);
    }

    /// All that was seen.
    pub fn finish(self) -> Tile {
        self.tile
    }
}

/// A tile of one frame.
struct View<'a> {
    luma: &'a [u8],
    stride: usize,
    rect: Rect,
}

impl<'a> View<'a> {
    /// The pixels of a part, given relative to the tile.
    fn pixels(&self, part: Rect) -> impl Iterator<Item = u8> + use<'a> {
        let left = (self.rect.x + part.x) as usize;
        let top = (self.rect.y + part.y) as usize;
        let (luma, stride, width) = (self.luma, self.stride, part.width as usize);
        (top..top + part.height as usize)
            .flat_map(move |row| &luma[row * stride + left..row * stride + left + width])
            .copied()
    }

    fn block_means(&self) -> Vec<f32> {
        let (width, height) = (
            self.rect.width as usize / GRID,
            self.rect.height as usize / GRID,
        );
        let block = |index: usize| Rect {
            x: (index % GRID * width) as u32,
            y: (index / GRID * height) as u32,
            width: width as u32,
            height: height as u32,
        };
        (0..GRID * GRID)
            .map(|index| mean(self.pixels(block(index))))
            .collect()
    }
}

fn mean(pixels: impl Iterator<Item = u8>) -> f32 {
    let (sum, count) = pixels.fold((0_u64, 0_u64), |(sum, count), pixel| {
        (sum + u64::from(pixel), count + 1)
    });
    if count == 0 {
        0.0
    } else {
        sum as f32 / count as f32
    }
}
