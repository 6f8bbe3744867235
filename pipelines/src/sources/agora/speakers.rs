//! Who may speak in a channel, as the browser host tells it. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::browser::SpeakerLevel;
use crate::rooms::ids;
use crate::sources::{Participant, SourceEvent};

/// Who is told so long after the tab has joined at the latest; others of before have left.
const GATHERING: Duration = Duration::from_secs(4);

/// The longest user id that is kept, bytes: Agora's accounts have up to 255.
const MOST_UID_BYTES: usize = 255;

/// Speakers beyond that are heard but not listed.
const MOST_SPEAKERS: usize = 512;

/// The speakers of a channel.
#[derive(Debug, Default)]
pub struct Speakers {
    /// By user id, in the order of their coming.
    present: Vec<Speaker>,
    /// When those who were not told again have left.
    gathered_at: Option<Instant>,
}

#[derive(Debug)]
struct Speaker {
    participant: Participant,
    /// Told since the tab joined.
    seen: bool,
    /// How loud; none without sound.
    level: Option<u8>,
}

impl Speakers {
    /// Those whom an earlier process saw.
    pub fn with_participants(participants: Vec<Participant>) -> Self {
        let present = participants.into_iter().map(|participant| Speaker {
            participant,
            seen: false,
            level: None,
        });
        Self {
            present: present.collect(),
            gathered_at: None,
        }
    }

    /// The tab is in the channel: who is there will be told soon.
    pub fn joined(&mut self, now: Instant) {
        for speaker in &mut self.present {
            speaker.seen = false;
            speaker.level = None;
        }
        self.gathered_at = Some(now + GATHERING);
    }

    /// When [`Self::gathered`] is due.
    pub fn gathered_at(&self) -> Option<Instant> {
        self.gathered_at
    }

    /// Who has not been told again has left.
    pub fn gathered(&mut self) -> Vec<SourceEvent> {
        self.gathered_at = None;
        let gone = self.present.extract_if(.., |speaker| !speaker.seen);
        gone.map(|speaker| SourceEvent::ParticipantLeft {
            id: speaker.participant.id,
        })
        .collect()
    }

    /// Somebody is there.
    pub fn join(&mut self, uid: String) -> Option<SourceEvent> {
        if let Some(known) = self.find(&uid) {
            known.seen = true;
            return None;
        }
        if uid.is_empty() || uid.len() > MOST_UID_BYTES || self.present.len() >= MOST_SPEAKERS {
            return None;
        }
        let participant = Participant {
            id: ids::draw("PA_"),
            identity: uid,
            name: String::new(),
        };
        self.present.push(Speaker {
            participant: participant.clone(),
            seen: true,
            level: None,
        });
        Some(SourceEvent::ParticipantJoined(participant))
    }

    /// Somebody has left.
    pub fn leave(&mut self, uid: &str) -> Option<SourceEvent> {
        let place = self
            .present
            .iter()
            .position(|speaker| speaker.participant.identity == uid)?;
        let id = self.present.remove(place).participant.id;
        Some(SourceEvent::ParticipantLeft { id })
    }

    /// Somebody can be heard from now on, or no more.
    pub fn sound(&mut self, uid: &str, on: bool) {
        if let Some(speaker) = self.find(uid) {
            speaker.level = on.then_some(0);
        }
    }

    /// How loud those are who can be heard.
    pub fn levels(&mut self, levels: &[SpeakerLevel]) {
        let told: HashMap<&str, u8> = levels
            .iter()
            .map(|told| (told.uid.as_str(), told.level.min(100)))
            .collect();
        for speaker in &mut self.present {
            if let Some(level) = &mut speaker.level {
                *level = told
                    .get(speaker.participant.identity.as_str())
                    .copied()
                    .unwrap_or(0);
            }
        }
    }

    /// How loud a participant is, by its id.
    pub fn level(&self, id: &str) -> Option<u8> {
        let mut speakers = self.present.iter();
        speakers.find(|speaker| speaker.participant.id == id)?.level
    }

    fn find(&mut self, uid: &str) -> Option<&mut Speaker> {
        let mut speakers = self.present.iter_mut();
        speakers.find(|speaker| speaker.participant.identity == uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(uid: &str, level: u8) -> SpeakerLevel {
        let uid = uid.to_owned();
        SpeakerLevel { uid, level }
    }

    #[test]
    fn who_is_not_told_again_has_left() {
        let known = ["PA_1", "PA_2"].map(|id| Participant {
            id: id.to_owned(),
            identity: id.replace("PA_", "7"),
            name: String::new(),
        });
        let mut speakers = Speakers::with_participants(known.to_vec());
        speakers.joined(Instant::now());
        assert_eq!(speakers.join("71".to_owned()), None);
        let joined = speakers.join("9".to_owned());
        assert!(matches!(joined, Some(SourceEvent::ParticipantJoined(_))));
        let left = SourceEvent::ParticipantLeft {
            id: "PA_2".to_owned(),
        };
        assert_eq!(speakers.gathered(), [left]);
        assert!(speakers.gathered().is_empty());
        assert_eq!(speakers.leave("72"), None);
        assert!(speakers.leave("71").is_some());
    }

    #[test]
    fn levels_are_of_those_who_can_be_heard() {
        let mut speakers = Speakers::default();
        let mut ids = ["1", "2"].map(|uid| match speakers.join(uid.to_owned()) {
            Some(SourceEvent::ParticipantJoined(joined)) => joined.id,
            other => panic!("{other:?}"),
        });
        speakers.sound("1", true);
        speakers.levels(&[level("1", 40), level("2", 60), level("3", 5)]);
        assert_eq!(
            ids.each_mut().map(|id| speakers.level(id)),
            [Some(40), None]
        );
        speakers.levels(&[]);
        assert_eq!(speakers.level(&ids[0]), Some(0));
        speakers.sound("1", false);
        assert_eq!(speakers.level(&ids[0]), None);
    }

    #[test]
    fn nobody_makes_the_list_endless() {
        let mut speakers = Speakers::default();
        assert_eq!(speakers.join("x".repeat(256)), None);
        let listed = (0..1_000).filter_map(|uid| speakers.join(uid.to_string()));
        assert_eq!(listed.count(), MOST_SPEAKERS);
    }
}
