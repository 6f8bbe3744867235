//! Losing the connection and getting it back.

use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::signal_request as request;

use crate::control::EndReason;
use crate::sources::SourceEvent;

use super::super::recovery::{Attempt, MEDIA_TIMEOUT, Media, Recovery};
use super::super::signal::SignalFailure;
use super::join::{Session, join};
use super::{LivekitSource, Phase};

/// A peer connection that was silent for longer does not carry media any more.
const SILENCE: Duration = Duration::from_secs(4);

impl LivekitSource {
    /// A part of the path for media is there (again).
    pub(super) fn on_media_path(&mut self) {
        if !self.media.is_connected() {
            // ICE alone carries nothing: encryption comes after it.
            return;
        }
        match self.phase {
            Phase::Live(_) => {
                self.phase = Phase::Live(None);
                self.media_lost_since = None;
            }
            Phase::AwaitingMedia(_) => self.recovered(),
            // It came back by itself while signalling was never lost.
            Phase::Waiting(_, _)
                if self.signal.is_some()
                    && self.recovery.is_some_and(|recovery| recovery.is_fresh()) =>
            {
                self.recovered();
            }
            _ => {}
        }
    }

    pub(super) fn on_signal_lost(&mut self) {
        match self.phase {
            Phase::Live(_) | Phase::AwaitingMedia(_) => {
                self.interrupt(Attempt::Resume, Instant::now());
            }
            // Both are lost: that media comes back does not bring signalling back.
            Phase::Waiting(_, _) => {
                if let Some(recovery) = &mut self.recovery {
                    recovery.begun();
                }
            }
            // Closing is part of resuming, and an old connection says nothing about a new one.
            Phase::Resuming | Phase::Joining(_) | Phase::Ended => {}
        }
    }

    pub(super) fn on_resumed(&mut self, outcome: Result<(), SignalFailure>) {
        if !matches!(self.phase, Phase::Resuming) {
            return;
        }
        let now = Instant::now();
        match outcome {
            Ok(()) => {
                log::info!("signalling resumed");
                self.awaiting_everybody = true;
                let unsubscribed = if self.released {
                    self.room.track_ids()
                } else {
                    Vec::new()
                };
                let state = self.media.sync_state(unsubscribed);
                self.send(request::Message::SyncState(state));
                if let Some(signal) = &self.signal {
                    signal.confirm();
                }
                if self.media.is_connected() || !self.media.is_negotiated() {
                    self.recovered();
                } else {
                    self.phase = Phase::AwaitingMedia(now + MEDIA_TIMEOUT);
                }
            }
            Err(failure) => self.after_failure(Attempt::Resume, &failure),
        }
    }

    pub(super) fn on_rejoined(&mut self, outcome: Result<Session, SignalFailure>) {
        match outcome {
            Ok(session) => {
                log::info!("joined again");
                self.media_lost_since = self.media_lost_since.or(self.media.last_received());
                self.settings_lost = true;
                self.awaiting_everybody = false;
                self.signal = Some(session.signal);
                self.media = session.media;
                let events = self.room.replace(session.joined.other_participants);
                self.tell(events);
                if self.released {
                    // It may have asked for everything before it was released.
                    self.unsubscribe(self.room.track_ids());
                }
                self.phase = Phase::AwaitingMedia(Instant::now() + MEDIA_TIMEOUT);
            }
            Err(failure) => self.after_failure(Attempt::Rejoin, &failure),
        }
    }

    fn after_failure(&mut self, failed: Attempt, failure: &SignalFailure) {
        let now = Instant::now();
        log::info!("the connection is not back yet: {failure}");
        self.token_wanted |=
            failed == Attempt::Rejoin && matches!(failure, SignalFailure::Refused(_));
        let silent = self
            .media
            .last_received()
            .is_none_or(|at| now.duration_since(at) > SILENCE);
        let media = if silent || !self.media.is_connected() {
            Media::Lost
        } else {
            Media::Flowing
        };
        let recovery = self.recovery.get_or_insert_with(|| Recovery::new(now));
        let (next, at) = recovery.after_failure(failed, failure, media, now);
        self.phase = Phase::Waiting(next, at);
    }

