//! The media side of one session: the peer connection and which media section carries what.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Instant;

use livekit_protocol as proto;
use str0m::media::Mid;

use crate::log::TrackKind;
use crate::sources::peer::{Peer, PeerError, PeerEvent, PeerFrame};
use crate::sources::{SourceEvent, SourceFrame, TrackId, picture_size};

use super::room::Room;

/// Pictures that a server makes up are no larger, pixels.
const BLANK_PICTURE_SIZE: u32 = 16;

/// A peer connection with the server's names for its media sections.
pub struct MediaSession {
    peer: Peer,
    /// Media sections are used again for other tracks; only the server's offers tell.
    tracks: HashMap<Mid, TrackId>,
    /// What frames made up by the server end with.
    injected_trailer: Vec<u8>,
    /// Tracks with made-up frames since the last real one.
    injected: HashSet<TrackId>,
    offer: Option<proto::SessionDescription>,
    answer: Option<proto::SessionDescription>,
}

impl MediaSession {
    /// A peer connection to the server at `server`.
    ///
    /// # Errors
    /// No socket could be opened.
    pub fn new(server: IpAddr, injected_trailer: Vec<u8>) -> Result<Self, PeerError> {
        Ok(Self {
            peer: Peer::new(server)?,
            tracks: HashMap::new(),
            injected_trailer,
            injected: HashSet::new(),
            offer: None,
            answer: None,
        })
    }

    /// Answers the server's offer. Returns the answer and the tracks that can now send.
    ///
    /// # Errors
    /// The offer cannot be answered.
    pub fn accept(
        &mut self,
        offer: proto::SessionDescription,
    ) -> Result<(proto::SessionDescription, Vec<TrackId>), PeerError> {
        let named: HashMap<Mid, TrackId> = offer
            .mid_to_track_id
            .iter()
            .map(|(mid, id)| (Mid::from(mid.as_str()), TrackId::from(id.as_str())))
            .collect();
        let mut fresh = Vec::new();
        for (mid, id) in &named {
            if self.tracks.get(mid) != Some(id) {
                self.peer.forget_media(*mid);
                fresh.push(id.clone());
            }
        }
        let sdp = self.peer.accept_offer(&offer.sdp)?;
        let answer = proto::SessionDescription {
            r#type: "answer".to_owned(),
            sdp,
            id: offer.id,
            ..Default::default()
        };
        self.injected
            .retain(|id| named.values().any(|known| known == id));
        self.tracks = named;
        self.offer = Some(offer);
        self.answer = Some(answer.clone());
        Ok((answer, fresh))
    }

    /// Takes a candidate of the server, in the JSON that browsers use for one.
    pub fn add_candidate(&mut self, candidate_init: &str) {
        let parsed = serde_json::from_str::<serde_json::Value>(candidate_init);
        let line = parsed
            .as_ref()
            .ok()
            .and_then(|init| init.get("candidate"))
            .and_then(|line| line.as_str())
            .unwrap_or_default();
        if !line.is_empty() {
            self.peer.add_remote_candidate(line);
        }
    }

    /// Asks the publisher of a track for a key frame.
    pub fn request_keyframe(&mut self, id: &TrackId) {
        let mid = self.tracks.iter().find(|(_, track)| *track == id);
        if let Some((mid, _)) = mid {
            self.peer.request_keyframe(*mid);
        }
    }

    /// What a resumed session tells the server about the state of its negotiation.
    pub fn sync_state(&self, unsubscribed: Vec<String>) -> proto::SyncState {
        proto::SyncState {
            offer: self.offer.clone(),
            answer: self.answer.clone(),
            subscription: Some(proto::UpdateSubscription {
                track_sids: unsubscribed,
                subscribe: false,
                participant_tracks: Vec::new(),
            }),
            ..Default::default()
        }
    }

    /// Whether an offer was answered.
    pub fn is_negotiated(&self) -> bool {
        self.peer.is_negotiated()
    }

    /// Whether media can arrive.
    pub fn is_connected(&self) -> bool {
        self.peer.is_connected()
    }

    /// When the last packet of any kind arrived.
    pub fn last_received(&self) -> Option<Instant> {
        self.peer.last_received()
    }

    /// Drives the peer connection. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> PeerEvent {
        self.peer.next().await
    }

    /// A frame as the recorder wants it; none when the server made it up or its track is unknown.
    pub fn frame(&mut self, frame: PeerFrame, room: &Room) -> Option<SourceEvent> {
        let id = self.track_of(frame.mid)?;
        if self.is_injected(&frame) {
            self.injected.insert(id);
            return None;
        }
        // The picture that the frame refers to is older than the made-up ones, and the server
        // may have begun with another.
        let after_injected = self.injected.remove(&id)
            && room
                .publication(&id)
                .is_some_and(|track| track.kind == TrackKind::Video);
        Some(SourceEvent::Frame(SourceFrame {
            contiguous: frame.contiguous && (!after_injected || frame.keyframe),
            id,
            codec: frame.codec,
            clock_rate: frame.clock_rate,
            keyframe: frame.keyframe,
            rtp: frame.rtp,
            packets_lost: frame.packets_lost,
            payload: frame.payload,
        }))
    }

    /// Whether the server made the frame up, to blank a picture that ends. Most say so in a trailer.
    fn is_injected(&self, frame: &PeerFrame) -> bool {
        let trailer = &self.injected_trailer;
        let marked = !trailer.is_empty() && frame.payload.ends_with(trailer);
        marked
            || frame.keyframe
                && picture_size(frame.codec, &frame.payload).is_some_and(|(width, height)| {
                    width <= BLANK_PICTURE_SIZE && height <= BLANK_PICTURE_SIZE
                })
    }

    /// The track that a media section carries now.
    pub fn track_of(&self, mid: Mid) -> Option<TrackId> {
        if let Some(id) = self.tracks.get(&mid) {
            return Some(id.clone());
        }
        // Servers before 1.8 name tracks only in the session description.
        if !self.tracks.is_empty() {
            return None;
        }
        self.peer.described_track(mid).map(TrackId::from)
    }
}
