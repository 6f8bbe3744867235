use std::collections::HashMap;

use crate::log::{Body, LogEvent, Record};

/// Speakers who get a file of their own at most; more are heard in the mix only.
pub const MOST_SPEAKERS: usize = 64;
/// More of an identity is not kept in a file's name, bytes. Together with the longest name of a
/// recording it stays under the 255 of file systems.
const LONGEST: usize = 24;

/// Who speaks: participants by their identity, which they keep when they come back.
#[derive(Default)]
pub struct Speakers {
    /// Identities by what the log calls a participant.
    identities: HashMap<String, String>,
    /// Identities in the order of their first sound.
    known: Vec<String>,
    suffixes: Vec<String>,
}

impl Speakers {
    /// Learns from a record in the order of the log.
    pub fn read(&mut self, record: &Record) {
        if let Body::Event(LogEvent::ParticipantJoined {
            participant,
            identity,
            ..
        }) = &record.body
        {
            self.identities
                .insert(participant.clone(), identity.clone());
        }
    }

    /// The number of a participant, from 0 on; a new one if it is not known yet. Nothing when there
    /// are too many.
    pub fn number(&mut self, participant: &str) -> Option<usize> {
        let identity = self.identities.get(participant);
        let identity = identity.map_or(participant, String::as_str);
        if let Some(number) = self.known.iter().position(|known| known == identity) {
            return Some(number);
        }
        if self.known.len() >= MOST_SPEAKERS {
            return None;
        }
        self.suffixes.push(suffix(identity, &self.suffixes));
        self.known.push(identity.to_owned());
        Some(self.known.len() - 1)
    }

    /// What the names of a speaker's files have between stem and extension.
    pub fn suffix(&self, number: usize) -> &str {
        &self.suffixes[number]
    }
}

/// `-` and an identity, safe for file systems and URLs, unlike those that are taken and unlike `-2`,
/// which is the second file of the mix.
fn suffix(identity: &str, taken: &[String]) -> String {
    let plain = |character: char| match character.is_ascii_alphanumeric() || character == '_' {
        true => character,
        false => '_',
    };
    let mut name: String = identity.chars().map(plain).take(LONGEST).collect();
    if name.len() < 6 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let is_taken = |suffix: &String| {
        let mut taken = taken.iter();
        taken.any(|other| other.eq_ignore_ascii_case(suffix))
    };
    let first = format!("-{name}");
    let numbered = (2..).map(|number| format!("-{name}_{number}"));
    let mut candidates = std::iter::once(first.clone()).chain(numbered);
    candidates.find(|suffix| !is_taken(suffix)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(participant: &str, identity: &str) -> Record {
        Record {
            time_ns: 0,
            wall_ns: 0,
            body: Body::Event(LogEvent::ParticipantJoined {
                participant: participant.into(),
                identity: identity.into(),
                name: String::new(),
            }),
        }
    }

    #[test]
    fn who_comes_back_goes_on_in_the_same_file() {
        let mut speakers = Speakers::default();
        speakers.read(&joined("PA_1", "ada"));
        speakers.read(&joined("PA_2", "bob"));
        assert_eq!(speakers.number("PA_1"), Some(0));
        assert_eq!(speakers.number("PA_2"), Some(1));
        speakers.read(&joined("PA_3", "ada"));
        assert_eq!(speakers.number("PA_3"), Some(0));
        // Of whom the log tells nothing.
        assert_eq!(speakers.number("PA_9"), Some(2));
        assert_eq!(speakers.suffix(2), "-PA_9");
    }

    #[test]
    fn there_is_an_end_to_the_files() {
        let mut speakers = Speakers::default();
        for number in 0..MOST_SPEAKERS {
            assert_eq!(speakers.number(&format!("PA_{number}")), Some(number));
        }
        assert_eq!(speakers.number("PA_x"), None);
        assert_eq!(speakers.number("PA_7"), Some(7));
    }

    #[test]
    fn suffixes_are_harmless_and_unlike_one_another() {
        let mut taken = Vec::new();
        for (identity, expected) in [
            ("ada", "-ada"),
            ("Ada", "-Ada_2"),
            ("../etc/x y", "-___etc_x_y"),
            ("ada-2", "-ada_2_2"),
            ("2", "-_2"),
            ("4000123", "-4000123"),
            ("", "-_"),
            ("참가자", "-___"),
            ("이름들", "-____2"),
            (&"x".repeat(300), &format!("-{}", "x".repeat(24))),
        ] {
            let made = suffix(identity, &taken);
            assert_eq!(made, expected, "{identity}");
            taken.push(made);
        }
    }
}
