//! How alike a recording is to what was published.

use harness::content::{Luma, Recording, ssim};
use harness::findings::grid;
use serde::Serialize;
use tapedeck_pipelines::layout::Rect;

use crate::case::Case;
use crate::published;
use crate::run::BenchError;

/// Frames of the recording that are compared.
const SAMPLES: usize = 20;
/// The part of a tile that is compared, from above: below it is the name.
const COMPARED: f64 = 0.75;
/// Size in which the picture that is shown is looked for among the published ones.
const THUMBNAIL: (usize, usize) = (64, 36);

/// Structural similarity over all tiles of all compared frames; 1 is the same.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Likeness {
    pub mean: f64,
    pub least: f64,
}

/// Compares frames in the middle of a recording with the published pictures. The larger of the two
/// is scaled to the size of the smaller, so that the scaling to the tile is not counted as a loss.
///
/// # Errors
/// Either cannot be decoded.
pub fn likeness(recording: &Recording, case: &Case) -> Result<Likeness, BenchError> {
    let cameras: Vec<Camera> = (0..case.publishers)
        .zip(grid(case.publishers as usize))
        .map(|(index, tile)| Camera::new(published::pictures(case.format(index))?, tile))
        .collect::<Result<_, BenchError>>()?;
    let frames = recording.video().map_or(0, |video| video.frame_times.len());
    let step = (frames / 2 / SAMPLES).max(1);
    let chosen = frames / 4..frames * 3 / 4;
    let mut index = 0;
    let mut found = Vec::new();
    recording.for_each_frame(|_, picture| {
        if chosen.contains(&index) && index % step == 0 {
            found.extend(cameras.iter().filter_map(|camera| camera.likeness(picture)));
        }
        index += 1;
    })?;
    Ok(Likeness {
        mean: found.iter().sum::<f64>() / found.len().max(1) as f64,
        least: found.iter().copied().fold(1.0, f64::min),
    })
}

/// A publisher's pictures and where they are in the recording.
struct Camera {
    tile: Rect,
    /// In which pictures are compared.
    size: (usize, usize),
    pictures: Vec<Compared>,
}

impl Camera {
    fn new(published: Vec<Luma>, tile: Rect) -> Result<Self, BenchError> {
        let first = published.first().ok_or(BenchError::NothingPublished)?;
        let size = (
            first.width.min(tile.width as usize),
            first.height.min(tile.height as usize),
        );
        let pictures = published
            .iter()
            .map(|picture| Compared::new(picture, size))
            .collect();
        Ok(Self {
            tile,
            size,
            pictures,
        })
    }

    /// Likeness of its tile to the published picture that is shown there.
    fn likeness(&self, picture: &Luma) -> Option<f64> {
        let shown = Compared::new(&picture.crop(self.tile), self.size);
        let published = self
            .pictures
            .iter()
            .min_by_key(|published| shown.difference(published))?;
        Some(ssim(&shown.picture, &published.picture))
    }
}

/// A picture in the size and without the part that are not compared.
struct Compared {
    picture: Luma,
    thumbnail: Luma,
}

impl Compared {
    fn new(picture: &Luma, (width, height): (usize, usize)) -> Self {
        let above_name = Rect {
            x: 0,
            y: 0,
            width: width as u32,
            height: (height as f64 * COMPARED) as u32,
        };
        let scaled = match (picture.width, picture.height) == (width, height) {
            true => picture.crop(above_name),
            false => picture.scaled(width, height).crop(above_name),
        };
        let thumbnail = scaled.scaled(THUMBNAIL.0, THUMBNAIL.1);
        Self {
            picture: scaled,
            thumbnail,
        }
    }

    /// Sum of the squared differences of the thumbnails.
    fn difference(&self, other: &Self) -> u64 {
        let pairs = self.thumbnail.pixels.iter().zip(&other.thumbnail.pixels);
        pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
    }
}
