use std::collections::HashMap;

use crate::log::TrackNumber;
use crate::sources::TrackId;

use super::track::Track;

/// The published tracks and the numbers that the log has for them.
pub struct Tracks {
    by_id: HashMap<TrackId, Track>,
    /// In the order of publication.
    order: Vec<TrackId>,
    last_number: TrackNumber,
}

impl Tracks {
    /// None yet, in a log that has used numbers up to `last_number`.
    pub fn new(last_number: TrackNumber) -> Self {
        Self {
            by_id: HashMap::new(),
            order: Vec::new(),
            last_number,
        }
    }

    /// The number that was given last.
    pub fn last_number(&self) -> TrackNumber {
        self.last_number
    }

    /// Adds a track, in place of one with its id.
    pub fn insert(&mut self, track: Track) {
        let id = track.publication.id.clone();
        if self.by_id.insert(id.clone(), track).is_none() {
            self.order.push(id);
        }
    }

    /// Takes a track out.
    pub fn remove(&mut self, id: &TrackId) -> Option<Track> {
        self.order.retain(|known| known != id);
        self.by_id.remove(id)
    }

    /// A track by its id.
    pub fn get(&self, id: &TrackId) -> Option<&Track> {
        self.by_id.get(id)
    }

    /// A track by its id, to change it.
    pub fn get_mut(&mut self, id: &TrackId) -> Option<&mut Track> {
        self.by_id.get_mut(id)
    }

    /// All, in the order of publication.
    pub fn iter(&self) -> impl Iterator<Item = &Track> + Clone {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    /// All, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Track> {
        self.by_id.values_mut()
    }

    /// A number for the log that no track has now. A publisher whose clock jumps all the time uses
    /// up all there are; then those of tracks that are gone are used again. 0 is none.
    pub fn next_number(&mut self) -> TrackNumber {
        loop {
            self.last_number = self.last_number.wrapping_add(1);
            let taken = self.by_id.values().any(|track| {
                track
                    .logged
                    .is_some_and(|logged| logged.number == self.last_number)
            });
            // With all 65535 taken at once, any will do.
            if self.last_number != 0
                && (!taken || self.by_id.len() >= usize::from(TrackNumber::MAX))
            {
                return self.last_number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::log::{Codec, TrackKind, TrackSource};
    use crate::sources::Publication;

    use super::super::track::Logged;
    use super::*;

    fn track(id: &str, number: TrackNumber) -> Track {
        let mut track = Track::new(Publication {
            id: TrackId::from(id),
            participant: "PA_1".to_owned(),
            kind: TrackKind::Audio,
            source: TrackSource::Microphone,
            codec: Some(Codec::Opus),
            muted: false,
            width: 0,
            height: 0,
            layer_heights: Vec::new(),
        });
        track.logged = Some(Logged {
            number,
            codec: Codec::Opus,
        });
        track
    }

    #[test]
    fn a_number_is_never_0_nor_that_of_another_track() {
        let mut tracks = Tracks::new(TrackNumber::MAX - 1);
        tracks.insert(track("TR_1", 1));
        tracks.insert(track("TR_2", 2));
        assert_eq!(tracks.next_number(), TrackNumber::MAX);
        assert_eq!(tracks.next_number(), 3);
    }

    #[test]
    fn tracks_keep_the_order_of_publication() {
        let mut tracks = Tracks::new(0);
        for id in ["TR_b", "TR_a", "TR_c", "TR_b"] {
            tracks.insert(track(id, 1));
        }
        tracks.remove(&TrackId::from("TR_a"));
        let ids: Vec<&str> = tracks.iter().map(|track| &*track.publication.id).collect();
        assert_eq!(ids, ["TR_b", "TR_c"]);
    }
}
