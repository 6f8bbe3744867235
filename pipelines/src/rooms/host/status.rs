use crate::control::{ParticipantStatus, RoomStatus, RoomsSnapshot, TrackStatus};
use crate::log::Codec;

use super::super::media::RoomTrack;
use super::super::ports::Ports;
use super::super::room::Room;
use super::{Host, Track};

impl Host {
    /// The whole state.
    pub(super) fn snapshot(&self) -> RoomsSnapshot {
        let texts = |addresses: Vec<std::net::SocketAddr>| -> Vec<String> {
            addresses.iter().map(ToString::to_string).collect()
        };
        let mut rooms: Vec<RoomStatus> = self
            .rooms
            .iter()
            .map(|(name, room)| self.room_status(name, room))
            .collect();
        rooms.sort_by(|a, b| (a.since_ms, &a.name).cmp(&(b.since_ms, &b.name)));
        RoomsSnapshot {
            rooms,
            udp: self
                .ports
                .as_ref()
                .map(Ports::udp)
                .map_or_else(Vec::new, texts),
            tcp: self
                .ports
                .as_ref()
                .map(Ports::tcp)
                .map_or_else(Vec::new, texts),
        }
    }

    fn room_status(&self, name: &str, room: &Room) -> RoomStatus {
        let participants = room
            .participants()
            .map(|(participant, tracks)| ParticipantStatus {
                id: participant.id.clone(),
                identity: participant.identity.clone(),
                name: participant.name.clone(),
                tracks: tracks.into_iter().map(|t| self.track_status(t)).collect(),
                level: None,
            })
            .collect();
        let captures = self.captures.values();
        RoomStatus {
            name: name.to_owned(),
            id: room.id.clone(),
            since_ms: room.since_ms,
            participants,
            captures: captures.filter(|capture| capture.room == name).count(),
        }
    }

    fn track_status(&self, known: &RoomTrack) -> TrackStatus {
        let mut tracks = self.sessions.values().flat_map(|session| &session.tracks);
        let received: Option<&Track> = tracks.find(|track| track.number == known.track);
        let codec = received.and_then(|track| track.codec).or(known.codec);
        TrackStatus {
            id: known.id.clone(),
            kind: known.kind.name().to_owned(),
            source: known.source.name().to_owned(),
            codec: codec.map_or("", Codec::name).to_owned(),
            width: known.width,
            height: known.height,
            layer: received.map_or("", Track::layer).to_owned(),
            muted: known.muted,
            frames: received.map_or(0, |track| track.frames),
            bytes: received.map_or(0, |track| track.bytes),
            packets_lost: received.map_or(0, |track| track.packets_lost),
        }
    }
}
