//! Turns what a source tells into log records. Pure: time comes in, records go out.

mod media;
mod pausing;

use std::time::Instant;

use crate::control::{EndReason, ParticipantStatus};
use crate::log::{
    CAPTURE_RESTARTED, CONNECTION_LOST, Checkpoint, LogEvent, MachineTime, PresentParticipant,
    Told, TrackKind,
};
use crate::sources::{Participant, Publication, SourceEvent, TrackId};

use super::clock::{Moment, RecordingClock};
use super::earlier::Earlier;
use super::gaps::{Gaps, gap};
use super::sink::{RecordSink, event};
use super::track::{Logged, Track};
use super::tracks::Tracks;

/// A stall of less recording time is none, ns.
const LEAST_STALL_NS: u64 = 500_000_000;

/// What else has to be done about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    Nothing,
    /// Tiles have other sizes now.
    LayoutChanged,
    /// A video track begins and should do so with a key frame.
    KeyframeExpected(TrackId),
    /// A video track cannot be decoded on.
    KeyframeWanted(TrackId),
    KeyframeArrived(TrackId),
    /// No key frame can come from this track for now.
    VideoStopped(TrackId),
}

/// The state of the log and the numbers about it.
pub struct Recorder {
    clock: RecordingClock,
    participants: Vec<Participant>,
    tracks: Tracks,
    gaps: Gaps,
    told: Told,
    /// No media is recorded for now.
    paused: bool,
    /// For how long recording time stood still, nanoseconds. RTP time went on.
    paused_ns: u64,
    first_frame_wall_ns: Option<i64>,
    frames: u64,
    bytes: u64,
}