    pub(super) fn on_deadline(&mut self) {
        let now = Instant::now();
        if let Some(recovery) = &self.recovery
            && now.duration_since(recovery.since()) >= self.give_up_after
        {
            log::warn!("the media server is gone for too long, giving up");
            self.end(EndReason::SourceLost);
            return;
        }
        match self.phase {
            Phase::Live(Some(connect_by)) if now >= connect_by => {
                log::warn!(
                    "no media path to the media server within {} s; check that its UDP ports, or its TCP port, can be reached from here",
                    MEDIA_TIMEOUT.as_secs()
                );
                self.interrupt(Attempt::Rejoin, now);
            }
            Phase::Waiting(attempt, at) if now >= at => self.attempt(attempt),
            Phase::AwaitingMedia(until) if now >= until => {
                log::warn!("the media server let the recorder in again but sends no media");
                let recovery = self.recovery.get_or_insert_with(|| Recovery::new(now));
                let (next, at) = recovery.after_silence(now);
                self.phase = Phase::Waiting(next, at);
            }
            _ => {}
        }
    }

    fn attempt(&mut self, attempt: Attempt) {
        if let Some(recovery) = &mut self.recovery {
            recovery.begun();
        }
        match (attempt, &self.signal) {
            (Attempt::Resume, Some(signal)) => {
                signal.resume(proto::ReconnectReason::RrSignalDisconnected);
                self.phase = Phase::Resuming;
            }
            _ => {
                self.signal = None;
                let join = join(self.url.clone(), self.token.clone(), !self.released);
                self.phase = Phase::Joining(tokio::spawn(join));
            }
        }
    }

    /// The connection is lost: tries to get back from `at` on.
    pub(super) fn interrupt(&mut self, attempt: Attempt, at: Instant) {
        if matches!(self.phase, Phase::Ended | Phase::Joining(_)) {
            return;
        }
        if self.recovery.is_none() {
            self.recovery = Some(Recovery::new(Instant::now()));
            self.told.push_back(SourceEvent::Interrupted);
        }
        self.phase = Phase::Waiting(attempt, at);
    }

    fn recovered(&mut self) {
        self.phase = Phase::Live(None);
        if self.recovery.take().is_some() {
            self.told.push_back(SourceEvent::Restored {
                media_lost_since: self.media_lost_since.take(),
                settings_lost: std::mem::take(&mut self.settings_lost),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::super::super::negotiation::MediaSession;
    use super::super::super::room::Room;
    use super::*;
    use crate::job::Secret;

    fn interrupted(url: String) -> LivekitSource {
        let media = MediaSession::new([127, 0, 0, 1].into(), Vec::new()).expect("a socket");
        LivekitSource {
            url,
            token: Secret::new("expired"),
            token_wanted: false,
            give_up_after: Duration::from_secs(300),
            signal: None,
            media: Box::new(media),
            room: Room::with_participants(Vec::new()),
            phase: Phase::Waiting(Attempt::Rejoin, Instant::now()),
            recovery: None,
            media_lost_since: None,
            settings_lost: false,
            awaiting_everybody: false,
            released: false,
            told: VecDeque::new(),
        }
    }

    #[tokio::test]
    async fn a_token_that_the_server_refuses_is_replaced() {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = server.local_addr().expect("an address");
        let mut source = interrupted(format!("ws://{address}"));
        source.on_rejoined(Err(SignalFailure::Unreachable("away".to_owned())));
        assert!(!source.is_token_wanted());
        source.on_rejoined(Err(SignalFailure::Refused("HTTP 401".to_owned())));
        assert!(source.is_token_wanted());

        source.renew_token(Secret::new("of-today"));
        assert!(!source.is_token_wanted());
        source.attempt(Attempt::Rejoin);
        let (mut connection, _) = server.accept().await.expect("it joins again");
        let mut request = vec![0; 4_096];
        let length = connection.read(&mut request).await.expect("a request");
        let request = String::from_utf8_lossy(&request[..length]);
        assert!(request.contains("of-today"), "{request}");
        source.leave().await;
    }
}
