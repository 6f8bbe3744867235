//! What captures get, and what they ask for.

use std::collections::HashMap;
use std::time::Instant;

use str0m::media::{Mid, Rid};

use crate::process::now_wall_ns;
use crate::sources::peer::PeerFrame;

use super::super::media::{CaptureId, MediaEvent, MediaNotice, RoomTrack, TrackNumber};
use super::super::room::{Room, SessionNumber};
use super::super::session::Order;
use super::track::{News, Track};
use super::{Host, Session};

/// A capture that takes a room's media.
pub struct Capture {
    pub room: String,
    /// Heights of pictures that are enough for it, pixels.
    heights: HashMap<TrackNumber, u32>,
}

impl Capture {
    /// Forgets what it asked of tracks that are no more.
    pub fn forget(&mut self, tracks: &[Track]) {
        self.heights
            .retain(|number, _| !tracks.iter().any(|track| track.number == *number));
    }
}

impl Host {
    /// A publisher's frame goes to the captures of its room.
    pub(super) fn on_frame(&mut self, number: SessionNumber, frame: PeerFrame) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let mid = frame.mid;
        let Some(track) = session.tracks.iter_mut().find(|track| track.mid == mid) else {
            return;
        };
        let received = track.receive(frame, Instant::now());
        if let Some(rid) = received.ask {
            let rid = Some(rid);
            // One that is full asks again with the next frame.
            let _ = session.orders.try_send(Order::AskKeyframe { mid, rid });
        }
        let track = track.number;
        if received.news != News::default()
            && let Some(room) = self.rooms.get_mut(&session.room)
            && let Some(event) = room.update(track, |track| received.news.tell(track))
        {
            self.captures_end.tell(&session.room, &event);
        }
        if let Some(frame) = received.frame {
            self.captures_end.send_frame(&session.room, frame);
        }
    }

    /// A publisher's sender report likewise.
    pub(super) fn on_report(
        &mut self,
        number: SessionNumber,
        (mid, rid): (Mid, Option<Rid>),
        rtp: u32,
        ntp_ns: i64,
    ) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let Some(track) = session.tracks.iter_mut().find(|track| track.mid == mid) else {
            return;
        };
        if let Some(rtp) = track.report(rid, rtp, ntp_ns) {
            let track = track.number;
            let event = MediaEvent::SenderReport { track, rtp, ntp_ns };
            self.captures_end.tell(&session.room, &event);
        }
    }

    /// A capture came, went, or asks for something.
    pub fn on_notice(&mut self, notice: MediaNotice) {
        match notice {
            MediaNotice::Subscribed { capture, room } => {
                log::info!("room {room} is recorded");
                let state = self
                    .rooms
                    .entry(room.clone())
                    .or_insert_with(|| Room::new(now_wall_ns() / 1_000_000))
                    .state();
                self.captures_end.admit(capture, state);
                self.ask_keyframes(&room);
                let heights = HashMap::new();
                self.captures.insert(capture, Capture { room, heights });
                // It shall have the largest layers until it says what it needs.
                self.choose_layers();
                self.publish();
            }
            MediaNotice::KeyFrameWanted { capture, track } => {
                if self.is_in_its_room(capture, track) {
                    self.ask_keyframe(track);
                }
            }
            MediaNotice::VideoSizeWanted {
                capture,
                track,
                height,
                ..
            } => {
                if self.is_in_its_room(capture, track)
                    && let Some(capture) = self.captures.get_mut(&capture)
                {
                    capture.heights.insert(track, height);
                    self.choose_layers();
                }
            }
            MediaNotice::Left { capture } => {
                if let Some(capture) = self.captures.remove(&capture) {
                    self.choose_layers();
                    self.tidy(&capture.room);
                    self.publish();
                }
            }
        }
    }

    fn is_in_its_room(&self, capture: CaptureId, number: TrackNumber) -> bool {
        self.captures.get(&capture).is_some_and(|capture| {
            self.sessions.values().any(|session| {
                session.room == capture.room && session.tracks.iter().any(|t| t.number == number)
            })
        })
    }

    fn ask_keyframe(&mut self, number: TrackNumber) {
        for session in self.sessions.values_mut() {
            session.ask_keyframes(|track| track.number == number);
        }
    }

    /// A recording begins with fresh pictures of everybody.
    fn ask_keyframes(&mut self, room: &str) {
        let sessions = self.sessions.values_mut();
        for session in sessions.filter(|session| session.room == room) {
            session.ask_keyframes(|_| true);
        }
    }

    /// Each track is taken as large as the capture needs it that needs it largest.
    fn choose_layers(&mut self) {
        let captures: Vec<&Capture> = self.captures.values().collect();
        for session in self.sessions.values_mut() {
            let mut of_room = captures
                .iter()
                .filter(|capture| capture.room == session.room)
                .peekable();
            if of_room.peek().is_none() {
                continue;
            }
            let of_room: Vec<_> = of_room.collect();
            for track in &mut session.tracks {
                let heights = of_room
                    .iter()
                    .map(|capture| capture.heights.get(&track.number).copied());
                // One that said nothing needs the largest.
                let largest = heights.collect::<Option<Vec<u32>>>();
                track.want_height(largest.and_then(|heights| heights.into_iter().max()));
            }
        }
    }
}

impl Session {
    fn ask_keyframes(&mut self, of: impl Fn(&Track) -> bool) {
        let now = Instant::now();
        for track in self.tracks.iter_mut().filter(|track| of(track)) {
            if let Some(rid) = track.ask_keyframe(now) {
                let mid = track.mid;
                // Captures ask again until a key frame comes.
                let _ = self.orders.try_send(Order::AskKeyframe { mid, rid });
            }
        }
    }
}

impl News {
    fn tell(&self, track: &mut RoomTrack) {
        if let Some(codec) = self.codec {
            track.codec = Some(codec);
        }
        if let Some((width, height)) = self.size {
            (track.width, track.height) = (width, height);
        }
        if let Some(heights) = &self.layer_heights {
            track.layer_heights.clone_from(heights);
        }
    }
}
