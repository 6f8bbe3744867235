//! Who is in the room and what they publish, as the rooms process tells it. Pure.

use crate::rooms::media::{MediaEvent, RoomParticipant, RoomState, RoomTrack, TrackNumber};
use crate::sources::{Participant, Publication, SourceEvent, TrackId};

/// The room as it was last told.
#[derive(Debug, Default)]
pub struct Room {
    participants: Vec<Participant>,
    /// In the order of publication.
    tracks: Vec<Track>,
}

#[derive(Debug)]
struct Track {
    number: TrackNumber,
    publication: Publication,
}

impl Room {
    /// A room in which `participants` were seen before, with no tracks.
    pub fn with_participants(participants: Vec<Participant>) -> Self {
        Self {
            participants,
            tracks: Vec::new(),
        }
    }

    /// Takes the whole present state; who and what is not in it is gone.
    pub fn replace(&mut self, state: RoomState) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        let gone: Vec<TrackId> = self
            .tracks
            .iter()
            .map(|track| track.publication.id.clone())
            .filter(|id| !state.tracks.iter().any(|track| *track.id == **id))
            .collect();
        for id in gone {
            self.unpublish(|track| track.publication.id == id, &mut events);
        }
        let left: Vec<String> = self
            .participants
            .iter()
            .map(|known| known.id.clone())
            .filter(|id| !state.participants.iter().any(|present| present.id == *id))
            .collect();
        for id in left {
            self.leave(&id, &mut events);
        }
        for participant in state.participants {
            self.join(participant, &mut events);
        }
        for track in state.tracks {
            self.publish(track, &mut events);
        }
        events
    }

    /// Takes news.
    pub fn update(&mut self, news: MediaEvent) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        match news {
            MediaEvent::Room(state) => return self.replace(state),
            MediaEvent::ParticipantJoined(participant) => self.join(participant, &mut events),
            MediaEvent::ParticipantRenamed { id, name } => self.rename(id, name, &mut events),
            MediaEvent::ParticipantLeft { id } => self.leave(&id, &mut events),
            MediaEvent::TrackPublished(track) | MediaEvent::TrackUpdated(track) => {
                self.publish(track, &mut events);
            }
            MediaEvent::TrackUnpublished { track } => {
                self.unpublish(|known| known.number == track, &mut events);
            }
            MediaEvent::TrackMuted { track, muted } => self.mute(track, muted, &mut events),
            MediaEvent::SenderReport { track, rtp, ntp_ns } => {
                if let Some(publication) = self.publication(track) {
                    let id = publication.id.clone();
                    events.push(SourceEvent::SenderReport { id, rtp, ntp_ns });
                }
            }
            MediaEvent::Hello { .. }
            | MediaEvent::Refused { .. }
            | MediaEvent::Alive
            | MediaEvent::Unknown => {}
        }
        events
    }

    /// The published track with this number.
    pub fn publication(&self, number: TrackNumber) -> Option<&Publication> {
        let track = self.tracks.iter().find(|track| track.number == number);
        track.map(|track| &track.publication)
    }

    /// The number of the published track with this id.
    pub fn number(&self, id: &TrackId) -> Option<TrackNumber> {
        let track = self.tracks.iter().find(|track| track.publication.id == *id);
        track.map(|track| track.number)
    }

    /// All published tracks, in the order of publication.
    pub fn publications(&self) -> impl Iterator<Item = &Publication> {
        self.tracks.iter().map(|track| &track.publication)
    }

    fn join(&mut self, news: RoomParticipant, events: &mut Vec<SourceEvent>) {
        if self.participants.iter().any(|known| known.id == news.id) {
            self.rename(news.id, news.name, events);
            return;
        }
        let participant = Participant::from(news);
        events.push(SourceEvent::ParticipantJoined(participant.clone()));
        self.participants.push(participant);
    }

    fn rename(&mut self, id: String, name: String, events: &mut Vec<SourceEvent>) {
        let known = self.participants.iter_mut().find(|known| known.id == id);
        if let Some(known) = known
            && known.name != name
        {
            known.name.clone_from(&name);
            events.push(SourceEvent::ParticipantRenamed { id, name });
        }
    }

    fn leave(&mut self, id: &str, events: &mut Vec<SourceEvent>) {
        if !self.participants.iter().any(|known| known.id == id) {
            return;
        }
        self.unpublish(|track| track.publication.participant == id, events);
        self.participants.retain(|known| known.id != id);
        events.push(SourceEvent::ParticipantLeft { id: id.to_owned() });
    }

    fn publish(&mut self, news: RoomTrack, events: &mut Vec<SourceEvent>) {
        let number = news.track;
        let news = Publication::from(news);
        let owner = &news.participant;
        if !self.participants.iter().any(|known| known.id == *owner) {
            log::warn!("track {} is of nobody in the room, ignored", news.id);
            return;
        }
        let known = self
            .tracks
            .iter_mut()
            .find(|known| known.publication.id == news.id);
        let Some(known) = known else {
            events.push(SourceEvent::TrackPublished(news.clone()));
            let publication = news;
            self.tracks.push(Track {
                number,
                publication,
            });
            return;
        };
        known.number = number;
        if known.publication.muted != news.muted {
            known.publication.muted = news.muted;
            events.push(SourceEvent::TrackMuted {
                id: news.id.clone(),
                muted: news.muted,
            });
        }
        if known.publication != news {
            known.publication = news.clone();
            events.push(SourceEvent::TrackUpdated(news));
        }
    }

    fn unpublish(&mut self, which: impl Fn(&Track) -> bool, events: &mut Vec<SourceEvent>) {
        self.tracks.retain(|track| {
            let goes = which(track);
            if goes {
                let id = track.publication.id.clone();
                events.push(SourceEvent::TrackUnpublished { id });
            }
            !goes
        });
    }

    fn mute(&mut self, number: TrackNumber, muted: bool, events: &mut Vec<SourceEvent>) {
        let known = self.tracks.iter_mut().find(|known| known.number == number);
        if let Some(known) = known
            && known.publication.muted != muted
        {
            known.publication.muted = muted;
            let id = known.publication.id.clone();
            events.push(SourceEvent::TrackMuted { id, muted });
        }
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
