//! One tab in one channel, from its opening to its end.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::control::{EndReason, Failure, FailureKind};

use super::channel::ChannelEvent;
use super::chromium::{BrowserError, Tab};
use super::listening::{Channel, Teller, happened, not_possible};
use super::pages::{PageEvent, PageMessage, PageOrder, PageSocket};
use super::pcm::{Samples, Sound};
use super::process::Host;
use super::sdk;

/// How long a page may take to load and connect, on a busy machine.
const LOAD_TIMEOUT: Duration = Duration::from_secs(15);

/// How long Agora may take to let the page in. Without a network its SDK tries for ever.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);

/// More than that, and the page itself has failed.
const PAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a page may take to say good-bye.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two looks at whether the page lives.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// A page whose sound has stopped for so long is dead.
const SILENCE: Duration = Duration::from_secs(4);

/// A page that does not answer for so long is dead, though it sends sound: its SDK has no thread.
const NO_ANSWER: Duration = Duration::from_secs(10);

/// Why a tab is out of its channel.
#[derive(Debug)]
pub enum Departure {
    /// The capture has gone.
    Left,
    /// The capture does not listen.
    Deaf(io::Error),
    /// There is nothing more to hear.
    Ended(EndReason),
    /// It could not get in.
    NotIn(Failure),
    /// Likewise, and another token would help.
    TokenRefused(Failure),
    /// It was in, or on its way.
    Lost(String),
    TokenEnded,
}

impl From<io::Error> for Departure {
    fn from(error: io::Error) -> Self {
        Self::Deaf(error)
    }
}

impl From<BrowserError> for Departure {
    fn from(error: BrowserError) -> Self {
        match error {
            BrowserError::Missing | BrowserError::NotExecutable(_) => {
                Self::NotIn(not_possible(error))
            }
            BrowserError::Start(_) | BrowserError::EndedAtOnce | BrowserError::Silent => {
                Self::NotIn(not_possible(error))
            }
            BrowserError::Tab(_) | BrowserError::Hangs => Self::Lost(error.to_string()),
        }
    }
}

/// A visit to a channel.
pub struct Visit<'a> {
    host: &'a Host,
    channel: &'a mut Channel,
    teller: &'a Teller,
    sound: Sound,
    /// How long its sound may take to begin.
    patience: Duration,
    heard: bool,
    joined: bool,
    last_sound: Instant,
    last_answer: Instant,
}