impl Recorder {
    /// Begins a log.
    pub fn begin(
        clock: RecordingClock,
        started: LogEvent,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Self {
        event(sink, now, started);
        Self::new(clock, Earlier::default())
    }

    /// Goes on in a log that an earlier process wrote.
    pub fn resume(
        clock: RecordingClock,
        earlier: Earlier,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Self {
        // Another connection has other clocks and begins with key frames.
        for &track in &earlier.open_tracks {
            event(sink, now, LogEvent::TrackRemoved { track });
        }
        let from_ns = earlier.missing_since_ns();
        let mut recorder = Self::new(clock, earlier);
        // At once: this process may be killed before the first frame.
        if from_ns < now.time_ns {
            recorder.tell(gap(from_ns, now.time_ns, CAPTURE_RESTARTED), now, sink);
        }
        if !recorder.paused {
            recorder.gaps.goes_on(now.time_ns, CAPTURE_RESTARTED);
        }
        recorder
    }

    fn new(clock: RecordingClock, earlier: Earlier) -> Self {
        Self {
            clock,
            participants: earlier.participants,
            tracks: Tracks::new(earlier.last_track),
            gaps: Gaps::default(),
            told: earlier.told,
            paused: earlier.paused_since.is_some(),
            paused_ns: 0,
            first_frame_wall_ns: None,
            frames: 0,
            bytes: 0,
        }
    }

    /// Records an event.
    pub fn handle(
        &mut self,
        happened: SourceEvent,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Reaction {
        match happened {
            SourceEvent::Frame(frame) => self.frame(frame, now, sink),
            SourceEvent::SenderReport { id, rtp, ntp_ns } => {
                self.sender_report(&id, rtp, ntp_ns, now, sink);
                Reaction::Nothing
            }
            SourceEvent::ParticipantJoined(participant) => {
                event(
                    sink,
                    now,
                    LogEvent::ParticipantJoined {
                        participant: participant.id.clone(),
                        identity: participant.identity.clone(),
                        name: participant.name.clone(),
                    },
                );
                self.participants.push(participant);
                Reaction::LayoutChanged
            }
            SourceEvent::ParticipantRenamed { id, name } => {
                if let Some(known) = self.participants.iter_mut().find(|known| known.id == id) {
                    known.name.clone_from(&name);
                }
                let participant = id;
                event(
                    sink,
                    now,
                    LogEvent::ParticipantRenamed { participant, name },
                );
                Reaction::Nothing
            }
            SourceEvent::ParticipantLeft { id } => {
                self.participants.retain(|known| known.id != id);
                event(sink, now, LogEvent::ParticipantLeft { participant: id });
                Reaction::LayoutChanged
            }
            SourceEvent::TrackPublished(publication) => self.published(publication, now, sink),
            SourceEvent::TrackUpdated(publication) => self.updated(publication, now, sink),
            SourceEvent::TrackUnpublished { id } => self.unpublished(&id, now, sink),
            SourceEvent::TrackMuted { id, muted } => self.muted(&id, muted, now, sink),
            SourceEvent::TrackSubscribed { id } => self.subscribed(id),
            SourceEvent::Restored {
                media_lost_since, ..
            } => {
                event(sink, now, LogEvent::ConnectionRestored);
                if let Some(since) = media_lost_since {
                    let from_ns = self.clock.at(since);
                    self.gaps.restored(from_ns, now.time_ns, CONNECTION_LOST);
                    for track in self.tracks.iter_mut() {
                        track.interrupted = true;
                        track.await_frame(from_ns, CONNECTION_LOST);
                    }
                } else {
                    self.gaps.uninterrupted();
                }
                Reaction::Nothing
            }
            SourceEvent::Interrupted => {
                self.gaps.interrupted(now.time_ns);
                event(sink, now, LogEvent::ConnectionLost);
                Reaction::Nothing
            }
            SourceEvent::Ended(_) => Reaction::Nothing,
        }
    }

    /// Tells of an outage that no frame has ended. To be called about once a second.
    pub fn tick(&mut self, now: Moment, sink: &mut impl RecordSink) {
        if let Some(gap) = self.gaps.tick(now.time_ns) {
            self.tell(gap, now, sink);
        }
    }

    /// The process could not run since then: what came meanwhile may have found no room to wait.
    pub fn stalled(&mut self, since: Instant, now: Moment, sink: &mut impl RecordSink) {
        let from_ns = self.clock.at(since);
        // Recording time stood still meanwhile, up to now or until just now.
        if self.paused || now.time_ns.saturating_sub(from_ns) < LEAST_STALL_NS {
            return;
        }
        let told = gap(from_ns, now.time_ns, "stalled");
        self.tell(told, now, sink);
    }

    /// Leaves the log to a later process: tells what is missing up to now.
    pub fn suspend(&mut self, now: Moment, sink: &mut impl RecordSink) {
        for gap in self.gaps.end(now.time_ns) {
            self.tell(gap, now, sink);
        }
    }

    /// Ends the log.
    pub fn end(&mut self, reason: EndReason, now: Moment, sink: &mut impl RecordSink) {
        self.suspend(now, sink);
        event(sink, now, LogEvent::RecordingEnded { reason });
    }

    /// What the log has told so far, in a room of which the log says `room_id`.
    pub fn checkpoint(&self, room_id: String, paused_since: Option<MachineTime>) -> Checkpoint {
        let participants = self.participants.iter();
        Checkpoint {
            room_id,
            participants: participants
                .map(|participant| PresentParticipant {
                    participant: participant.id.clone(),
                    identity: participant.identity.clone(),
                    name: participant.name.clone(),
                })
                .collect(),
            open_tracks: self
                .tracks
                .iter()
                .filter_map(|track| track.logged.map(|logged| logged.number))
                .collect(),
            last_track: self.tracks.last_number(),
            paused_since,
            gaps: self.told.gaps().to_vec(),
            pauses: self.told.pauses().to_vec(),
        }
    }

    /// Gaps and pauses so far, with what is missing just now.
    pub fn told(&self, now: Moment) -> Told {
        let mut told = self.told.clone();
        if let Some(open) = self.gaps.open(now.time_ns) {
            told.take_in(now.time_ns, now.wall_ns, &open);
        }
        told
    }

    /// How many participants are in the room.
    pub fn participant_count(&self) -> usize {
        self.participants.len()
    }

    /// All published tracks, in the order of publication.
    pub fn publications(&self) -> impl Iterator<Item = &Publication> + Clone {
        self.tracks.iter().map(|track| &track.publication)
    }

    /// Frames appended, all tracks.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Media bytes appended, all tracks.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the first frame was appended, Unix nanoseconds.
    pub fn first_frame_wall_ns(&self) -> Option<i64> {
        self.first_frame_wall_ns
    }

    /// Participants and tracks for a snapshot; `layer` names the simulcast layer asked for.
    pub fn participants(&self, layer: impl Fn(&TrackId) -> String) -> Vec<ParticipantStatus> {
        self.participants
            .iter()
            .map(|participant| ParticipantStatus {
                id: participant.id.clone(),
                identity: participant.identity.clone(),
                name: participant.name.clone(),
                tracks: self
                    .tracks
                    .iter()
                    .filter(|track| track.publication.participant == participant.id)
                    .map(|track| track.status(&layer))
                    .collect(),
                level: None,
            })
            .collect()
    }

    /// Writes a gap or a pause.
    fn tell(&mut self, happened: LogEvent, now: Moment, sink: &mut impl RecordSink) {
        self.told.take_in(now.time_ns, now.wall_ns, &happened);
        event(sink, now, happened);
    }

    fn published(
        &mut self,
        publication: Publication,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Reaction {
        let id = publication.id.clone();
        let codec = publication.codec;
        let mut track = Track::new(publication);
        // Who is here before media is back was here, or is back as well.
        if let Some(reason) = self.gaps.out() {
            track.await_frame(now.time_ns, reason);
        }
        self.tracks.insert(track);
        if let Some(codec) = codec {
            self.log_track(&id, codec, None, now, sink);
        }
        Reaction::LayoutChanged
    }

    fn updated(
        &mut self,
        publication: Publication,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Reaction {
        let id = publication.id.clone();
        let codec = publication.codec;
        let Some(track) = self.tracks.get_mut(&id) else {
            return Reaction::Nothing;
        };
        track.publication = publication;
        if let (None, Some(codec)) = (track.logged, codec) {
            self.log_track(&id, codec, None, now, sink);
        }
        Reaction::LayoutChanged
    }

    fn unpublished(&mut self, id: &TrackId, now: Moment, sink: &mut impl RecordSink) -> Reaction {
        let Some(track) = self.tracks.remove(id) else {
            return Reaction::Nothing;
        };
        if let Some(logged) = track.logged {
            let track = logged.number;
            event(sink, now, LogEvent::TrackRemoved { track });
        }
        Reaction::VideoStopped(id.clone())
    }

    fn muted(
        &mut self,
        id: &TrackId,
        muted: bool,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Reaction {
        let Some(track) = self.tracks.get_mut(id) else {
            return Reaction::Nothing;
        };
        track.publication.muted = muted;
        track.awaited = None;
        track.last_frame_ns = None;
        if let Some(Logged { number: track, .. }) = track.logged {
            let told = if muted {
                LogEvent::TrackMuted { track }
            } else {
                LogEvent::TrackUnmuted { track }
            };
            event(sink, now, told);
        }
        match track.publication.kind {
            TrackKind::Video if muted => Reaction::VideoStopped(id.clone()),
            TrackKind::Video => Reaction::KeyframeExpected(id.clone()),
            TrackKind::Audio => Reaction::Nothing,
        }
    }

    fn subscribed(&mut self, id: TrackId) -> Reaction {
        let Some(track) = self.tracks.get_mut(&id) else {
            return Reaction::Nothing;
        };
        track.interrupted |= track.timeline.has_begun();
        if track.publication.kind == TrackKind::Video && !track.publication.muted {
            Reaction::KeyframeExpected(id)
        } else {
            Reaction::Nothing
        }
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
