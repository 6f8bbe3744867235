use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::job::Canvas;
use crate::layout::{Rect, arrange};
use crate::log::{TrackKind, TrackSource};
use crate::sources::{Publication, TrackId};

/// How long the room has to be quiet before sizes are asked for anew.
const QUIET: Duration = Duration::from_millis(300);

/// A layer is large enough for a picture this much larger; LiveKit judges in the same way.
const TOLERANCE: f64 = 0.9;

/// Below this a source is asked for fewer frames, where it can leave some out.
const FULL_FRAME_RATE: u32 = 25;

/// What to ask for a video track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRequest {
    pub id: TrackId,
    /// Pixels of the picture within its tile.
    pub width: u32,
    /// Pixels of the picture within its tile.
    pub height: u32,
    /// Frames per second; 0 for all there are.
    pub frame_rate: u32,
    /// `low`, `medium` or `high`: the layer that will be sent.
    pub layer: &'static str,
}

/// Chooses the simulcast layers that fit the tiles, and says what has to be asked for.
#[derive(Debug)]
pub struct LayerChoice {
    canvas: Canvas,
    asked: HashMap<TrackId, LayerRequest>,
    due: Option<Instant>,
}

impl LayerChoice {
    /// For pictures composed on this canvas.
    pub fn new(canvas: Canvas) -> Self {
        Self {
            canvas,
            asked: HashMap::new(),
            due: None,
        }
    }

    /// Somebody came or went, or published something else.
    pub fn room_changed(&mut self, now: Instant) {
        // The first of several changes sets the time: a busy room must not put it off for ever.
        self.due.get_or_insert(now + QUIET);
    }

    /// The source forgot what it was asked for.
    pub fn forget(&mut self, now: Instant) {
        self.asked.clear();
        self.due = Some(now);
    }

    /// When [`LayerChoice::take`] has to be called next.
    pub fn next_due(&self) -> Option<Instant> {
        self.due
    }

    /// What has to be asked for now, for a room of `participants` with these tracks.
    pub fn take<'a>(
        &mut self,
        now: Instant,
        participants: usize,
        tracks: impl Iterator<Item = &'a Publication> + Clone,
    ) -> Vec<LayerRequest> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.due = None;
        let mut wanted = HashMap::new();
        let mut changed = Vec::new();
        for request in choose(self.canvas, participants, tracks) {
            if self.asked.get(&request.id) != Some(&request) {
                changed.push(request.clone());
            }
            wanted.insert(request.id.clone(), request);
        }
        self.asked = wanted;
        changed
    }

    /// The layer that was asked for; empty when there is no choice.
    pub fn layer(&self, id: &TrackId) -> &'static str {
        self.asked.get(id).map_or("", |request| request.layer)
    }
}

fn choose<'a>(
    canvas: Canvas,
    participants: usize,
    tracks: impl Iterator<Item = &'a Publication> + Clone,
) -> Vec<LayerRequest> {
    let videos = tracks.filter(|track| track.kind == TrackKind::Video);
    let shares = videos
        .clone()
        // A muted one is not shown.
        .filter(|track| track.source == TrackSource::ScreenShare && !track.muted)
        .count();
    // All tiles of a kind have one size.
    let layout = arrange(canvas.width, canvas.height, participants, shares);
    let share = layout.screen_shares.first();
    let tile = layout.participants.first();
    videos
        .filter(|track| track.layer_heights.len() > 1)
        .filter_map(|track| {
            let place = match track.source {
                TrackSource::ScreenShare => share,
                _ => tile,
            };
            place.map(|place| request(canvas, track, *place))
        })
        .collect()
}

fn request(canvas: Canvas, track: &Publication, place: Rect) -> LayerRequest {
    let (width, height) = fit(track.width, track.height, place);
    let frame_rate = if canvas.frame_rate < FULL_FRAME_RATE {
        canvas.frame_rate
    } else {
        0
    };
    LayerRequest {
        id: track.id.clone(),
        width,
        height,
        frame_rate,
        layer: layer_name(&track.layer_heights, height),
    }
}