impl<'a> Visit<'a> {
    /// A page whose sound, even if it is silence, does not begin within `patience` is given up: its
    /// audio thread hangs.
    pub fn new(
        host: &'a Host,
        channel: &'a mut Channel,
        teller: &'a Teller,
        patience: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            host,
            channel,
            teller,
            sound: Sound::default(),
            patience,
            heard: false,
            joined: false,
            last_sound: now,
            last_answer: now,
        }
    }

    /// Whether it was in the channel.
    pub fn has_joined(&self) -> bool {
        self.joined
    }

    /// Listens until there is a reason to go.
    pub async fn run(&mut self, left: &mut watch::Receiver<bool>) -> Departure {
        let opened = tokio::select! {
            opened = self.open() => opened,
            () = happened(left) => return Departure::Left,
        };
        let (mut tab, mut page) = match opened {
            Ok(opened) => opened,
            Err(departure) => return departure,
        };
        let heard = self.listen(&mut tab, &mut page, left).await;
        let Err(departure) = heard;
        departure
    }

    /// Opens a tab and waits for its page.
    async fn open(&self) -> Result<(Tab, PageSocket), Departure> {
        let sdk = sdk::find(&self.host.settings.sdk);
        let sdk = sdk.map_err(|message| Departure::NotIn(not_possible(message)))?;
        let browser = self.host.keeper.browser().await?;
        let mut expected = self.host.pages.expect(sdk);
        let opened = browser.open(&expected.address()).await;
        if matches!(opened, Err(BrowserError::Hangs)) {
            self.host.keeper.give_up(&browser).await;
        }
        let mut tab = opened?;
        tokio::select! {
            socket = expected.socket() => match socket {
                Some(socket) => Ok((tab, socket)),
                None => Err(Departure::Lost("the page was not served".to_owned())),
            },
            why = tab.lost() => Err(Departure::Lost(why.to_owned())),
            () = tokio::time::sleep(LOAD_TIMEOUT) => {
                Err(Departure::Lost("the page does not load".to_owned()))
            }
        }
    }

    async fn listen(
        &mut self,
        tab: &mut Tab,
        page: &mut PageSocket,
        left: &mut watch::Receiver<bool>,
    ) -> Result<std::convert::Infallible, Departure> {
        let gone = |_| Departure::Lost("the page has gone".to_owned());
        let token = self.channel.token.borrow_and_update().clone();
        let join = PageOrder::Join {
            app_id: &self.channel.app_id,
            channel: &self.channel.channel,
            uid: self.channel.uid,
            token: (!token.is_empty()).then(|| token.reveal()),
            timeout_ms: JOIN_TIMEOUT.as_millis() as u64,
        };
        page.tell(&join).await.map_err(gone)?;
        let begun = Instant::now();
        self.last_answer = begun;
        self.last_sound = begun;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = page.next() => match message {
                    Some(PageMessage::Sound(message)) => self.hear(message)?,
                    Some(PageMessage::Event(event)) => self.note(event)?,
                    None => return Err(Departure::Lost("the page has gone".to_owned())),
                },
                why = tab.lost() => return Err(Departure::Lost(why.to_owned())),
                Ok(()) = self.channel.token.changed() => {
                    let token = self.channel.token.borrow_and_update().clone();
                    let renew = PageOrder::RenewToken { token: token.reveal() };
                    page.tell(&renew).await.map_err(gone)?;
                }
                () = happened(left) => {
                    say_good_bye(page).await;
                    return Err(Departure::Left);
                }
                _ = heartbeat.tick() => {
                    self.check_pulse(begun)?;
                    page.tell(&PageOrder::Ping).await.map_err(gone)?;
                }
            }
        }
    }

    fn hear(&mut self, message: bytes::Bytes) -> Result<(), Departure> {
        let Some(samples) = Samples::decode(message) else {
            log::debug!("ignoring malformed sound of the page");
            return Ok(());
        };
        self.last_sound = Instant::now();
        self.heard = true;
        if let Some(drift) = self.sound.drift(&samples) {
            log::warn!(
                "channel {}: the browser's audio clock is {} ms away from its wall clock",
                self.channel.channel,
                drift.as_millis()
            );
        }
        let frame = self.sound.frame(samples);
        if self.joined {
            self.teller.hand_over(&frame)?;
        }
        Ok(())
    }

    fn note(&mut self, event: PageEvent) -> Result<(), Departure> {
        let told = match event {
            PageEvent::Ready { version } => {
                if version != sdk::SDK_VERSION {
                    log::info!("Agora's SDK is {version}, tried was {}", sdk::SDK_VERSION);
                }
                return Ok(());
            }
            PageEvent::Joined => {
                self.joined = true;
                log::info!("in channel {}", self.channel.channel);
                ChannelEvent::Joined
            }
            PageEvent::JoinFailed { timed_out, reason } => {
                return Err(refused(timed_out, &reason));
            }
            PageEvent::Connection { state, reason } => {
                match connection(&state, &reason, self.joined) {
                    Ok(Some(event)) => event,
                    Ok(None) => return Ok(()),
                    Err(departure) => return Err(departure),
                }
            }
            PageEvent::SpeakerJoined { uid } => ChannelEvent::SpeakerJoined { uid },
            PageEvent::SpeakerLeft { uid } => ChannelEvent::SpeakerLeft { uid },
            PageEvent::SpeakerSound { uid, on } => ChannelEvent::SpeakerSound { uid, on },
            PageEvent::Levels { levels } => ChannelEvent::Levels { levels },
            PageEvent::TokenWanted => ChannelEvent::TokenWanted,
            PageEvent::Pong => {
                self.last_answer = Instant::now();
                return Ok(());
            }
            PageEvent::Problem { text } => {
                log::warn!("channel {}: {}", self.channel.channel, printable(&text));
                return Ok(());
            }
            PageEvent::Left | PageEvent::Unknown => return Ok(()),
        };
        Ok(self.teller.tell(&told)?)
    }

    fn check_pulse(&self, begun: Instant) -> Result<(), Departure> {
        if !self.joined && begun.elapsed() >= PAGE_TIMEOUT {
            return Err(refused(true, "the page does not come to an end"));
        }
        let limit = if self.heard { SILENCE } else { self.patience };
        let why = if self.last_sound.elapsed() >= limit {
            "the page sends no sound"
        } else if self.last_answer.elapsed() >= NO_ANSWER {
            "the page does not answer any more"
        } else {
            return Ok(());
        };
        Err(Departure::Lost(why.to_owned()))
    }
}

