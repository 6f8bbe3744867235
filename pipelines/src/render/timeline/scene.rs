use std::collections::BTreeMap;

use crate::log::{LogEvent, TrackInfo, TrackKind, TrackNumber, TrackSource};

/// Who is in the room at a moment, and with which tracks.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// In order of joining; who comes back gets the place of before.
    participants: Vec<Participant>,
    tracks: BTreeMap<TrackNumber, SceneTrack>,
}

#[derive(Clone, Debug)]
struct Participant {
    id: String,
    identity: String,
    name: String,
    here: bool,
}

#[derive(Clone, Debug)]
struct SceneTrack {
    info: TrackInfo,
    muted: bool,
}

/// Something that has a place on the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    pub kind: TileKind,
    /// What is written on it.
    pub label: String,
    /// The video tracks that may fill it; the first that has a picture does.
    pub tracks: Vec<TrackNumber>,
}

/// What a tile is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// A participant, by id.
    Participant(String),
    ScreenShare(TrackNumber),
}

impl Scene {
    /// Applies an event. Returns whether anything to be seen may have changed.
    pub fn apply(&mut self, event: &LogEvent) -> bool {
        match event {
            LogEvent::ParticipantJoined {
                participant,
                identity,
                name,
            } => {
                self.join(participant, identity, name);
            }
            LogEvent::ParticipantRenamed { participant, name } => {
                if let Some(found) = self.participants.iter_mut().find(|p| &p.id == participant) {
                    found.name.clone_from(name);
                }
            }
            LogEvent::ParticipantLeft { participant } => {
                for left in self
                    .participants
                    .iter_mut()
                    .filter(|p| &p.id == participant)
                {
                    left.here = false;
                }
                self.tracks
                    .retain(|_, track| &track.info.participant != participant);
            }
            LogEvent::TrackAdded(info) => {
                let track = SceneTrack {
                    info: info.clone(),
                    muted: info.muted,
                };
                self.tracks.insert(info.track, track);
            }
            LogEvent::TrackRemoved { track } => {
                self.tracks.remove(track);
            }
            LogEvent::TrackMuted { track } => self.set_muted(*track, true),
            LogEvent::TrackUnmuted { track } => self.set_muted(*track, false),
            LogEvent::RecordingStarted { .. }
            | LogEvent::BootClock { .. }
            | LogEvent::Checkpoint(_)
            | LogEvent::Paused
            | LogEvent::Resumed { .. }
            | LogEvent::ConnectionLost
            | LogEvent::ConnectionRestored
            | LogEvent::Gap { .. }
            | LogEvent::RecordingEnded { .. }
            | LogEvent::Unknown => return false,
        }
        true
    }

    /// Screen shares in order of their tracks.
    pub fn screen_shares(&self) -> Vec<Tile> {
        self.tracks
            .iter()
            .filter(|(_, track)| {
                track.info.source == TrackSource::ScreenShare
                    && track.info.kind == TrackKind::Video
                    && !track.muted
            })
            .map(|(&number, track)| Tile {
                kind: TileKind::ScreenShare(number),
                label: self.name_of(&track.info.participant),
                tracks: vec![number],
            })
            .collect()
    }

    /// Participants in order of joining first.
    pub fn participants(&self) -> Vec<Tile> {
        self.participants
            .iter()
            .filter(|participant| participant.here)
            .map(|participant| Tile {
                kind: TileKind::Participant(participant.id.clone()),
                label: participant.label(),
                tracks: self.cameras_of(&participant.id),
            })
            .collect()
    }

    /// Cameras that are on, the newest first.
    fn cameras_of(&self, participant: &str) -> Vec<TrackNumber> {
        self.tracks
            .iter()
            .rev()
            .filter(|(_, track)| {
                track.info.participant == participant
                    && track.info.kind == TrackKind::Video
                    && track.info.source != TrackSource::ScreenShare
                    && !track.muted
            })
            .map(|(&number, _)| number)
            .collect()
    }

    fn name_of(&self, participant: &str) -> String {
        self.participants
            .iter()
            .find(|other| other.id == participant)
            .map(Participant::label)
            .unwrap_or_default()
    }

