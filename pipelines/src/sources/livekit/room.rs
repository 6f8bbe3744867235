//! Who is in the room and what they publish, as signalling tells it. Pure.

use livekit_protocol as proto;

use crate::log::{Codec, TrackKind, TrackSource};
use crate::sources::{Participant, Publication, SourceEvent, TrackId};

/// The room as it was last told.
#[derive(Debug, Default)]
pub struct Room {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    participant: Participant,
    /// 0 when it was not told.
    joined_at_ms: i64,
    tracks: Vec<Publication>,
}

impl Room {
    /// A room in which `participants` were seen before, with no tracks.
    pub fn with_participants(participants: Vec<Participant>) -> Self {
        let members = participants
            .into_iter()
            .map(|participant| Member {
                participant,
                joined_at_ms: 0,
                tracks: Vec::new(),
            })
            .collect();
        Self { members }
    }

    /// Takes a list of everybody; who is not on it has left.
    pub fn replace(&mut self, mut everybody: Vec<proto::ParticipantInfo>) -> Vec<SourceEvent> {
        // The server's list has no order; tiles follow the order of joining.
        everybody.sort_by(|a, b| {
            joined_at_ms(a)
                .cmp(&joined_at_ms(b))
                .then_with(|| a.sid.cmp(&b.sid))
        });
        let mut events = Vec::new();
        let absent: Vec<String> = self
            .members
            .iter()
            .map(|member| member.participant.id.clone())
            .filter(|id| !everybody.iter().any(|info| info.sid == *id))
            .collect();
        for id in absent {
            self.remove(&id, &mut events);
        }
        for info in everybody {
            self.apply(info, &mut events);
        }
        events
    }

    /// Takes news of some.
    pub fn update(&mut self, some: Vec<proto::ParticipantInfo>) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        for info in some {
            self.apply(info, &mut events);
        }
        events
    }

    /// The published track with this id.
    pub fn publication(&self, id: &str) -> Option<&Publication> {
        self.members
            .iter()
            .flat_map(|member| &member.tracks)
            .find(|track| &*track.id == id)
    }

    /// The ids of all published tracks.
    pub fn track_ids(&self) -> Vec<String> {
        self.members
            .iter()
            .flat_map(|member| &member.tracks)
            .map(|track| track.id.to_string())
            .collect()
    }

    fn apply(&mut self, info: proto::ParticipantInfo, events: &mut Vec<SourceEvent>) {
        use proto::participant_info::{Kind, State};
        if info.kind() == Kind::Egress {
            return;
        }
        if info.state() == State::Disconnected {
            self.remove(&info.sid, events);
            return;
        }
        // An identity is in a room once. The server does not always say that the one before left.
        let namesake = self.members.iter().find(|member| {
            member.participant.identity == info.identity && member.participant.id != info.sid
        });
        if let Some(namesake) = namesake {
            if namesake.joined_at_ms > joined_at_ms(&info) {
                return;
            }
            let id = namesake.participant.id.clone();
            self.remove(&id, events);
        }
        let known = self
            .members
            .iter()
            .position(|member| member.participant.id == info.sid);
        let member = match known {
            Some(index) => {
                let member = &mut self.members[index];
                if member.participant.name != info.name {
                    member.participant.name.clone_from(&info.name);
                    events.push(SourceEvent::ParticipantRenamed {
                        id: info.sid.clone(),
                        name: info.name.clone(),
                    });
                }
                member
            }
            None => {
                let participant = Participant {
                    id: info.sid.clone(),
                    identity: info.identity.clone(),
                    name: info.name.clone(),
                };
                events.push(SourceEvent::ParticipantJoined(participant.clone()));
                self.members.push(Member {
                    participant,
                    joined_at_ms: joined_at_ms(&info),
                    tracks: Vec::new(),
                });
                let last = self.members.len() - 1;
                &mut self.members[last]
            }
        };
        member.update_tracks(&info.tracks, events);
    }

    fn remove(&mut self, id: &str, events: &mut Vec<SourceEvent>) {
        let Some(index) = self
            .members
            .iter()
            .position(|member| member.participant.id == id)
        else {
            return;
        };
        let member = self.members.remove(index);
        for track in member.tracks {
            events.push(SourceEvent::TrackUnpublished { id: track.id });
        }
        events.push(SourceEvent::ParticipantLeft { id: id.to_owned() });
    }
}

