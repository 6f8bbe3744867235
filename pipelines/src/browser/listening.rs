//! A channel for as long as a capture wants it: one visit by a tab after the other.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use crate::control::{Failure, FailureKind};
use crate::job::Secret;
use crate::rooms::media::wire::encode_frame;
use crate::rooms::media::{MediaFrame, Queue, encode_event};

use super::channel::ChannelEvent;
use super::process::Host;
use super::visit::{Departure, Visit};

/// The first and the longest pause between two visits.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How long the sound of a page may take to begin, for the first page and at most: a machine that is
/// too busy for the first may manage the next.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(2_500), Duration::from_secs(10));

/// Before it is tried again with a token that was refused; another one is tried at once.
const TOKEN_PAUSE: Duration = Duration::from_secs(10);

/// After a visit of this length the pauses begin anew.
const LONG_VISIT: Duration = Duration::from_secs(30);

/// Which channel, and how to get in.
pub struct Channel {
    pub app_id: String,
    pub channel: String,
    pub uid: u32,
    /// Replaced when it is renewed.
    pub token: watch::Receiver<Secret>,
}

/// Tells a capture.
pub struct Teller(Queue);

impl Teller {
    pub fn new(queue: Queue) -> Self {
        Self(queue)
    }

    /// Tells of an event.
    ///
    /// # Errors
    /// The capture does not take it, or has gone.
    pub fn tell(&self, event: &ChannelEvent) -> io::Result<()> {
        self.push(encode_event(event).map_err(io::Error::other)?)
    }

    /// Hands over sound.
    ///
    /// # Errors
    /// The capture does not take it, or has gone.
    pub fn hand_over(&self, frame: &MediaFrame) -> io::Result<()> {
        self.push(encode_frame(frame).map_err(io::Error::other)?)
    }

    fn push(&self, message: Bytes) -> io::Result<()> {
        match self.0.push(message) {
            true => Ok(()),
            false => Err(io::Error::other("the capture does not take its sound")),
        }
    }
}

/// Listens to a channel until its capture has gone, or there is nothing more to hear.
pub struct Listening {
    host: Arc<Host>,
    channel: Channel,
    teller: Teller,
    left: watch::Receiver<bool>,
    pause: Duration,
    patience: Duration,
}

impl Listening {
    /// `left` becomes true when the capture has gone.
    pub fn new(
        host: Arc<Host>,
        channel: Channel,
        teller: Teller,
        left: watch::Receiver<bool>,
    ) -> Self {
        Self {
            host,
            channel,
            teller,
            left,
            pause: PAUSES.0,
            patience: PATIENCE.0,
        }
    }

    pub async fn run(mut self) {
        let mut has_joined = false;
        while !*self.left.borrow() {
            let begun = Instant::now();
            let mut visit = Visit::new(&self.host, &mut self.channel, &self.teller, self.patience);
            let departure = visit.run(&mut self.left).await;
            has_joined |= visit.has_joined();
            if begun.elapsed() >= LONG_VISIT {
                self.pause = PAUSES.0;
                self.patience = PATIENCE.0;
            }
            match self.conclude(departure, has_joined).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    log::warn!("channel {}: {error}", self.channel.channel);
                    return;
                }
            }
        }
    }

    /// Does what a departure asks for. Whether to visit again.
    async fn conclude(&mut self, departure: Departure, has_joined: bool) -> io::Result<bool> {
        let name = &self.channel.channel;
        let (reason, needs_token) = match departure {
            Departure::Left => return Ok(false),
            Departure::Deaf(error) => return Err(error),
            Departure::Ended(reason) => {
                log::info!("channel {name} is over: {reason:?}");
                self.teller.tell(&ChannelEvent::Ended { reason })?;
                return Ok(false);
            }
            Departure::NotIn(failure) | Departure::TokenRefused(failure) if !has_joined => {
                log::warn!("cannot join channel {name}: {}", failure.message);
                self.teller.tell(&ChannelEvent::Failed { failure })?;
                return Ok(false);
            }
            Departure::NotIn(failure) => (failure.message, false),
            Departure::TokenRefused(failure) => (failure.message, true),
            Departure::Lost(reason) => (reason, false),
            Departure::TokenEnded => ("its token has ended".to_owned(), true),
        };
        log::warn!("channel {name} is lost, joining again: {reason}");
        self.teller.tell(&ChannelEvent::Lost { reason })?;
        if needs_token {
            self.teller.tell(&ChannelEvent::TokenWanted)?;
        }
        let pause = match needs_token {
            true => TOKEN_PAUSE,
            false => self.pause,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = self.channel.token.changed() => {}
            () = happened(&mut self.left) => {}
        }
        self.pause = self.pause.saturating_mul(2).min(PAUSES.1);
        self.patience = self.patience.saturating_mul(2).min(PATIENCE.1);
        Ok(true)
    }
}

/// Waits until it is so, or can never be.
pub async fn happened(what: &mut watch::Receiver<bool>) {
    // What it gives must not be held: it is a lock.
    let _ = what.wait_for(|happened| *happened).await;
}

/// What a capture is told of something that only whoever runs this machine can mend.
pub fn not_possible(message: impl ToString) -> Failure {
    Failure {
        kind: FailureKind::Internal,
        message: message.to_string(),
    }
}
