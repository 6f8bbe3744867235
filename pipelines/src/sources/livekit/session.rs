//! A recorder's presence in a room, through lost connections.

mod join;
mod reconnect;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::{signal_request as request, signal_response as response};

use crate::control::{EndReason, Failure, FailureKind};
use crate::job::Secret;
use crate::sources::peer::PeerEvent;
use crate::sources::{Joined, Participant, SourceEvent, TrackId};

use super::leave::{Consequence, consequence};
use super::negotiation::MediaSession;
use super::recovery::{Attempt, MEDIA_TIMEOUT, Recovery};
use super::room::Room;
use super::signal::{Signal, SignalEvent, SignalFailure};

use join::{Session, join_patiently};

/// How long an unreachable peer connection may come back by itself.
const PATIENCE: Duration = Duration::from_secs(1);

type Join = tokio::task::JoinHandle<Result<Session, SignalFailure>>;

enum Phase {
    /// Signalling works. The instant is when the first media path has to be there.
    Live(Option<Instant>),
    /// Before the next attempt.
    Waiting(Attempt, Instant),
    Resuming,
    Joining(Join),
    /// The server let us in again; media has to follow by then.
    AwaitingMedia(Instant),
    Ended,
}

/// A room on a LiveKit server.
pub struct LivekitSource {
    url: String,
    token: Secret,
    /// The server refused it: a recording that was paused may outlive its token.
    token_wanted: bool,
    /// How long an interruption may last.
    give_up_after: Duration,
    signal: Option<Signal>,
    media: Box<MediaSession>,
    room: Room,
    phase: Phase,
    recovery: Option<Recovery>,
    media_lost_since: Option<Instant>,
    settings_lost: bool,
    /// After a resume the server sends everybody, in one update before the room itself.
    awaiting_everybody: bool,
    /// Nothing is subscribed to any more.
    released: bool,
    told: VecDeque<SourceEvent>,
}