/// The size of a picture that fills a place without being cut or stretched.
fn fit(width: u32, height: u32, place: Rect) -> (u32, u32) {
    if width == 0 || height == 0 {
        return (place.width.max(1), place.height.max(1));
    }
    let (width, height) = (u64::from(width), u64::from(height));
    let (most_width, most_height) = (u64::from(place.width), u64::from(place.height));
    let (fitted_width, fitted_height) = if width * most_height > height * most_width {
        (most_width, most_width * height / width)
    } else {
        (most_height * width / height, most_height)
    };
    // Both are at most the place's size.
    (
        u32::try_from(fitted_width).unwrap_or(place.width).max(1),
        u32::try_from(fitted_height).unwrap_or(place.height).max(1),
    )
}

/// The smallest layer that is large enough, as LiveKit chooses it.
fn layer_name(heights: &[u32], height: u32) -> &'static str {
    let needed = f64::from(height) * TOLERANCE;
    let last = heights.len().saturating_sub(1);
    let index = heights
        .iter()
        .position(|layer| f64::from(*layer) >= needed)
        .unwrap_or(last);
    match index {
        index if index == last => "high",
        0 => "low",
        _ => "medium",
    }
}

#[cfg(test)]
mod tests {
    use crate::log::Codec;

    use super::*;

    const CANVAS: Canvas = Canvas {
        width: 1280,
        height: 720,
        frame_rate: 30,
    };

    fn camera(id: &str, width: u32, height: u32) -> Publication {
        Publication {
            id: TrackId::from(id),
            participant: "PA_1".to_owned(),
            kind: TrackKind::Video,
            source: TrackSource::Camera,
            codec: Some(Codec::Vp8),
            muted: false,
            width,
            height,
            layer_heights: vec![180, 360, 720],
        }
    }

    fn layers(participants: usize, tracks: &[Publication]) -> Vec<&'static str> {
        choose(CANVAS, participants, tracks.iter())
            .iter()
            .map(|request| request.layer)
            .collect()
    }

    #[test]
    fn the_layer_follows_the_size_of_the_tiles() {
        let tracks = [camera("a", 1280, 720)];
        assert_eq!(layers(1, &tracks), ["high"]);
        assert_eq!(layers(4, &tracks), ["medium"]);
        assert_eq!(layers(25, &tracks), ["low"]);
    }

    #[test]
    fn a_screen_share_makes_the_cameras_small() {
        let mut share = camera("share", 1920, 1080);
        share.source = TrackSource::ScreenShare;
        share.layer_heights = vec![360, 720];
        let tracks = [camera("a", 1280, 720), share];
        assert_eq!(layers(2, &tracks), ["low", "high"]);
    }

    #[test]
    fn a_muted_screen_share_leaves_the_cameras_large() {
        let mut share = camera("share", 1920, 1080);
        share.source = TrackSource::ScreenShare;
        share.muted = true;
        assert_eq!(layers(1, &[camera("a", 1280, 720), share]), ["high"]);
    }

    #[test]
    fn tracks_without_a_choice_are_left_alone() {
        let mut single = camera("a", 1280, 720);
        single.layer_heights = vec![720];
        let mut audio = camera("b", 0, 0);
        audio.kind = TrackKind::Audio;
        assert!(layers(2, &[single, audio]).is_empty());
    }

    #[test]
    fn a_portrait_picture_is_asked_for_at_the_height_of_its_tile() {
        let place = arrange(1280, 720, 1, 0).participants[0];
        let (width, height) = fit(720, 1280, place);
        assert_eq!(height, place.height);
        assert!(width < height);
        assert_eq!(fit(0, 0, place), (place.width, place.height));
    }

    #[test]
    fn only_changes_are_asked_for_and_only_after_a_pause() {
        let mut choice = LayerChoice::new(CANVAS);
        let tracks = [camera("a", 1280, 720), camera("b", 1280, 720)];
        let start = Instant::now();
        choice.room_changed(start);
        assert!(choice.take(start, 1, tracks.iter()).is_empty());
        let mut now = start + QUIET;
        assert_eq!(choice.take(now, 1, tracks.iter()).len(), 2);
        assert_eq!(choice.layer(&TrackId::from("a")), "high");
        choice.room_changed(now);
        now += QUIET;
        assert!(choice.take(now, 1, tracks.iter()).is_empty());
        choice.room_changed(now);
        now += QUIET;
        assert_eq!(choice.take(now, 4, tracks.iter()).len(), 2);
        choice.forget(now);
        assert_eq!(choice.take(now, 4, tracks.iter()).len(), 2);
    }
}
