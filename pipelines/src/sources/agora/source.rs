//! A recorder's presence in a channel, through lost tabs, browsers and hosts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::browser::{CHANNEL_PROTOCOL_VERSION, ChannelEvent, ChannelRequest, MIX_TRACK};
use crate::control::{EndReason, Failure, FailureKind};
use crate::job::{BrowserSettings, Secret};
use crate::log::{TrackKind, TrackSource};
use crate::rooms::ids;
use crate::rooms::media::MediaFrame;
use crate::rooms::media::wire::Message;
use crate::sources::{Joined, Known, Publication, SourceEvent, SourceFrame, TrackId};

use super::host::{HostError, HostLink, connect};
use super::speakers::Speakers;

/// How long the first join may take: a browser has to start, and Agora to answer.
const JOIN_TIMEOUT: Duration = Duration::from_secs(45);

/// The first and the longest pause between two attempts to connect to a host again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Which channel, and how to get in.
#[derive(Clone, Debug)]
pub struct Channel {
    pub app_id: String,
    pub channel: String,
    pub uid: u32,
    pub token: Secret,
    pub browser: BrowserSettings,
}

/// A channel of Agora.
pub struct AgoraSource {
    channel: Channel,
    /// How long an interruption may last.
    give_up_after: Duration,
    link: State,
    speakers: Speakers,
    /// The track of the mix, another one for each tab: each has a clock of its own.
    track: Option<TrackId>,
    token_wanted: bool,
    interruption: Option<Interruption>,
    last_sound: Instant,
    told: VecDeque<SourceEvent>,
}

enum State {
    Up(Box<HostLink>),
    /// The next attempt is made then.
    Down(Instant),
    Connecting(JoinHandle<Result<HostLink, HostError>>),
    /// For good.
    Closed,
}

/// From the loss of the channel until it is heard again.
#[derive(Clone, Copy, Debug)]
struct Interruption {
    media_lost_since: Instant,
    since: Instant,
    attempts: u32,
}

enum Happening {
    Message(Message<ChannelEvent>),
    Lost(String),
    Connected(Box<Result<HostLink, HostError>>),
    Deadline,
}

impl AgoraSource {
    /// Has a tab join the channel. `known` is what an earlier process saw of it.
    ///
    /// # Errors
    /// There is no browser, or Agora refuses or does not answer.
    pub async fn join(
        channel: Channel,
        known: Known,
        give_up_after: Duration,
    ) -> Result<(Self, Joined), Failure> {
        let mut source = Self {
            channel,
            give_up_after,
            link: State::Down(Instant::now()),
            speakers: Speakers::with_participants(known.participants),
            track: None,
            token_wanted: false,
            interruption: None,
            last_sound: Instant::now(),
            told: VecDeque::new(),
        };
        let joining = tokio::time::timeout(JOIN_TIMEOUT, source.get_in()).await;
        joining.unwrap_or_else(|_| Err(no_answer("the browser did not get into the channel")))?;
        let joined = Joined {
            room_id: source.channel.channel.clone(),
            at: Instant::now(),
        };
        Ok((source, joined))
    }

    /// The first join: what fails is not tried again, except for a host that dies.
    async fn get_in(&mut self) -> Result<(), Failure> {
        loop {
            let mut link = connect(&self.channel.browser).await?;
            link.ask(&self.request());
            loop {
                let event = match link.next().await {
                    Ok(Message::Event(event)) => *event,
                    Ok(Message::Frame(_) | Message::Unknown) => continue,
                    Err(error) => {
                        log::warn!("the browser host is gone, trying again: {error}");
                        tokio::time::sleep(PAUSES.1).await;
                        break;
                    }
                };
                match event {
                    ChannelEvent::Joined => {
                        self.link = State::Up(Box::new(link));
                        self.publish();
                        return Ok(());
                    }
                    ChannelEvent::Failed { failure } => return Err(failure),
                    ChannelEvent::Ended { reason } => return Err(ended_early(reason)),
                    ChannelEvent::Lost { reason } => log::warn!("joining again: {reason}"),
                    _ => {}
                }
            }
        }
    }

