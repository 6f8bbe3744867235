//! Who is in a room and what they publish. Pure.

use crate::control::WhipMedia;
use crate::log::{Codec, TrackKind, TrackSource};

use super::ids::draw;
use super::media::{MediaEvent, RoomParticipant, RoomState, RoomTrack, TrackNumber};

/// A session's number within the rooms process; never given twice.
pub type SessionNumber = u64;

/// A room with publishers, or one that is recorded.
#[derive(Debug)]
pub struct Room {
    /// `RM_…`
    pub id: String,
    /// When it came into being, Unix ms.
    pub since_ms: i64,
    /// In the order in which they came.
    members: Vec<Member>,
}

/// Somebody who publishes, or is about to.
#[derive(Debug)]
struct Member {
    participant: RoomParticipant,
    sessions: Vec<Session>,
}

#[derive(Debug)]
struct Session {
    number: SessionNumber,
    media: WhipMedia,
    name: String,
    /// Whether its connection is up. Before that captures are not told of it, and the session
    /// whose place it takes goes on.
    connected: bool,
    tracks: Vec<RoomTrack>,
}

/// Who publishes by a session, and what.
#[derive(Clone, Debug)]
pub struct Publisher {
    pub session: SessionNumber,
    pub identity: String,
    pub name: String,
    pub media: WhipMedia,
    pub tracks: Vec<NewTrack>,
}

/// A track that a session offers.
#[derive(Clone, Debug)]
pub struct NewTrack {
    pub number: TrackNumber,
    pub kind: TrackKind,
    /// When only one can come.
    pub codec: Option<Codec>,
}

/// What a change of the room brings about.
#[derive(Debug, Default, PartialEq)]
pub struct Change {
    /// For captures, in order.
    pub events: Vec<MediaEvent>,
    /// Sessions whose place was taken. They are no longer of the room and are to be closed.
    pub replaced: Vec<SessionNumber>,
}

impl Room {
    /// An empty room that comes into being at this time, Unix ms.
    pub fn new(since_ms: i64) -> Self {
        Self {
            id: draw("RM_"),
            since_ms,
            members: Vec::new(),
        }
    }

    /// Somebody's offer was answered. Returns sessions that had not come further than this one and
    /// whose place it takes.
    pub fn announce(&mut self, publisher: Publisher) -> Vec<SessionNumber> {
        let at = self
            .members
            .iter()
            .position(|member| member.participant.identity == publisher.identity);
        let at = at.unwrap_or_else(|| {
            self.members.push(Member {
                participant: RoomParticipant {
                    id: draw("PA_"),
                    identity: publisher.identity.clone(),
                    name: publisher.name.clone(),
                },
                sessions: Vec::new(),
            });
            self.members.len() - 1
        });
        let member = &mut self.members[at];
        let replaced =
            member.take(|session| !session.connected && session.media == publisher.media);
        let tracks = publisher.tracks.iter().map(|track| RoomTrack {
            track: track.number,
            id: draw("TR_"),
            participant: member.participant.id.clone(),
            kind: track.kind,
            source: source(publisher.media, track.kind),
            codec: track.codec,
            muted: false,
            width: 0,
            height: 0,
            layer_heights: Vec::new(),
        });
        let tracks = tracks.collect();
        member.sessions.push(Session {
            number: publisher.session,
            media: publisher.media,
            name: publisher.name,
            connected: false,
            tracks,
        });
        replaced.iter().map(|session| session.number).collect()
    }

    /// A session's connection is up: it is in the room now.
    pub fn connected(&mut self, number: SessionNumber) -> Change {
        let mut change = Change::default();
        let Some(member) = self.member_of(number) else {
            return change;
        };
        let was_there = member.is_there();
        let Some(session) = member.sessions.iter_mut().find(|s| s.number == number) else {
            return change;
        };
        if session.connected {
            return change;
        }
        session.connected = true;
        let (media, name) = (session.media, session.name.clone());
        let published = session.tracks.clone();
        let replaced =
            member.take(|other| other.connected && other.media == media && other.number != number);
        for session in &replaced {
            change.replaced.push(session.number);
            change.events.extend(unpublished(session));
        }
        let renamed = member.participant.name != name;
        member.participant.name = name;
        if !was_there {
            let joined = member.participant.clone();
            change.events.push(MediaEvent::ParticipantJoined(joined));
        } else if renamed {
            change.events.push(MediaEvent::ParticipantRenamed {
                id: member.participant.id.clone(),
                name: member.participant.name.clone(),
            });
        }
        let published = published.into_iter().map(MediaEvent::TrackPublished);
        change.events.extend(published);
        change
    }

