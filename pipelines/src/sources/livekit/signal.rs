//! The signalling connection. The only module that knows the signal client of `livekit-api`,
//! which its authors call internal.

use std::time::Duration;

use livekit_api::signal_client::{
    SignalClient, SignalError, SignalEvent as ClientEvent, SignalEvents, SignalOptions,
};
use livekit_protocol as proto;
use proto::{signal_request as request, signal_response as response};
use tokio::sync::mpsc;

use crate::control::{Failure, FailureKind};
use crate::job::Secret;

/// Below 17 the server opens data channels in its offer and needs no offer of ours.
const PROTOCOL_VERSION: u32 = 16;

/// How long one message may take to be handed to the operating system.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// A longer word is no word of a language, bytes.
const LONGEST_WORD: usize = 80;

/// The most of a server's explanation that is repeated.
const EXPLANATION_CHARACTERS: usize = 200;

/// What the signalling connection tells.
#[derive(Debug)]
pub enum SignalEvent {
    Message(Box<response::Message>),
    /// The connection is gone; it can be resumed.
    Closed,
    /// How an attempt to resume ended. What comes after `Ok` belongs to the new connection.
    Resumed(Result<(), SignalFailure>),
}

/// Why the server could not be joined, or a connection not be resumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalFailure {
    #[error("the media server does not answer: {0}; check that it runs and can be reached")]
    Unreachable(String),
    #[error(
        "the media server did not answer in time: {0}; check that it runs and is not overloaded"
    )]
    Timeout(String),
    #[error(
        "the media server refused the recorder: {0}; check the API key, its secret and the clocks of both machines"
    )]
    Refused(String),
    #[error("the media server sent the recorder away: {0}")]
    Sent(String),
    #[error("cannot join the room: {0}")]
    Other(String),
}

impl SignalFailure {
    /// Whether trying again soon can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Timeout(_))
    }
}

impl From<SignalFailure> for Failure {
    fn from(failure: SignalFailure) -> Self {
        let kind = match failure {
            SignalFailure::Unreachable(_) => FailureKind::SourceUnreachable,
            SignalFailure::Timeout(_) => FailureKind::SourceTimeout,
            SignalFailure::Refused(_) => FailureKind::SourceRefused,
            SignalFailure::Sent(_) | SignalFailure::Other(_) => FailureKind::Internal,
        };
        Self {
            kind,
            message: failure.to_string(),
        }
    }
}

impl From<SignalError> for SignalFailure {
    fn from(error: SignalError) -> Self {
        match error {
            SignalError::Client(status, body) => match status.as_u16() {
                401 | 403 => Self::Refused(explanation(status.as_u16(), &body)),
                404 => Self::Unreachable(format!(
                    "there is no LiveKit server at this address (HTTP 404 {})",
                    shorten(&body)
                )),
                408 | 429 => Self::Unreachable(explanation(status.as_u16(), &body)),
                code => Self::Other(explanation(code, &body)),
            },
            SignalError::Server(status, body) => {
                Self::Unreachable(explanation(status.as_u16(), &body))
            }
            SignalError::Handshake { status } if matches!(status.as_u16(), 401 | 403) => {
                Self::Refused(explanation(status.as_u16(), ""))
            }
            SignalError::Timeout(what) => Self::Timeout(shorten(&what)),
            SignalError::TokenFormat => Self::Refused("the token is malformed".to_owned()),
            SignalError::LeaveRequest { reason, .. } => {
                Self::Sent(reason.as_str_name().to_ascii_lowercase())
            }
            SignalError::UrlParse(detail) => Self::Other(format!(
                "the address of the media server is malformed: {detail}"
            )),
            SignalError::InvalidState(_) | SignalError::TransportNotConfigured => {
                Self::Other(error.to_string())
            }
            other => Self::Unreachable(shorten(&other.to_string())),
        }
    }
}

fn explanation(status: u16, body: &str) -> String {
    match shorten(body) {
        empty if empty.is_empty() => format!("HTTP {status}"),
        body => format!("HTTP {status}, {body}"),
    }
}

/// The first line of what a server said, without control characters. Servers repeat a token that
/// they refuse: no token is left in it.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let words: Vec<&str> = line
        .split_whitespace()
        .map(|word| if is_secret(word) { "***" } else { word })
        .collect();
    words
        .join(" ")
        .chars()
        .filter(|character| !character.is_control())
        .take(EXPLANATION_CHARACTERS)
        .collect()
}

/// Whether a word may be, or hold, a token: the JSON that tokens begin with is `eyJ` in base64.
fn is_secret(word: &str) -> bool {
    word.contains("eyJ") || word.len() > LONGEST_WORD
}

enum Order {
    Send(Box<request::Message>),
    Resume(proto::ReconnectReason),
    Confirm,
    Leave,
}

/// A signalling connection. Dropping it closes the connection without saying good-bye.
#[derive(Debug)]
pub struct Signal {
    orders: mpsc::UnboundedSender<Order>,
    events: mpsc::UnboundedReceiver<SignalEvent>,
    task: tokio::task::JoinHandle<()>,
}