    fn request(&self) -> ChannelRequest {
        ChannelRequest::Join {
            protocol: CHANNEL_PROTOCOL_VERSION,
            app_id: self.channel.app_id.clone(),
            channel: self.channel.channel.clone(),
            uid: self.channel.uid,
            token: self.channel.token.clone(),
        }
    }

    /// The next event; never returns after [`SourceEvent::Ended`] and [`AgoraSource::release`].
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
                    log::warn!("the connection to the browser host is lost: {why}");
                    self.interrupt();
                    self.link = State::Down(Instant::now());
                }
                Happening::Connected(connected) => self.on_connected(*connected),
                Happening::Deadline => self.on_deadline(),
            }
        }
    }

    /// Goes on with another token.
    pub fn renew_token(&mut self, token: Secret) {
        self.token_wanted = false;
        self.channel.token = token.clone();
        if let State::Up(link) = &mut self.link {
            link.ask(&ChannelRequest::RenewToken { token });
        }
    }

    /// Whether a new token is waited for.
    pub fn is_token_wanted(&self) -> bool {
        self.token_wanted
    }

    /// How loud a participant is; none without sound.
    pub fn level(&self, id: &str) -> Option<u8> {
        self.speakers.level(id)
    }

    /// Leaves the channel, for good. Nobody there sees the difference.
    pub fn release(&mut self) {
        if let State::Connecting(attempt) = &self.link {
            attempt.abort();
        }
        self.told.clear();
        self.link = State::Closed;
    }

    async fn wait(&mut self) -> Happening {
        let deadline = [self.give_up_at(), self.speakers.gathered_at()]
            .into_iter()
            .flatten()
            .min();
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let happening = async {
            match &mut self.link {
                State::Up(link) => match link.next().await {
                    Ok(message) => Happening::Message(message),
                    Err(error) => Happening::Lost(error.to_string()),
                },
                State::Down(retry_at) => {
                    tokio::time::sleep_until((*retry_at).into()).await;
                    Happening::Deadline
                }
                State::Connecting(attempt) => {
                    let connected = attempt.await.unwrap_or_else(|error| {
                        Err(HostError::Start(std::io::Error::other(error)))
                    });
                    Happening::Connected(Box::new(connected))
                }
                State::Closed => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            happening = happening => happening,
            () = due => Happening::Deadline,
        }
    }

    fn on_event(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::Joined => {
                log::info!("in the channel again");
                self.publish();
            }
            ChannelEvent::Lost { reason } => {
                log::warn!("the channel is lost: {reason}");
                self.interrupt();
                self.unpublish();
            }
            ChannelEvent::Reconnecting => self.interrupt(),
            ChannelEvent::Reconnected => self.restored(),
            ChannelEvent::SpeakerJoined { uid } => self.told.extend(self.speakers.join(uid)),
            ChannelEvent::SpeakerLeft { uid } => self.told.extend(self.speakers.leave(&uid)),
            ChannelEvent::SpeakerSound { uid, on } => {
                self.told.extend(self.speakers.join(uid.clone()));
                self.speakers.sound(&uid, on);
            }
            ChannelEvent::Levels { levels } => self.speakers.levels(&levels),
            ChannelEvent::TokenWanted => self.token_wanted = true,
            ChannelEvent::Ended { reason } => self.end(reason),
            // It was in before: another host may get in.
            ChannelEvent::Failed { failure } => {
                log::warn!("the channel cannot be joined again: {}", failure.message);
                self.token_wanted |= failure.kind == FailureKind::SourceRefused;
                self.interrupt();
                self.link = State::Down(Instant::now() + self.pause());
            }
            ChannelEvent::Hello { .. } | ChannelEvent::Alive | ChannelEvent::Unknown => {}
        }
    }

    fn on_frame(&mut self, frame: MediaFrame) {
        let Some(id) = self.track.clone().filter(|_| frame.track == MIX_TRACK) else {
            return;
        };
        if self.interruption.is_some() && is_silence(&frame.payload) {
            // While its connection is bad, the browser makes silence of what it does not get.
            return;
        }
        self.last_sound = Instant::now();
        self.told.push_back(SourceEvent::Frame(SourceFrame {
            id,
            codec: frame.codec,
            clock_rate: frame.clock_rate,
            keyframe: frame.keyframe,
            contiguous: frame.contiguous,
            rtp: frame.rtp,
            packets_lost: frame.packets_lost.into(),
            payload: frame.payload,
        }));
    }

    fn on_connected(&mut self, connected: Result<HostLink, HostError>) {
        match connected {
            Ok(mut link) => {
                link.ask(&self.request());
                self.link = State::Up(Box::new(link));
            }
            Err(error) => {
                log::warn!("{error}");
                self.link = State::Down(Instant::now() + self.pause());
            }
        }
    }

    fn on_deadline(&mut self) {
        let now = Instant::now();
        if self.give_up_at().is_some_and(|at| now >= at) {
            log::warn!("the channel is gone for too long, giving up");
            return self.end(EndReason::SourceLost);
        }
        if self.speakers.gathered_at().is_some_and(|at| now >= at) {
            self.told.extend(self.speakers.gathered());
        }
        if matches!(self.link, State::Down(retry_at) if now >= retry_at) {
            let browser = self.channel.browser.clone();
            let attempt = async move { connect(&browser).await };
            self.link = State::Connecting(tokio::spawn(attempt));
        }
    }

    fn end(&mut self, reason: EndReason) {
        self.link = State::Closed;
        self.told.push_back(SourceEvent::Ended(reason));
    }

    /// The tab is in the channel: its sound is another track.
    fn publish(&mut self) {
        self.unpublish();
        let id = TrackId::from(ids::draw("TR_"));
        self.told
            .push_back(SourceEvent::TrackPublished(Publication {
                id: id.clone(),
                // Of nobody: it is the sound of all.
                participant: String::new(),
                kind: TrackKind::Audio,
                source: TrackSource::Unknown,
                codec: None,
                muted: false,
                width: 0,
                height: 0,
                layer_heights: Vec::new(),
            }));
        self.track = Some(id);
        self.restored();
        self.speakers.joined(Instant::now());
    }

    fn unpublish(&mut self) {
        if let Some(id) = self.track.take() {
            self.told.push_back(SourceEvent::TrackUnpublished { id });
        }
    }

    fn interrupt(&mut self) {
        if self.interruption.is_some() {
            return;
        }
        let now = Instant::now();
        self.interruption = Some(Interruption {
            media_lost_since: self.last_sound,
            since: now,
            attempts: 0,
        });
        self.told.push_back(SourceEvent::Interrupted);
    }

    fn restored(&mut self) {
        if let Some(interruption) = self.interruption.take() {
            self.told.push_back(SourceEvent::Restored {
                media_lost_since: Some(interruption.media_lost_since),
                settings_lost: false,
            });
        }
    }

    fn give_up_at(&self) -> Option<Instant> {
        let interruption = self.interruption?;
        (!matches!(self.link, State::Closed)).then_some(interruption.since + self.give_up_after)
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

fn is_silence(samples: &Bytes) -> bool {
    samples.iter().all(|&byte| byte == 0)
}

fn no_answer(message: &str) -> Failure {
    Failure {
        kind: FailureKind::SourceTimeout,
        message: message.to_owned(),
    }
}

fn ended_early(reason: EndReason) -> Failure {
    let why = match reason {
        EndReason::IdentityTaken => {
            "somebody else is in the channel under the recorder's user id: it must be its own"
        }
        EndReason::Removed => "agora has banned the recorder from the channel",
        _ => "the channel ended before it was joined",
    };
    Failure {
        kind: FailureKind::SourceRefused,
        message: why.to_owned(),
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self {
            kind: FailureKind::Internal,
            message: error.to_string(),
        }
    }
}