    /// A session is over. Returns what captures are told.
    pub fn ended(&mut self, number: SessionNumber) -> Vec<MediaEvent> {
        let mut events = Vec::new();
        let Some(member) = self.member_of(number) else {
            return events;
        };
        let was_there = member.is_there();
        for session in member.take(|session| session.number == number) {
            if session.connected {
                events.extend(unpublished(&session));
            }
        }
        if was_there && !member.is_there() {
            let id = member.participant.id.clone();
            events.push(MediaEvent::ParticipantLeft { id });
            // Who comes back is somebody else to captures.
            member.renew();
        }
        self.members.retain(|member| !member.sessions.is_empty());
        events
    }

    /// Changes what is known of a track. Returns what captures are told, if it is another then.
    pub fn update(
        &mut self,
        number: TrackNumber,
        change: impl FnOnce(&mut RoomTrack),
    ) -> Option<MediaEvent> {
        let mut sessions = self.members.iter_mut().flat_map(|m| m.sessions.iter_mut());
        let (track, connected) = sessions.find_map(|session| {
            let connected = session.connected;
            let track = session.tracks.iter_mut().find(|t| t.track == number)?;
            Some((track, connected))
        })?;
        let before = track.clone();
        change(track);
        (connected && *track != before).then(|| MediaEvent::TrackUpdated(track.clone()))
    }

    /// What a capture is told that comes now.
    pub fn state(&self) -> RoomState {
        let mut state = RoomState {
            id: self.id.clone(),
            ..RoomState::default()
        };
        for member in self.members.iter().filter(|member| member.is_there()) {
            state.participants.push(member.participant.clone());
            let connected = member.sessions.iter().filter(|session| session.connected);
            state
                .tracks
                .extend(connected.flat_map(|session| session.tracks.iter().cloned()));
        }
        // Numbers grow.
        state.tracks.sort_by_key(|track| track.track);
        state
    }

    /// All participants with their tracks, also those whose connection is not up yet.
    pub fn participants(&self) -> impl Iterator<Item = (&RoomParticipant, Vec<&RoomTrack>)> {
        self.members.iter().map(|member| {
            let sessions = member.sessions.iter();
            // What takes a place is listed instead of what it replaces only when it has it.
            let shown = sessions.filter(|session| {
                session.connected
                    || !member
                        .sessions
                        .iter()
                        .any(|other| other.connected && other.media == session.media)
            });
            let tracks = shown.flat_map(|session| &session.tracks).collect();
            (&member.participant, tracks)
        })
    }

    /// The sessions that a new one of this identity and media would replace.
    pub fn replaceable(&self, identity: &str, media: WhipMedia) -> usize {
        let members = self.members.iter();
        members
            .filter(|member| member.participant.identity == identity)
            .flat_map(|member| &member.sessions)
            .filter(|session| session.media == media)
            .count()
    }

    /// Whether nobody publishes, or is about to.
    pub fn is_deserted(&self) -> bool {
        self.members.is_empty()
    }

    fn member_of(&mut self, number: SessionNumber) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| member.sessions.iter().any(|s| s.number == number))
    }
}

impl Member {
    /// Whether captures know of it.
    fn is_there(&self) -> bool {
        self.sessions.iter().any(|session| session.connected)
    }

    fn take(&mut self, which: impl Fn(&Session) -> bool) -> Vec<Session> {
        let (taken, rest) = self.sessions.drain(..).partition(which);
        self.sessions = rest;
        taken
    }

    fn renew(&mut self) {
        self.participant.id = draw("PA_");
        for track in self.sessions.iter_mut().flat_map(|s| s.tracks.iter_mut()) {
            track.participant.clone_from(&self.participant.id);
        }
    }
}

fn unpublished(session: &Session) -> impl Iterator<Item = MediaEvent> {
    session
        .tracks
        .iter()
        .map(|track| MediaEvent::TrackUnpublished { track: track.track })
}

fn source(media: WhipMedia, kind: TrackKind) -> TrackSource {
    match (media, kind) {
        (WhipMedia::Camera, TrackKind::Video) => TrackSource::Camera,
        (WhipMedia::Camera, TrackKind::Audio) => TrackSource::Microphone,
        (WhipMedia::Screen, TrackKind::Video) => TrackSource::ScreenShare,
        (WhipMedia::Screen, TrackKind::Audio) => TrackSource::ScreenShareAudio,
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