    fn join(&mut self, id: &str, identity: &str, name: &str) {
        let joined = Participant {
            id: id.into(),
            identity: identity.into(),
            name: name.into(),
            here: true,
        };
        let known = self.participants.iter().position(|other| other.id == id);
        let back = || {
            let left = |other: &Participant| !other.here && other.identity == identity;
            self.participants.iter().position(left)
        };
        match known
            .or_else(back)
            .map(|index| &mut self.participants[index])
        {
            Some(known) => *known = joined,
            None => self.participants.push(joined),
        }
    }

    fn set_muted(&mut self, track: TrackNumber, muted: bool) {
        if let Some(track) = self.tracks.get_mut(&track) {
            track.muted = muted;
        }
    }
}

impl Participant {
    fn label(&self) -> String {
        let name = if self.name.trim().is_empty() {
            &self.identity
        } else {
            &self.name
        };
        name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Codec;

    fn joined(id: &str, name: &str) -> LogEvent {
        LogEvent::ParticipantJoined {
            participant: id.into(),
            identity: format!("{id}-identity"),
            name: name.into(),
        }
    }

    fn added(track: u16, participant: &str, source: TrackSource) -> LogEvent {
        LogEvent::TrackAdded(TrackInfo {
            track,
            id: format!("TR_{track}"),
            participant: participant.into(),
            kind: TrackKind::Video,
            source,
            codec: Codec::Vp8,
            clock_rate: 90_000,
            muted: false,
        })
    }

    fn scene(events: &[LogEvent]) -> Scene {
        let mut scene = Scene::default();
        for event in events {
            scene.apply(event);
        }
        scene
    }

    #[test]
    fn everybody_has_a_tile_in_order_of_joining() {
        let scene = scene(&[
            joined("b", "참가자 이름"),
            joined("a", ""),
            added(1, "a", TrackSource::Camera),
        ]);
        let tiles = scene.participants();
        assert_eq!(tiles[0].label, "참가자 이름");
        assert!(tiles[0].tracks.is_empty());
        assert_eq!(tiles[1].label, "a-identity");
        assert_eq!(tiles[1].tracks, [1]);
    }

    #[test]
    fn a_muted_camera_is_not_shown_until_it_is_back() {
        let mut scene = scene(&[joined("a", "A"), added(1, "a", TrackSource::Camera)]);
        scene.apply(&LogEvent::TrackMuted { track: 1 });
        assert!(scene.participants()[0].tracks.is_empty());
        scene.apply(&LogEvent::TrackUnmuted { track: 1 });
        assert_eq!(scene.participants()[0].tracks, [1]);
    }

    #[test]
    fn a_screen_share_has_a_place_of_its_own() {
        let mut scene = scene(&[
            joined("a", "A"),
            added(1, "a", TrackSource::Camera),
            added(2, "a", TrackSource::ScreenShare),
        ]);
        assert_eq!(scene.screen_shares()[0].tracks, [2]);
        assert_eq!(scene.screen_shares()[0].label, "A");
        assert_eq!(scene.participants()[0].tracks, [1]);
        scene.apply(&LogEvent::TrackRemoved { track: 2 });
        assert!(scene.screen_shares().is_empty());
    }

    #[test]
    fn a_participant_who_left_takes_the_tracks_along() {
        let scene = scene(&[
            joined("a", "A"),
            joined("b", "B"),
            added(1, "a", TrackSource::ScreenShare),
            LogEvent::ParticipantLeft {
                participant: "a".into(),
            },
        ]);
        assert_eq!(scene.participants().len(), 1);
        assert!(scene.screen_shares().is_empty());
    }

    #[test]
    fn who_comes_back_as_another_participant_gets_the_same_place() {
        let mut scene = scene(&[joined("a", "A"), joined("b", "B")]);
        scene.apply(&LogEvent::ParticipantLeft {
            participant: "a".into(),
        });
        scene.apply(&LogEvent::ParticipantJoined {
            participant: "a2".into(),
            identity: "a-identity".into(),
            name: "A".into(),
        });
        let tiles = scene.participants();
        let kinds: Vec<&TileKind> = tiles.iter().map(|tile| &tile.kind).collect();
        let expected = ["a2", "b"].map(|id| TileKind::Participant(id.into()));
        assert_eq!(kinds, [&expected[0], &expected[1]]);
    }

    #[test]
    fn joining_again_does_not_make_a_second_tile() {
        let scene = scene(&[joined("a", "A"), joined("b", "B"), joined("a", "A again")]);
        let labels: Vec<String> = scene.participants().into_iter().map(|t| t.label).collect();
        assert_eq!(labels, ["A again", "B"]);
    }
}
