use gstreamer_video as gst_video;

use super::canvas::Canvas;
use super::fit::fit;
use super::{Picture, PictureError};
use crate::layout::Rect;
use crate::log::TrackNumber;
use crate::render::labels::{LabelError, Overlay, label, placeholder};
use crate::render::timeline::Tile;

/// One tile on the canvas and what is drawn in it.
pub struct View {
    pub tile: Tile,
    pub place: Rect,
    shown: Shown,
    fitted: Rect,
    converter: Option<Converter>,
    name: Option<Overlay>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    Placeholder,
    Picture(TrackNumber, u64),
}

/// Scales pictures of one format into one place of the canvas.
struct Converter {
    source: gst_video::VideoInfo,
    place: Rect,
    converter: gst_video::VideoConverter,
}

impl View {
    pub fn new(tile: Tile, place: Rect) -> Self {
        Self {
            tile,
            place,
            shown: Shown::Nothing,
            fitted: place,
            converter: None,
            name: None,
        }
    }

    /// Forgets what is drawn, as the canvas was cleared.
    pub fn forget(&mut self) {
        self.shown = Shown::Nothing;
        self.fitted = self.place;
    }

    /// Whether a track's picture is drawn.
    pub fn shows_picture(&self) -> bool {
        matches!(self.shown, Shown::Picture(..))
    }

    /// Draws a track's picture unless it is there already. Returns whether the canvas changed.
    pub fn show(
        &mut self,
        canvas: &mut Canvas,
        track: TrackNumber,
        picture: &Picture,
    ) -> Result<bool, PictureError> {
        let wanted = Shown::Picture(track, picture.serial);
        if self.shown == wanted {
            return Ok(false);
        }
        let fitted = fit(self.place, picture.info.width(), picture.info.height());
        if self.fitted != fitted || !matches!(self.shown, Shown::Picture(..)) {
            canvas.clear(self.place);
            self.fitted = fitted;
        }
        self.shown = wanted;
        self.draw(canvas, picture)?;
        Ok(true)
    }

    /// Draws the tile of somebody without a picture. Returns whether the canvas changed.
    pub fn show_placeholder(&mut self, canvas: &mut Canvas) -> Result<bool, LabelError> {
        if self.shown == Shown::Placeholder {
            return Ok(false);
        }
        self.shown = Shown::Placeholder;
        self.fitted = self.place;
        canvas.clear(self.place);
        let picture = placeholder(&self.tile.label, self.place.width, self.place.height)?;
        canvas.draw(&picture, self.place);
        Ok(true)
    }

    /// Writes the name into the lower left corner of what was drawn; one too long for a narrow
    /// picture into the middle, beyond its edges.
    pub fn write_name(&mut self, canvas: &mut Canvas) -> Result<(), LabelError> {
        // By the size that a camera's picture has in the tile, so that names do not change theirs.
        let camera = self.place.height.min(self.place.width * 9 / 16);
        let height = (camera / 16 + 9).clamp(16, 40) & !1;
        let margin = (height / 4) & !1;
        if self.fitted.height < height + 2 * margin {
            return Ok(());
        }
        let room = self.place.width.saturating_sub(2 * margin);
        if self.name.is_none() {
            self.name = Some(label(&self.tile.label, room, height)?);
        }
        let Some(overlay) = self.name.as_ref().filter(|overlay| !overlay.is_empty()) else {
            return Ok(());
        };
        let top = self.fitted.y + self.fitted.height - margin - overlay.height;
        let left = if overlay.width + 2 * margin <= self.fitted.width {
            self.fitted.x + margin
        } else {
            let line = Rect {
                y: top,
                height: overlay.height,
                ..self.place
            };
            // Or it would be laid upon what it left beside the picture the last time.
            for border in beside(line, self.fitted) {
                canvas.clear(border);
            }
            self.place.x + (((self.place.width - overlay.width) / 2) & !1)
        };
        canvas.blend(overlay, left, top);
        Ok(())
    }

    fn draw(&mut self, canvas: &mut Canvas, picture: &Picture) -> Result<(), PictureError> {
        let failed = |detail: &dyn std::fmt::Display| PictureError::new("scale a picture", detail);
        let fits = |converter: &Converter| {
            converter.source == picture.info && converter.place == self.fitted
        };
        if !self.converter.as_ref().is_some_and(fits) {
            self.converter = Some(converter(&picture.info, canvas.info(), self.fitted)?);
        }
        let Some(Converter { converter, .. }) = &mut self.converter else {
            return Ok(());
        };
        let buffer = picture
            .sample
            .buffer()
            .ok_or_else(|| failed(&"the sample is empty"))?;
        let source = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &picture.info)
            .map_err(|error| failed(&error))?;
        converter.frame_ref(&source, &mut canvas.frame_mut().as_mut_video_frame_ref());
        Ok(())
    }
}

/// What of a line lies left and right of a picture.
fn beside(line: Rect, picture: Rect) -> [Rect; 2] {
    let right = picture.x + picture.width;
    [
        Rect {
            width: picture.x - line.x,
            ..line
        },
        Rect {
            x: right,
            width: line.x + line.width - right,
            ..line
        },
    ]
}

fn converter(
    source: &gst_video::VideoInfo,
    canvas: &gst_video::VideoInfo,
    place: Rect,
) -> Result<Converter, PictureError> {
    let failed = |detail: &dyn std::fmt::Display| PictureError::new("scale a picture", detail);
    // What real-time encoders send is BT.601 whatever its size and label: converting it would
    // change its colours, and costs.
    let target = gst_video::VideoInfo::builder(canvas.format(), canvas.width(), canvas.height())
        .colorimetry(&source.colorimetry())
        .fps(source.fps())
        .build()
        .map_err(|error| failed(&error))?;
    let mut config = gst_video::VideoConverterConfig::new();
    config.set_dest_x(place.x as i32);
    config.set_dest_y(place.y as i32);
    config.set_dest_width(Some(place.width as i32));
    config.set_dest_height(Some(place.height as i32));
    config.set_fill_border(false);
    config.set_threads(1);
    config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
    let converter = gst_video::VideoConverter::new(source, &target, Some(config))
        .map_err(|error| failed(&error))?;
    Ok(Converter {
        source: source.clone(),
        place,
        converter,
    })
}
