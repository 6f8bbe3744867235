//! A recorder's presence in a room, through lost connections and new rooms processes.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::control::{EndReason, Failure};
use crate::log::TrackKind;
use crate::rooms::media::wire::Message;
use crate::rooms::media::{MediaEvent, MediaFrame, MediaRequest, RoomState, TrackNumber};
use crate::sources::{Joined, Known, Participant, SourceEvent, SourceFrame, TrackId};

use super::connection::{ConnectError, Connection};
use super::join::join_patiently;
use super::room::Room;

/// The first and the longest pause between two attempts to connect again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

type Opened = Result<(Connection, RoomState), ConnectError>;

/// A room of the rooms process.
pub struct WhipSource {
    socket: PathBuf,
    room_name: String,
    /// How long an interruption may last.
    give_up_after: Duration,
    link: Link,
    room: Room,
    room_id: String,
    /// Tracks of which there was a frame on this connection.
    begun: HashSet<TrackNumber>,
    interruption: Option<Interruption>,
    told: VecDeque<SourceEvent>,
}

enum Link {
    Up(Box<Connection>),
    /// The next attempt is made then.
    Down(Instant),
    Connecting(JoinHandle<Opened>),
    /// For good.
    Closed,
}

/// From the loss of the connection until media can be had again.
#[derive(Clone, Copy, Debug)]
struct Interruption {
    media_lost_since: Instant,
    /// Since when there is, or was last, no connection.
    disconnected_since: Instant,
    attempts: u32,
    /// Somebody published.
    publishers_lost: bool,
}

/// Whether those who published when an earlier process was in the room were the publishers of
/// another rooms process, and have not published again.
fn had_other_publishers(known: &Known, state: &RoomState) -> bool {
    let is_back = |known: &Participant| {
        let mut present = state.participants.iter();
        present.any(|present| present.id == known.id)
    };
    let is_another = state.id != known.room_id && !known.participants.is_empty();
    let nobody_is_back = !known.participants.iter().any(is_back);
    let waited = known.was_disconnected && state.tracks.is_empty();
    waited || (is_another && nobody_is_back)
}

enum Happening {
    Message(Message),
    Lost(String),
    Opened(Box<Opened>),
    Deadline,
}

impl WhipSource {
    /// Asks the rooms process at `socket` for a room; tries for about eight seconds while it is
    /// not there. `known` is what an earlier process saw of the room.
    ///
    /// # Errors
    /// The rooms process is not there, hangs, or refuses.
    pub async fn join(
        socket: &Path,
        room_name: &str,
        known: Known,
        give_up_after: Duration,
    ) -> Result<(Self, Joined), Failure> {
        let (connection, state) = join_patiently(socket, room_name).await?;
        let joined = Joined {
            room_id: state.id.clone(),
            at: Instant::now(),
        };
        let publishers_lost = had_other_publishers(&known, &state);
        let mut source = Self {
            socket: socket.to_path_buf(),
            room_name: room_name.to_owned(),
            give_up_after,
            link: Link::Up(Box::new(connection)),
            room: Room::with_participants(known.participants),
            room_id: state.id.clone(),
            begun: HashSet::new(),
            interruption: None,
            told: VecDeque::new(),
        };
        if publishers_lost {
            // Theirs was with the process before: media is back when the first of them is.
            log::info!("joined a new rooms process, waiting for publishers");
            source.interruption = Some(Interruption {
                media_lost_since: joined.at,
                disconnected_since: joined.at,
                attempts: 0,
                publishers_lost,
            });
            source.told.push_back(SourceEvent::Interrupted);
        }
        source.told.extend(source.room.replace(state));
        source.begin_tracks();
        Ok((source, joined))
    }

    /// The next event; never returns after [`SourceEvent::Ended`] and [`WhipSource::release`].
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> SourceEvent {
        loop {
            if let Some(event) = self.told.pop_front() {
                return event;
            }
            match self.wait().await {
                Happening::Message(Message::Event(event)) => self.on_event(*event),
                Happening::Message(Message::Frame(frame)) => self.on_frame(frame),
                Happening::Message(Message::Unknown) => {}
                Happening::Lost(why) => {
                    log::warn!("the connection to the rooms process is lost: {why}");
                    self.interrupt();
                }
                Happening::Opened(opened) => self.on_opened(*opened),
                Happening::Deadline => self.on_deadline(),
            }
        }
    }

    /// Asks the publisher of a track for a key frame.
    pub fn request_keyframe(&mut self, id: &TrackId) {
        if let Some(track) = self.room.number(id) {
            self.ask(&MediaRequest::KeyFrame { track });
        }
    }

    /// Asks for the simulcast layer of a video track that fits a picture of this size, pixels.
    /// `frame_rate` 0 is for all frames there are.
    pub fn set_video_size(&mut self, id: &TrackId, width: u32, height: u32, frame_rate: u32) {
        if let Some(track) = self.room.number(id) {
            self.ask(&MediaRequest::VideoSize {
                track,
                width,
                height,
                frame_rate,
            });
        }
    }

    /// Gives all media back, for good.
    pub fn release(&mut self) {
        if let Link::Connecting(attempt) = &self.link {
            attempt.abort();
        }
        self.told.clear();
        self.link = Link::Closed;
    }

    /// Says good-bye.
    pub fn leave(mut self) {
        self.release();
    }

