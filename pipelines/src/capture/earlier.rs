use std::path::Path;

use crate::control::EndReason;
use crate::log::{
    Absence, Body, Checkpoint, LogError, LogEvent, LogReader, MachineTime, Next, Told, TrackNumber,
};
use crate::sources::{Known, Participant};

use super::clock::Moment;

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
    /// When it was paused, if it still is.
    pub paused_since: Option<MachineTime>,
    /// When the last record was written.
    pub until: MachineTime,
    /// Gaps and pauses.
    pub told: Told,
    /// What it was still to tell of missing media.
    pub(super) absence: Absence,
    /// Where recording time was tied to the boot clock last.
    pub(super) anchor: Option<Anchor>,
    /// Whether it knows of the log from its beginning on.
    pub(super) is_whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Anchor {
    time_ns: u64,
    boot_id: String,
    boot_ns: u64,
}

impl Earlier {
    /// Reads the log in `folder`, from the last checkpoint on; none when there is no log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, LogError> {
        let mut reader = match LogReader::open(folder) {
            Ok(reader) => reader,
            Err(LogError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found = None;
        reader.read_whole_story(|reader, is_first| {
            let mut earlier = Self {
                started_wall_ns: reader.started_wall_ns(),
                is_whole: is_first,
                // Until a record tells of a later moment.
                until: MachineTime {
                    wall_ns: reader.started_wall_ns(),
                    ..MachineTime::default()
                },
                ..Self::default()
            };
            earlier.read_on(reader)?;
            let is_whole = earlier.is_whole;
            found = Some(earlier);
            Ok(is_whole)
        })?;
        Ok(found)
    }

    fn read_on(&mut self, reader: &mut LogReader) -> Result<(), LogError> {
        while let Next::Record(record) = reader.next()? {
            let at = Moment {
                time_ns: record.time_ns,
                wall_ns: record.wall_ns,
            };
            self.until_ns = at.time_ns;
            self.until.wall_ns = at.wall_ns;
            match record.body {
                Body::Event(event) => self.apply(at, event),
                Body::Frame(_) => self.absence.frame(at.time_ns),
                _ => {}
            }
        }
        let last = Moment {
            time_ns: self.until_ns,
            wall_ns: self.until.wall_ns,
        };
        self.until = self.machine_time(last);
        Ok(())
    }

    fn start_from(&mut self, checkpoint: Checkpoint) {
        let participants = checkpoint.participants.into_iter();
        *self = Self {
            room_id: checkpoint.room_id,
            participants: participants
                .map(|present| Participant {
                    id: present.participant,
                    identity: present.identity,
                    name: present.name,
                })
                .collect(),
            open_tracks: checkpoint.open_tracks,
            last_track: checkpoint.last_track,
            paused_since: checkpoint.paused_since,
            told: Told::new(checkpoint.gaps, checkpoint.pauses),
            is_whole: true,
            until_ns: self.until_ns,
            until: std::mem::take(&mut self.until),
            started_wall_ns: self.started_wall_ns,
            anchor: self.anchor.take(),
            absence: self.absence,
            ended: self.ended,
        };
    }

    /// The moment on the clocks that outlive a process.
    fn machine_time(&self, at: Moment) -> MachineTime {
        let mut time = MachineTime {
            wall_ns: at.wall_ns,
            ..MachineTime::default()
        };
        if let Some(anchor) = &self.anchor {
            let since_ns = at.time_ns.saturating_sub(anchor.time_ns);
            time.boot_id.clone_from(&anchor.boot_id);
            time.boot_ns = anchor.boot_ns.saturating_add(since_ns);
        }
        time
    }

    /// Since when media is missing that the log does not tell of: the last record, or the last
    /// frame if none came for another reason then, nanoseconds of recording time.
    pub fn missing_since_ns(&self) -> u64 {
        self.absence
            .since_ns(self.until_ns)
            .unwrap_or(self.until_ns)
    }

    /// What it saw of the room.
    pub fn known(&self) -> Known {
        Known {
            room_id: self.room_id.clone(),
            participants: self.participants.clone(),
            was_disconnected: self.absence.is_disconnected,
        }
    }

    fn apply(&mut self, at: Moment, event: LogEvent) {
        self.told.take_in(at.time_ns, at.wall_ns, &event);
        self.absence.apply(at.time_ns, &event);
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
            LogEvent::BootClock { boot_id, boot_ns } => {
                self.anchor = Some(Anchor {
                    time_ns: at.time_ns,
                    boot_id,
                    boot_ns,
                });
            }
            LogEvent::Checkpoint(checkpoint) => self.start_from(*checkpoint),
            LogEvent::Paused => self.paused_since = Some(self.machine_time(at)),
            // Until the next tie only the wall clock tells.
            LogEvent::Resumed { .. } => {
                self.paused_since = None;
                self.anchor = None;
            }
            LogEvent::TrackMuted { .. }
            | LogEvent::TrackUnmuted { .. }
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
    use crate::control::Gap;
    use crate::job::LogSettings;
    use crate::log::{
        Codec, LogWriter, PresentParticipant, Record, TrackInfo, TrackKind, TrackSource,
    };

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
                source: "livekit".to_owned(),
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

    fn read(records: &[(u64, i64, LogEvent)]) -> Earlier {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("log");
        let mut writer =
            LogWriter::create(&path, "EG_abcdefghijkl", LogSettings::default()).expect("log");
        for (time_ns, wall_ns, event) in records {
            let record = Record {
                time_ns: *time_ns,
                wall_ns: *wall_ns,
                body: Body::Event(event.clone()),
            };
            writer.append(&record).expect("append");
        }
        writer.flush().expect("flush");
        Earlier::read(&path).expect("readable").expect("a log")
    }

    #[test]
    fn a_log_without_a_record_has_come_to_its_beginning() {
        // A render may follow it already, so it is gone on with.
        let earlier = read(&[]);
        assert!(earlier.started_wall_ns > 0);
        assert_eq!(earlier.until.wall_ns, earlier.started_wall_ns);
        assert_eq!(earlier.until_ns, 0);
    }

    fn boot(id: &str, boot_ns: u64) -> LogEvent {
        LogEvent::BootClock {
            boot_id: id.to_owned(),
            boot_ns,
        }
    }

    fn time(id: &str, boot_ns: u64, wall_ns: i64) -> MachineTime {
        MachineTime {
            boot_id: id.to_owned(),
            boot_ns,
            wall_ns,
        }
    }

    #[test]
    fn the_last_record_has_its_time_on_the_boot_clock_whatever_the_wall_clock_did() {
        let earlier = read(&[
            (0, 5_000, boot("a", 70)),
            (30, 9_000_000, LogEvent::TrackRemoved { track: 9 }),
        ]);
        assert_eq!(earlier.until, time("a", 100, 9_000_000));
        assert_eq!(earlier.paused_since, None);
    }

    #[test]
    fn a_checkpoint_stands_for_all_before_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("log");
        let settings = LogSettings {
            segment_bytes: 1_000,
            ..LogSettings::default()
        };
        let mut writer = LogWriter::create(&path, "EG_abcdefghijkl", settings).expect("log");
        let gap = Gap {
            from_ms: 5,
            to_ms: 9,
            reason: "stalled".to_owned(),
        };
        let checkpoint = Checkpoint {
            room_id: "RM_1".to_owned(),
            participants: vec![PresentParticipant {
                participant: "PA_1".to_owned(),
                identity: "ann".to_owned(),
                name: "Ann".to_owned(),
            }],
            open_tracks: vec![4],
            last_track: 6,
            gaps: vec![gap.clone()],
            ..Checkpoint::default()
        };
        let mut append = |time_ns, event| {
            let record = Record {
                time_ns,
                wall_ns: 1,
                body: Body::Event(event),
            };
            writer.append(&record).expect("append");
        };
        for time_ns in 0..40 {
            append(time_ns, LogEvent::TrackRemoved { track: 9 });
        }
        append(40, LogEvent::Checkpoint(Box::new(checkpoint)));
        append(41, joined("PA_2"));
        for time_ns in 42..80 {
            append(time_ns, LogEvent::TrackRemoved { track: 9 });
        }
        drop(writer);
        // What is before it need not even be there.
        let first = path.join("000001.tdl");
        let bytes = std::fs::read(&first).expect("segment");
        std::fs::write(&first, &bytes[..96]).expect("written");
        let earlier = Earlier::read(&path).expect("readable").expect("a log");
        assert_eq!(earlier.room_id, "RM_1");
        let present = earlier.participants.iter().map(|one| one.id.as_str());
        assert_eq!(present.collect::<Vec<_>>(), ["PA_1", "PA_2"]);
        assert_eq!(
            (&earlier.open_tracks[..], earlier.last_track),
            (&[4][..], 6)
        );
        assert_eq!(earlier.told.gaps(), [gap]);
        assert_eq!(earlier.until_ns, 79);
    }

    #[test]
    fn a_pause_stands_until_it_is_ended_through_later_processes() {
        let mut records = vec![
            (0, 1_000, boot("a", 70)),
            (30, 1_030, LogEvent::Paused),
            (30, 1_500, boot("a", 570)),
        ];
        let earlier = read(&records);
        assert_eq!(earlier.paused_since, Some(time("a", 100, 1_030)));
        assert_eq!(earlier.told.pauses().len(), 1);
        records.push((30, 1_700, LogEvent::Resumed { paused_ns: 670 }));
        records.push((30, 1_700, boot("a", 770)));
        records.push((50, 1_720, joined("PA_1")));
        let earlier = read(&records);
        assert_eq!(earlier.paused_since, None);
        assert_eq!(earlier.until, time("a", 790, 1_720));
    }
}
