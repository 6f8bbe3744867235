use super::canvas::Canvas;
use super::view::View;
use super::{Picture, PictureError};
use crate::layout::Rect;
use crate::layout::arrange;
use crate::log::TrackNumber;
use crate::render::labels::{LabelError, notice};
use crate::render::timeline::{Notice, Scene};

/// Keeps the canvas as the room looks like, drawing only what changed.
pub struct Compositor {
    canvas: Canvas,
    /// Screen shares, then participants.
    views: Vec<View>,
    /// What hides the room.
    notice: Option<Notice>,
    /// Whether it is drawn, if there is one.
    notice_drawn: bool,
    label_error: Option<LabelError>,
}

impl Compositor {
    /// An empty canvas of even sides.
    pub fn new(width: u32, height: u32) -> Result<Self, PictureError> {
        Ok(Self {
            canvas: Canvas::new(width, height)?,
            views: Vec::new(),
            notice: None,
            notice_drawn: false,
            label_error: None,
        })
    }

    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// Takes over who is in the room. Returns whether places changed, so that all is drawn anew.
    pub fn arrange(&mut self, scene: &Scene) -> bool {
        let (shares, participants) = (scene.screen_shares(), scene.participants());
        let (width, height) = (self.canvas.info().width(), self.canvas.info().height());
        let layout = arrange(width, height, participants.len(), shares.len());
        let places = layout.screen_shares.into_iter().chain(layout.participants);
        let mut before = std::mem::take(&mut self.views);
        let same_places = before.len() == shares.len() + participants.len();
        let mut changed = !same_places;
        for (tile, place) in shares.into_iter().chain(participants).zip(places) {
            let known = before.iter().position(|view| {
                view.tile.kind == tile.kind && view.tile.label == tile.label && view.place == place
            });
            match known {
                Some(index) => {
                    let mut view = before.swap_remove(index);
                    view.tile = tile;
                    self.views.push(view);
                }
                None => {
                    changed = true;
                    self.views.push(View::new(tile, place));
                }
            }
        }
        if changed {
            self.empty();
        }
        changed
    }

    /// Whether somebody's picture is to be seen, and not only names or a notice.
    pub fn shows_somebody(&self) -> bool {
        self.notice.is_none() && self.views.iter().any(View::shows_picture)
    }

    /// Hides the room behind a notice, or shows it again. Returns whether that changes anything.
    pub fn interrupt(&mut self, notice: Option<Notice>) -> bool {
        if self.notice == notice {
            return false;
        }
        self.notice = notice;
        self.empty();
        true
    }

    fn empty(&mut self) {
        let whole = self.whole();
        self.canvas.clear(whole);
        self.views.iter_mut().for_each(View::forget);
        self.notice_drawn = false;
    }

    fn whole(&self) -> Rect {
        let (width, height) = (self.canvas.info().width(), self.canvas.info().height());
        Rect {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    fn draw_notice(&mut self, shown: Notice) -> bool {
        if std::mem::replace(&mut self.notice_drawn, true) {
            return false;
        }
        let whole = self.whole();
        match notice(shown.seconds, whole.width, whole.height) {
            Ok(picture) => self.canvas.draw(&picture, whole),
            Err(error) => {
                self.label_error.get_or_insert(error);
            }
        }
        true
    }

    /// Draws the pictures that are new. Returns whether the canvas changed.
    pub fn draw<'a>(
        &mut self,
        picture_of: impl Fn(TrackNumber) -> Option<&'a Picture>,
    ) -> Result<bool, PictureError> {
        if let Some(notice) = self.notice {
            return Ok(self.draw_notice(notice));
        }
        let mut changed = false;
        for view in &mut self.views {
            let picture = view
                .tile
                .tracks
                .iter()
                .find_map(|&track| picture_of(track).map(|picture| (track, picture)));
            let drawn = match picture {
                Some((track, picture)) => view.show(&mut self.canvas, track, picture)?,
                None => view
                    .show_placeholder(&mut self.canvas)
                    .unwrap_or_else(|error| {
                        self.label_error.get_or_insert(error);
                        true
                    }),
            };
            if drawn && let Err(error) = view.write_name(&mut self.canvas) {
                self.label_error.get_or_insert(error);
            }
            changed |= drawn;
        }
        Ok(changed)
    }

    /// Why a name could not be drawn, told once.
    pub fn take_label_error(&mut self) -> Option<LabelError> {
        self.label_error.take()
    }
}