impl Member {
    fn update_tracks(&mut self, tracks: &[proto::TrackInfo], events: &mut Vec<SourceEvent>) {
        self.tracks.retain(|known| {
            let stays = tracks.iter().any(|track| *track.sid == *known.id);
            if !stays {
                events.push(SourceEvent::TrackUnpublished {
                    id: known.id.clone(),
                });
            }
            stays
        });
        for track in tracks {
            let Some(news) = publication(&self.participant.id, track) else {
                continue;
            };
            let Some(known) = self.tracks.iter_mut().find(|known| known.id == news.id) else {
                self.tracks.push(news.clone());
                events.push(SourceEvent::TrackPublished(news));
                continue;
            };
            let muted = news.muted;
            if known.muted != muted {
                known.muted = muted;
                events.push(SourceEvent::TrackMuted {
                    id: news.id.clone(),
                    muted,
                });
            }
            if *known != news {
                *known = news.clone();
                events.push(SourceEvent::TrackUpdated(news));
            }
        }
    }
}

fn joined_at_ms(info: &proto::ParticipantInfo) -> i64 {
    // Servers before 1.8 tell seconds only.
    if info.joined_at_ms > 0 {
        info.joined_at_ms
    } else {
        info.joined_at.saturating_mul(1000)
    }
}

fn publication(participant: &str, track: &proto::TrackInfo) -> Option<Publication> {
    let kind = match track.r#type() {
        proto::TrackType::Audio => TrackKind::Audio,
        proto::TrackType::Video => TrackKind::Video,
        proto::TrackType::Data => return None,
    };
    Some(Publication {
        id: TrackId::from(track.sid.as_str()),
        participant: participant.to_owned(),
        kind,
        source: source(track.source()),
        codec: codec(&track.mime_type),
        muted: track.muted,
        width: track.width,
        height: track.height,
        layer_heights: layer_heights(track),
    })
}

fn source(source: proto::TrackSource) -> TrackSource {
    match source {
        proto::TrackSource::Camera => TrackSource::Camera,
        proto::TrackSource::Microphone => TrackSource::Microphone,
        proto::TrackSource::ScreenShare => TrackSource::ScreenShare,
        proto::TrackSource::ScreenShareAudio => TrackSource::ScreenShareAudio,
        proto::TrackSource::Unknown => TrackSource::Unknown,
    }
}

/// The codec that a MIME type names; none while the server does not know it. RED carries Opus.
fn codec(mime_type: &str) -> Option<Codec> {
    let name = mime_type.rsplit('/').next().unwrap_or_default();
    let codec = match name.to_ascii_lowercase().as_str() {
        "" => return None,
        "vp8" => Codec::Vp8,
        "h264" => Codec::H264,
        "vp9" => Codec::Vp9,
        "av1" => Codec::Av1,
        "opus" | "red" => Codec::Opus,
        _ => Codec::Unknown,
    };
    Some(codec)
}

fn layer_heights(track: &proto::TrackInfo) -> Vec<u32> {
    let layers = track
        .codecs
        .iter()
        .find(|codec| codec.mime_type.eq_ignore_ascii_case(&track.mime_type))
        .map(|codec| &codec.layers);
    #[allow(deprecated)] // Servers before 1.9 tell layers only here.
    let layers = match layers {
        Some(layers) if !layers.is_empty() => layers,
        _ => &track.layers,
    };
    let mut heights: Vec<u32> = layers
        .iter()
        .map(|layer| layer.height)
        .filter(|height| *height > 0)
        .collect();
    heights.sort_unstable();
    heights
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
