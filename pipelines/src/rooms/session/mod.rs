//! One WHIP session: a publisher's peer connection, driven by a task of its own.

mod ice;

use std::time::{Duration, Instant};

use str0m::media::{Mid, Rid};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::control::{WhipAnswer, WhipRefusal};
use crate::sources::peer::{IceCredentials, Peer, PeerError, PeerEvent, PeerFrame};

use super::ports::Share;
use super::room::SessionNumber;
use super::sdp::{Fragment, Offer, SdpError, complete, restart_fragment};
use ice::{IceSession, Patch};

/// How long a publisher may take from the answer to the first packet of media.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Orders that wait for a session. When it is full the newest is left out.
const ORDERS: usize = 64;

/// Why a WHIP client is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: WhipRefusal,
    pub message: String,
}

impl Refusal {
    /// A refusal for this reason, in words.
    pub fn new(reason: WhipRefusal, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

impl From<SdpError> for Refusal {
    fn from(error: SdpError) -> Self {
        match error {
            SdpError::Malformed(message) => Self::new(WhipRefusal::Malformed, message),
            SdpError::NotAcceptable(message) => Self::new(WhipRefusal::NotAcceptable, message),
        }
    }
}

impl From<PeerError> for Refusal {
    fn from(error: PeerError) -> Self {
        let reason = match error {
            PeerError::Offer(_) => WhipRefusal::Malformed,
            _ => WhipRefusal::Internal,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<Refusal> for WhipAnswer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            reason: refusal.reason,
            message: refusal.message,
        }
    }
}

/// What a session is told.
pub enum Order {
    /// Ask for a key frame of a media section, of one simulcast layer if it has them.
    AskKeyframe { mid: Mid, rid: Option<Rid> },
    /// Answer a `PATCH`.
    Patch {
        /// Of the command, for the answer.
        command: String,
        if_match: Option<String>,
        fragment: String,
    },
}

/// What a session tells.
pub enum Told {
    /// ICE and DTLS are up.
    Connected,
    Frame(PeerFrame),
    SenderReport {
        mid: Mid,
        rid: Option<Rid>,
        rtp: u32,
        ntp_ns: i64,
    },
    /// The answer to a command.
    Answer {
        command: String,
        answer: WhipAnswer,
    },
    /// It is over: the last thing.
    Ended(Ending),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side said good-bye, or the connection broke.
    Closed,
    /// Nothing came for the configured time.
    Lost,
    /// It never came to a connection.
    NeverConnected,
    /// Its task panicked.
    Failed,
}

/// A session's offer, answered. It does nothing until it is begun.
pub struct Opened {
    peer: Peer<Share>,
    ice: IceSession,
    /// As the client got it.
    answer: String,
}

impl Opened {
    /// Answers an offer over a share of the ports.
    ///
    /// # Errors
    /// The offer cannot be taken.
    pub fn answer(offer: &Offer, share: Share) -> Result<Self, Refusal> {
        let mut peer = Peer::over(share);
        let answer = peer.accept_offer(offer.for_peer())?;
        Ok(Self {
            peer,
            answer: complete(&answer, offer)?,
            ice: IceSession::new(offer.credentials.clone()),
        })
    }

    /// The answer for the client.
    pub fn sdp(&self) -> &str {
        &self.answer
    }

    /// What names the first ICE session.
    pub fn entity_tag(&self) -> &str {
        self.ice.entity_tag()
    }

    /// Begins to drive the connection; what happens goes to `told` under `number`. The connection
    /// is closed when the returned sender is dropped.
    pub fn begin(
        self,
        number: SessionNumber,
        publisher_timeout: Duration,
        told: mpsc::Sender<(SessionNumber, Told)>,
    ) -> (mpsc::Sender<Order>, impl Future<Output = ()> + Send) {
        let (sender, orders) = mpsc::channel(ORDERS);
        let session = Session {
            number,
            peer: self.peer,
            ice: self.ice,
            answer: self.answer,
            orders,
            told,
            began: Instant::now(),
            connected: false,
            last_media: None,
            publisher_timeout,
        };
        (sender, session.run())
    }
}

struct Session {
    number: SessionNumber,
    peer: Peer<Share>,
    ice: IceSession,
    answer: String,
    orders: mpsc::Receiver<Order>,
    told: mpsc::Sender<(SessionNumber, Told)>,
    began: Instant,
    connected: bool,
    /// A connection alone keeps nobody in the room.
    last_media: Option<Instant>,
    publisher_timeout: Duration,
}

enum Happening {
    Order(Option<Order>),
    Peer(PeerEvent),
    Deadline,
}

impl Session {
    async fn run(mut self) {
        loop {
            let deadline = self.deadline();
            let happening = tokio::select! {
                biased;
                order = self.orders.recv() => Happening::Order(order),
                event = self.peer.next() => Happening::Peer(event),
                () = sleep_until(deadline.into()) => Happening::Deadline,
            };
            let told = match happening {
                // It is to end.
                Happening::Order(None) => break,
                Happening::Order(Some(order)) => self.carry_out(order),
                Happening::Peer(event) => self.on_peer(event),
                // A packet may have come since the deadline was set.
                Happening::Deadline if Instant::now() < self.deadline() => None,
                Happening::Deadline if self.connected => Some(Told::Ended(Ending::Lost)),
                Happening::Deadline => Some(Told::Ended(Ending::NeverConnected)),
            };
            let Some(told) = told else { continue };
            let is_over = matches!(told, Told::Ended(_));
            if self.told.send((self.number, told)).await.is_err() || is_over {
                break;
            }
        }
        self.peer.close();
    }

    /// When it is given up.
    fn deadline(&self) -> Instant {
        let silent = self.last_media.unwrap_or(self.began) + self.publisher_timeout;
        if self.connected {
            silent
        } else {
            silent.min(self.began + CONNECT_TIMEOUT)
        }
    }

    fn on_peer(&mut self, event: PeerEvent) -> Option<Told> {
        match event {
            PeerEvent::Connected => {
                self.connected = true;
                self.last_media = Some(Instant::now());
                Some(Told::Connected)
            }
            PeerEvent::Frame(frame) => {
                self.last_media = Some(Instant::now());
                Some(Told::Frame(frame))
            }
            PeerEvent::SenderReport {
                mid,
                rid,
                rtp,
                ntp_ns,
            } => Some(Told::SenderReport {
                mid,
                rid,
                rtp,
                ntp_ns,
            }),
            PeerEvent::Closed => Some(Told::Ended(Ending::Closed)),
            // It has until its time is up.
            PeerEvent::Reachable(_) => None,
        }
    }

    fn carry_out(&mut self, order: Order) -> Option<Told> {
        match order {
            Order::AskKeyframe { mid, rid } => {
                self.peer.request_keyframe_of(mid, rid);
                None
            }
            Order::Patch {
                command,
                if_match,
                fragment,
            } => {
                let answer = self.patch(if_match.as_deref(), &fragment);
                let answer = answer.unwrap_or_else(WhipAnswer::from);
                Some(Told::Answer { command, answer })
            }
        }
    }

    fn patch(&mut self, if_match: Option<&str>, fragment: &str) -> Result<WhipAnswer, Refusal> {
        let fragment = Fragment::read(fragment)?;
        match self.ice.understand(if_match, fragment)? {
            Patch::Trickle(candidates) => {
                self.add(&candidates);
                Ok(WhipAnswer::Trickled)
            }
            Patch::Restart { remote, candidates } => self.restart(remote, &candidates),
        }
    }

    fn restart(
        &mut self,
        remote: IceCredentials,
        candidates: &[String],
    ) -> Result<WhipAnswer, Refusal> {
        let local = self.peer.restart_ice(&remote)?;
        self.add(candidates);
        self.ice = IceSession::new(remote);
        Ok(WhipAnswer::Restarted {
            entity_tag: self.ice.entity_tag().to_owned(),
            fragment: restart_fragment(&self.answer, &local)?,
        })
    }

    fn add(&mut self, candidates: &[String]) {
        for candidate in candidates {
            self.peer.add_remote_candidate(candidate);
        }
    }
}