impl Signal {
    /// Joins the room that the token names.
    ///
    /// # Errors
    /// The server did not answer within about five seconds, or refused.
    pub async fn join(
        url: String,
        token: Secret,
        auto_subscribe: bool,
    ) -> Result<(Self, Box<proto::JoinResponse>), SignalFailure> {
        let mut options = SignalOptions::default();
        options.auto_subscribe = auto_subscribe;
        options.adaptive_stream = false;
        options.protocol_version = PROTOCOL_VERSION;
        // By default it advertises packet trailers, which would end up in the frames.
        options.client_capabilities = Vec::new();
        options.client_protocol = 0;
        options.region_failover = false;
        let (client, joined, client_events) =
            SignalClient::connect(&url, token.reveal(), options, None).await?;
        let (orders, received_orders) = mpsc::unbounded_channel();
        let (told, events) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(client, client_events, received_orders, told));
        Ok((
            Self {
                orders,
                events,
                task,
            },
            Box::new(joined),
        ))
    }

    /// The next event; none after the connection was left. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<SignalEvent> {
        self.events.recv().await
    }

    /// Sends a message; during a resume it waits until [`Signal::confirm`] unless it belongs to
    /// the resume itself.
    pub fn send(&self, message: request::Message) {
        // Without a task there is no connection: the caller learns of that by its events.
        let _ = self.orders.send(Order::Send(Box::new(message)));
    }

    /// Tries once to resume; ends with [`SignalEvent::Resumed`].
    pub fn resume(&self, reason: proto::ReconnectReason) {
        let _ = self.orders.send(Order::Resume(reason));
    }

    /// Tells the client that a resume is complete, which releases messages that waited.
    pub fn confirm(&self) {
        let _ = self.orders.send(Order::Confirm);
    }

    /// Says good-bye and closes; waits until it is on its way, a second at most.
    pub async fn leave(self) {
        let _ = self.orders.send(Order::Leave);
        let _ = tokio::time::timeout(Duration::from_secs(1), self.task).await;
    }
}

/// Owns the client: one order at a time, events in their order.
async fn run(
    client: SignalClient,
    mut events: SignalEvents,
    mut orders: mpsc::UnboundedReceiver<Order>,
    told: mpsc::UnboundedSender<SignalEvent>,
) {
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(message)) => send(&client, *message).await,
                Some(Order::Resume(reason)) => {
                    let outcome = client.restart(reason).await.map(drop).map_err(Into::into);
                    forward_remaining(&mut events, &told);
                    let _ = told.send(SignalEvent::Resumed(outcome));
                }
                Some(Order::Confirm) => client.set_reconnected().await,
                Some(Order::Leave) => {
                    let leave = proto::LeaveRequest {
                        reason: proto::DisconnectReason::ClientInitiated.into(),
                        ..Default::default()
                    };
                    send(&client, request::Message::Leave(leave)).await;
                    client.close().await;
                    return;
                }
                None => {
                    client.close().await;
                    return;
                }
            },
            event = events.recv() => match event {
                Some(ClientEvent::Message(message)) => {
                    let _ = told.send(SignalEvent::Message(message));
                }
                Some(ClientEvent::Close(why)) => {
                    log::debug!("signalling closed: {why}");
                    let _ = told.send(SignalEvent::Closed);
                }
                None => return,
            },
        }
    }
}

async fn send(client: &SignalClient, message: request::Message) {
    if tokio::time::timeout(SEND_TIMEOUT, client.send(message))
        .await
        .is_err()
    {
        log::warn!("the media server does not read its signalling connection");
    }
}

/// Passes on what the old connection still had to say, but not that it closed: that was our doing.
fn forward_remaining(events: &mut SignalEvents, told: &mpsc::UnboundedSender<SignalEvent>) {
    while let Ok(event) = events.try_recv() {
        if let ClientEvent::Message(message) = event {
            let _ = told.send(SignalEvent::Message(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_explanation_is_one_short_line() {
        assert_eq!(shorten("no permissions\nstack trace"), "no permissions");
        assert_eq!(shorten(&"x ".repeat(1000)).len(), EXPLANATION_CHARACTERS);
        assert_eq!(shorten("\u{1b}[31mred"), "[31mred");
    }

    #[test]
    fn a_token_that_a_server_repeats_is_not_told() {
        let error = SignalError::Client(
            "401".parse().expect("status"),
            "invalid token: eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl, error: expired".to_owned(),
        );
        let failure = SignalFailure::from(error);
        assert_eq!(
            failure,
            SignalFailure::Refused("HTTP 401, invalid token: *** error: expired".to_owned())
        );
    }

    #[test]
    fn failures_name_the_way_out_and_their_kind() {
        let refused: Failure = SignalFailure::Refused("HTTP 401".to_owned()).into();
        assert_eq!(refused.kind, FailureKind::SourceRefused);
        assert!(refused.message.contains("API key"));
        let unreachable: Failure = SignalFailure::Unreachable("refused".to_owned()).into();
        assert_eq!(unreachable.kind, FailureKind::SourceUnreachable);
        let silent: Failure =
            SignalFailure::from(SignalError::Timeout("no join response".to_owned())).into();
        assert_eq!(silent.kind, FailureKind::SourceTimeout);
    }
}
