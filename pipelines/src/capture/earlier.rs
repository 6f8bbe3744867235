use std::path::Path;

use crate::control::EndReason;
use crate::log::{Body, LogError, LogEvent, LogReader, Next, TrackNumber};
use crate::sources::Participant;

/// What an earlier process left in the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    /// The room's id when the recording began.
    pub room_id: String,
    /// Those who have not left.
    pub participants: Vec<Participant>,
    /// Tracks that were not removed.
    pub open_tracks: Vec<TrackNumber>,
    /// The greatest number in use.
    pub last_track: TrackNumber,
    /// Why the log ended, if it did.
    pub ended: Option<EndReason>,
    /// Recording time of the last record, nanoseconds.
    pub until_ns: u64,
    /// Wall time of recording time 0, Unix nanoseconds.
    pub started_wall_ns: i64,
}

impl Earlier {
    /// Reads the log in `folder`; none when there is no log. Takes about a second per gigabyte.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, LogError> {
        let mut reader = match LogReader::open(folder) {
            Ok(reader) => reader,
            Err(LogError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut earlier = Self {
            started_wall_ns: reader.started_wall_ns(),
            ..Self::default()
        };
        while let Next::Record(record) = reader.next()? {
            earlier.until_ns = record.time_ns;
            if let Body::Event(event) = record.body {
                earlier.apply(event);
            }
        }
        Ok(Some(earlier))
    }

    fn apply(&mut self, event: LogEvent) {
        match event {
            LogEvent::RecordingStarted { room_id, .. } => self.room_id = room_id,
            LogEvent::ParticipantJoined {
                participant,
                identity,
                name,
            } => self.participants.push(Participant {
                id: participant,
                identity,
                name,
            }),
            LogEvent::ParticipantRenamed { participant, name } => {
                let known = self.participants.iter_mut();
                for known in known.filter(|known| known.id == participant) {
                    known.name.clone_from(&name);
                }
            }
            LogEvent::ParticipantLeft { participant } => {
                self.participants.retain(|known| known.id != participant);
            }
            LogEvent::TrackAdded(info) => {
                self.last_track = self.last_track.max(info.track);
                self.open_tracks.push(info.track);
            }
            LogEvent::TrackRemoved { track } => self.open_tracks.retain(|open| *open != track),
            LogEvent::RecordingEnded { reason } => self.ended = Some(reason),
            LogEvent::TrackMuted { .. }
            | LogEvent::TrackUnmuted { .. }
            | LogEvent::BootClock { .. }
            | LogEvent::Paused
            | LogEvent::Resumed { .. }
            | LogEvent::ConnectionLost
            | LogEvent::ConnectionRestored
            | LogEvent::Gap { .. }
            | LogEvent::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::LogSettings;
    use crate::log::{Codec, LogWriter, Record, TrackInfo, TrackKind, TrackSource};

    fn joined(participant: &str) -> LogEvent {
        LogEvent::ParticipantJoined {
            participant: participant.to_owned(),
            identity: participant.to_lowercase(),
            name: String::new(),
        }
    }

    fn added(track: TrackNumber) -> LogEvent {
        LogEvent::TrackAdded(TrackInfo {
            track,
            id: format!("TR_{track}"),
            participant: "PA_1".to_owned(),
            kind: TrackKind::Audio,
            source: TrackSource::Microphone,
            codec: Codec::Opus,
            clock_rate: 48_000,
            muted: false,
        })
    }

    #[test]
    fn finds_who_was_there_and_what_was_open() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("log");
        assert_eq!(Earlier::read(&path).expect("readable"), None);
        let mut writer =
            LogWriter::create(&path, "EG_abcdefghijkl", LogSettings::default()).expect("log");
        let events = [
            LogEvent::RecordingStarted {
                recording_id: "EG_abcdefghijkl".to_owned(),
                room_name: "room".to_owned(),
                room_id: "RM_1".to_owned(),
            },
            joined("PA_1"),
            joined("PA_2"),
            added(1),
            added(2),
            LogEvent::TrackRemoved { track: 1 },
            LogEvent::ParticipantRenamed {
                participant: "PA_2".to_owned(),
                name: "Bob".to_owned(),
            },
            LogEvent::ParticipantLeft {
                participant: "PA_1".to_owned(),
            },
        ];
        for (time_ns, event) in (0..).zip(events) {
            let body = Body::Event(event);
            writer
                .append(&Record {
                    time_ns,
                    wall_ns: 0,
                    body,
                })
                .expect("append");
        }
        writer.sync().expect("sync");
        let earlier = Earlier::read(&path).expect("readable").expect("a log");
        assert_eq!(earlier.room_id, "RM_1");
        assert_eq!(earlier.participants.len(), 1);
        assert_eq!(earlier.participants[0].name, "Bob");
        assert_eq!(earlier.open_tracks, [2]);
        assert_eq!(earlier.last_track, 2);
        assert_eq!(earlier.until_ns, 7);
        assert_eq!(earlier.ended, None);
    }
}