async fn say_good_bye(page: &mut PageSocket) {
    let leaving = async {
        page.tell(&PageOrder::Leave).await.ok()?;
        while !matches!(page.next().await?, PageMessage::Event(PageEvent::Left)) {}
        Some(())
    };
    // Agora finds out by itself when the tab is closed, a little later.
    let _ = tokio::time::timeout(LEAVE_TIMEOUT, leaving).await;
}

fn refused(timed_out: bool, reason: &str) -> Departure {
    if !timed_out && is_of_token(reason) {
        return Departure::TokenRefused(Failure {
            kind: FailureKind::SourceRefused,
            message: format!("agora refused the token: {}", printable(reason)),
        });
    }
    Departure::NotIn(match timed_out {
        true => Failure {
            kind: FailureKind::SourceTimeout,
            message: format!(
                "agora did not answer within {} s: look whether its hosts can be reached from here",
                JOIN_TIMEOUT.as_secs()
            ),
        },
        false => Failure {
            kind: FailureKind::SourceRefused,
            message: format!("agora refused to let us join: {}", printable(reason)),
        },
    })
}

/// Whether a join was refused for its token, by what Agora's gateway says.
fn is_of_token(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    ["token", "dynamic key", "dynamic use static key"]
        .iter()
        .any(|word| reason.contains(word))
}

/// What a state of the SDK's connection means (`ConnectionState`, `ConnectionDisconnectedReason`).
fn connection(state: &str, reason: &str, joined: bool) -> Result<Option<ChannelEvent>, Departure> {
    match state {
        // Before the join has ended, it tells itself how.
        _ if !joined => Ok(None),
        "RECONNECTING" => Ok(Some(ChannelEvent::Reconnecting)),
        "CONNECTED" => Ok(Some(ChannelEvent::Reconnected)),
        "DISCONNECTED" => Err(match reason {
            "UID_CONFLICT" => Departure::Ended(EndReason::IdentityTaken),
            "UID_BANNED" | "IP_BANNED" => Departure::Ended(EndReason::Removed),
            "CHANNEL_BANNED" => Departure::Ended(EndReason::RoomEnded),
            "TOKEN_EXPIRE" => Departure::TokenEnded,
            reason => Departure::Lost(format!("agora disconnected: {}", printable(reason))),
        }),
        _ => Ok(None),
    }
}

/// What somebody else wrote, as part of a message.
fn printable(text: &str) -> String {
    let plain = |character: char| match character.is_control() {
        true => ' ',
        false => character,
    };
    text.chars().take(300).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_to_be_disconnected_has_its_outcome() {
        let ended = |reason: &str| match connection("DISCONNECTED", reason, true) {
            Err(Departure::Ended(reason)) => Some(reason),
            _ => None,
        };
        assert_eq!(ended("UID_CONFLICT"), Some(EndReason::IdentityTaken));
        assert_eq!(ended("UID_BANNED"), Some(EndReason::Removed));
        assert_eq!(ended("IP_BANNED"), Some(EndReason::Removed));
        assert_eq!(ended("CHANNEL_BANNED"), Some(EndReason::RoomEnded));
        assert_eq!(ended("NETWORK_ERROR"), None);
        assert!(matches!(
            connection("DISCONNECTED", "TOKEN_EXPIRE", true),
            Err(Departure::TokenEnded)
        ));
        assert!(matches!(
            connection("DISCONNECTED", "NETWORK_ERROR", true),
            Err(Departure::Lost(_))
        ));
        assert!(matches!(
            connection("RECONNECTING", "", true),
            Ok(Some(ChannelEvent::Reconnecting))
        ));
        assert!(matches!(connection("CONNECTING", "", true), Ok(None)));
        assert!(matches!(connection("DISCONNECTED", "", false), Ok(None)));
    }

    #[test]
    fn a_refusal_names_agoras_reason_in_one_line() {
        let Departure::NotIn(failure) = refused(false, "CAN_NOT_GET_GATEWAY_SERVER:\ninvalid app")
        else {
            panic!("it is a failure");
        };
        assert_eq!(failure.kind, FailureKind::SourceRefused);
        assert!(
            failure
                .message
                .ends_with("CAN_NOT_GET_GATEWAY_SERVER: invalid app")
        );
    }
}