impl LivekitSource {
    /// Joins the room that the token names; tries for about eight seconds while the server does
    /// not answer. `known` are participants that an earlier process saw in the room.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn join(
        url: &str,
        token: &Secret,
        known: Vec<Participant>,
        give_up_after: Duration,
    ) -> Result<(Self, Joined), Failure> {
        let session = join_patiently(url, token).await?;
        let room_id = session.joined.room.as_ref().map(|room| room.sid.clone());
        let Some(room_id) = room_id else {
            return Err(Failure {
                kind: FailureKind::Internal,
                message: "the media server did not name the room; is it a LiveKit server of version 1.4 or later?".to_owned(),
            });
        };
        let joined = Joined {
            room_id,
            at: session.at,
        };
        let mut room = Room::with_participants(known);
        let told = room.replace(session.joined.other_participants);
        let source = Self {
            url: url.to_owned(),
            token: token.clone(),
            token_wanted: false,
            give_up_after,
            signal: Some(session.signal),
            media: session.media,
            room,
            phase: Phase::Live(None),
            recovery: None,
            media_lost_since: None,
            settings_lost: false,
            awaiting_everybody: false,
            released: false,
            told: told.into(),
        };
        Ok((source, joined))
    }

    /// The next event; never returns after [`SourceEvent::Ended`]. Nothing is lost when the future
    /// is dropped.
    pub async fn next(&mut self) -> SourceEvent {
        loop {
            if let Some(event) = self.told.pop_front() {
                return event;
            }
            if matches!(self.phase, Phase::Ended) {
                std::future::pending::<()>().await;
            }
            let happening = self.wait().await;
            self.handle(happening);
        }
    }

    /// Asks the publisher of a track for a key frame.
    pub fn request_keyframe(&mut self, id: &TrackId) {
        self.media.request_keyframe(id);
    }

    /// Asks for the simulcast layer of a video track that fits a picture of this size, pixels.
    /// `frame_rate` 0 leaves the rate to the server.
    pub fn set_video_size(&mut self, id: &TrackId, width: u32, height: u32, frame_rate: u32) {
        self.send(request::Message::TrackSetting(proto::UpdateTrackSettings {
            track_sids: vec![id.to_string()],
            width,
            height,
            fps: frame_rate,
            ..Default::default()
        }));
    }

    /// Joins again with this token, when it has to.
    pub fn renew_token(&mut self, token: Secret) {
        self.token = token;
        self.token_wanted = false;
    }

    /// Whether a new token is waited for.
    pub fn is_token_wanted(&self) -> bool {
        self.token_wanted
    }

    /// Gives all media back, for good, and stays in the room.
    pub fn release(&mut self) {
        self.released = true;
        self.unsubscribe(self.room.track_ids());
    }

    /// Says good-bye.
    pub async fn leave(self) {
        if let Phase::Joining(join) = self.phase {
            join.abort();
        }
        if let Some(signal) = self.signal {
            signal.leave().await;
        }
    }

    async fn wait(&mut self) -> Happening {
        let deadline = self.deadline();
        let joining = match &mut self.phase {
            Phase::Joining(join) => Some(join),
            _ => None,
        };
        tokio::select! {
            biased;
            signal = next_signal(self.signal.as_mut()) => Happening::Signal(signal),
            joined = next_join(joining) => Happening::Joined(Box::new(joined)),
            peer = self.media.next() => Happening::Peer(peer),
            () = sleep_until(deadline) => Happening::Deadline,
        }
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Signal(Some(SignalEvent::Message(message))) => self.on_message(*message),
            Happening::Signal(Some(SignalEvent::Closed)) => self.on_signal_lost(),
            Happening::Signal(Some(SignalEvent::Resumed(outcome))) => self.on_resumed(outcome),
            Happening::Signal(None) => {
                self.signal = None;
                self.on_signal_lost();
            }
            Happening::Joined(outcome) => self.on_rejoined(*outcome),
            Happening::Peer(event) => self.on_peer(event),
            Happening::Deadline => self.on_deadline(),
        }
    }

    fn on_message(&mut self, message: response::Message) {
        match message {
            response::Message::Offer(offer) => self.on_offer(offer),
            response::Message::Trickle(trickle)
                if trickle.target() == proto::SignalTarget::Subscriber =>
            {
                self.media.add_candidate(&trickle.candidate_init);
            }
            response::Message::Update(update) => {
                let events = if std::mem::take(&mut self.awaiting_everybody) {
                    self.room.replace(update.participants)
                } else {
                    self.room.update(update.participants)
                };
                self.tell(events);
            }
            response::Message::RoomUpdate(_) if self.awaiting_everybody => {
                self.awaiting_everybody = false;
                let events = self.room.replace(Vec::new());
                self.tell(events);
            }
            response::Message::Leave(leave) => {
                log::info!(
                    "the media server says to leave: {} ({})",
                    leave.reason().as_str_name(),
                    leave.action().as_str_name()
                );
                match consequence(&leave) {
                    Consequence::End(reason) => self.end(reason),
                    Consequence::Resume => self.interrupt(Attempt::Resume, Instant::now()),
                    Consequence::Rejoin => self.interrupt(Attempt::Rejoin, Instant::now()),
                }
            }
            response::Message::SubscriptionResponse(response)
                if response.err() != proto::SubscriptionError::SeUnknown =>
            {
                log::warn!(
                    "the media server cannot send track {}: {}",
                    response.track_sid,
                    response.err().as_str_name()
                );
            }
            _ => {}
        }
    }

    fn on_offer(&mut self, offer: proto::SessionDescription) {
        match self.media.accept(offer) {
            Ok((answer, fresh)) => {
                self.send(request::Message::Answer(answer));
                for id in fresh {
                    self.told.push_back(SourceEvent::TrackSubscribed { id });
                }
                if let Phase::Live(connect_by @ None) = &mut self.phase
                    && !self.media.is_connected()
                {
                    *connect_by = Some(Instant::now() + MEDIA_TIMEOUT);
                }
            }
            Err(error) => {
                log::warn!("{error}");
                self.interrupt(Attempt::Rejoin, Instant::now());
            }
        }
    }

    fn on_peer(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Frame(frame) if !self.released => {
                if let Some(event) = self.media.frame(frame, &self.room) {
                    self.told.push_back(event);
                }
            }
            PeerEvent::SenderReport {
                mid, rtp, ntp_ns, ..
            } if !self.released => {
                if let Some(id) = self.media.track_of(mid) {
                    self.told
                        .push_back(SourceEvent::SenderReport { id, rtp, ntp_ns });
                }
            }
            PeerEvent::Connected | PeerEvent::Reachable(true) => self.on_media_path(),
            PeerEvent::Reachable(false) => {
                self.media_lost_since = self.media_lost_since.or(self.media.last_received());
                if matches!(self.phase, Phase::Live(_)) {
                    log::warn!("the media server's media port does not answer any more");
                    self.interrupt(Attempt::Resume, Instant::now() + PATIENCE);
                }
            }
            PeerEvent::Closed => {
                self.media_lost_since = self.media_lost_since.or(self.media.last_received());
                if matches!(self.phase, Phase::Live(_)) {
                    // Most often a leave request follows at once.
                    self.interrupt(Attempt::Rejoin, Instant::now() + PATIENCE);
                }
            }
            PeerEvent::Frame(_) | PeerEvent::SenderReport { .. } => {}
        }
    }

    fn end(&mut self, reason: EndReason) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        self.signal = None;
        self.phase = Phase::Ended;
        self.told.push_back(SourceEvent::Ended(reason));
    }

    fn tell(&mut self, events: Vec<SourceEvent>) {
        if self.released {
            let published = events.iter().filter_map(|event| match event {
                SourceEvent::TrackPublished(track) => Some(track.id.to_string()),
                _ => None,
            });
            self.unsubscribe(published.collect());
        }
        self.told.extend(events);
    }

    /// Lets the server send nothing more of some tracks.
    pub fn unsubscribe(&mut self, track_sids: Vec<String>) {
        if !track_sids.is_empty() {
            self.send(request::Message::Subscription(proto::UpdateSubscription {
                track_sids,
                subscribe: false,
                participant_tracks: Vec::new(),
            }));
        }
    }

    fn send(&mut self, message: request::Message) {
        if let Some(signal) = &self.signal {
            signal.send(message);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Live(connect_by) => connect_by,
            Phase::Waiting(_, at) | Phase::AwaitingMedia(at) => Some(at),
            Phase::Resuming | Phase::Joining(_) | Phase::Ended => None,
        };
        let give_up = self
            .recovery
            .map(|recovery| recovery.since() + self.give_up_after);
        match (phase, give_up) {
            (Some(phase), Some(give_up)) => Some(phase.min(give_up)),
            (phase, give_up) => phase.or(give_up),
        }
    }
}

enum Happening {
    Signal(Option<SignalEvent>),
    Joined(Box<Result<Session, SignalFailure>>),
    Peer(PeerEvent),
    Deadline,
}

async fn next_signal(signal: Option<&mut Signal>) -> Option<SignalEvent> {
    match signal {
        Some(signal) => signal.next().await,
        None => std::future::pending().await,
    }
}

async fn next_join(join: Option<&mut Join>) -> Result<Session, SignalFailure> {
    match join {
        Some(join) => join
            .await
            .unwrap_or_else(|error| Err(SignalFailure::Other(error.to_string()))),
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