    async fn wait(&mut self) -> Happening {
        let give_up_at = self.give_up_at();
        match &mut self.link {
            Link::Up(connection) => match connection.next().await {
                Ok(message) => Happening::Message(message),
                Err(error) => Happening::Lost(error.to_string()),
            },
            Link::Down(retry_at) => {
                let deadline = give_up_at.map_or(*retry_at, |at| at.min(*retry_at));
                tokio::time::sleep_until(deadline.into()).await;
                Happening::Deadline
            }
            // It ends by itself in a few seconds.
            Link::Connecting(attempt) => {
                let opened = attempt.await.unwrap_or_else(|error| {
                    Err(ConnectError::Broken(format!("the attempt ended: {error}")))
                });
                Happening::Opened(Box::new(opened))
            }
            Link::Closed => std::future::pending().await,
        }
    }

    fn on_event(&mut self, event: MediaEvent) {
        if let MediaEvent::Room(state) = &event {
            self.room_id.clone_from(&state.id);
        }
        for event in self.room.update(event) {
            let published = match &event {
                SourceEvent::TrackPublished(track) => Some(track.id.clone()),
                _ => None,
            };
            self.told.push_back(event);
            if let Some(id) = published {
                self.told.push_back(SourceEvent::TrackSubscribed { id });
            }
        }
        let room = &self.room;
        self.begun
            .retain(|track| room.publication(*track).is_some());
    }

    fn on_frame(&mut self, frame: MediaFrame) {
        let Some(track) = self.room.publication(frame.track) else {
            log::debug!("a frame of the unknown track {}", frame.track);
            return;
        };
        let begins = !self.begun.contains(&frame.track);
        if begins && track.kind == TrackKind::Video && !frame.keyframe {
            // What it refers to was sent before.
            return;
        }
        let id = track.id.clone();
        if begins {
            self.begun.insert(frame.track);
        }
        if self.interruption.is_some() {
            self.restored();
            self.tell_subscribed();
        }
        self.told.push_back(SourceEvent::Frame(SourceFrame {
            id,
            codec: frame.codec,
            clock_rate: frame.clock_rate,
            keyframe: frame.keyframe,
            contiguous: frame.contiguous,
            rtp: frame.rtp,
            // What was lost before was not to be captured.
            packets_lost: if begins { 0 } else { frame.packets_lost.into() },
            payload: frame.payload,
        }));
    }

    fn interrupt(&mut self) {
        let now = Instant::now();
        let last_received = match &self.link {
            Link::Up(connection) => connection.last_received(),
            _ => now,
        };
        if let Some(interruption) = &mut self.interruption {
            interruption.disconnected_since = now;
        } else {
            self.interruption = Some(Interruption {
                media_lost_since: last_received,
                disconnected_since: now,
                attempts: 0,
                publishers_lost: self.room.publications().next().is_some(),
            });
            self.told.push_back(SourceEvent::Interrupted);
        }
        self.link = Link::Down(now);
    }

    fn on_deadline(&mut self) {
        if self.give_up_at().is_some_and(|at| Instant::now() >= at) {
            log::warn!("the rooms process is gone for too long, giving up");
            self.link = Link::Closed;
            self.told
                .push_back(SourceEvent::Ended(EndReason::SourceLost));
            return;
        }
        let (socket, room) = (self.socket.clone(), self.room_name.clone());
        let attempt = async move { Connection::open(&socket, &room).await };
        self.link = Link::Connecting(tokio::spawn(attempt));
    }

    fn on_opened(&mut self, opened: Opened) {
        match opened {
            Ok((connection, state)) => {
                self.link = Link::Up(Box::new(connection));
                self.on_reconnected(state);
            }
            Err(error) => {
                log::debug!("the connection is not back yet: {error}");
                let pause = self.pause();
                self.link = Link::Down(Instant::now() + pause);
            }
        }
    }

    fn on_reconnected(&mut self, state: RoomState) {
        let same_room = state.id == self.room_id;
        self.room_id.clone_from(&state.id);
        self.begun.clear();
        self.told.extend(self.room.replace(state));
        let publishers_lost = self
            .interruption
            .is_some_and(|interruption| interruption.publishers_lost);
        if same_room || !publishers_lost {
            log::info!("connected to the rooms process again");
            self.restored();
        } else {
            // Theirs was with the process before: media is back when the first of them is.
            log::info!("connected to a new rooms process, waiting for publishers");
        }
        self.begin_tracks();
    }

    fn restored(&mut self) {
        if let Some(interruption) = self.interruption.take() {
            self.told.push_back(SourceEvent::Restored {
                media_lost_since: Some(interruption.media_lost_since),
                settings_lost: true,
            });
        }
    }

    /// All tracks can be had, and should be from a key frame on that comes at once.
    fn begin_tracks(&mut self) {
        self.tell_subscribed();
        let videos: Vec<TrackId> = self
            .room
            .publications()
            .filter(|track| track.kind == TrackKind::Video)
            .map(|track| track.id.clone())
            .collect();
        for id in videos {
            self.request_keyframe(&id);
        }
    }

    fn tell_subscribed(&mut self) {
        let ids = self.room.publications().map(|track| track.id.clone());
        self.told
            .extend(ids.map(|id| SourceEvent::TrackSubscribed { id }));
    }

    fn ask(&mut self, request: &MediaRequest) {
        if let Link::Up(connection) = &mut self.link {
            connection.ask(request);
        }
    }

    fn give_up_at(&self) -> Option<Instant> {
        let interruption = self.interruption?;
        Some(interruption.disconnected_since + self.give_up_after)
    }

    fn pause(&mut self) -> Duration {
        let (first, longest) = PAUSES;
        let Some(interruption) = &mut self.interruption else {
            return first;
        };
        let doublings = interruption.attempts.min(8);
        interruption.attempts += 1;
        first.saturating_mul(1 << doublings).min(longest)
    }
}
