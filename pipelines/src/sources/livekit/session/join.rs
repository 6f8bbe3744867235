//! Getting into a room.

use std::time::{Duration, Instant};

use livekit_protocol as proto;

use crate::job::Secret;

use super::super::address;
use super::super::negotiation::MediaSession;
use super::super::signal::{Signal, SignalFailure};

/// How long the first join goes on trying while the server does not answer.
const JOIN_FOR: Duration = Duration::from_secs(8);

/// The pause between two attempts of the first join.
const JOIN_PAUSE: Duration = Duration::from_millis(400);

/// What a join brings.
pub struct Session {
    pub signal: Signal,
    pub joined: Box<proto::JoinResponse>,
    pub media: Box<MediaSession>,
    /// When the server let the recorder in.
    pub at: Instant,
}

/// Joins; tries for about eight seconds while the server does not answer.
///
/// # Errors
/// The server cannot be reached or refuses.
pub async fn join_patiently(url: &str, token: &Secret) -> Result<Session, SignalFailure> {
    let deadline = Instant::now() + JOIN_FOR;
    loop {
        let attempt = join(url.to_owned(), token.clone(), true);
        let outcome = tokio::time::timeout_at(deadline.into(), attempt)
            .await
            .unwrap_or_else(|_| {
                let waited = format!("nothing within {} s", JOIN_FOR.as_secs());
                Err(SignalFailure::Timeout(waited))
            });
        match outcome {
            Err(failure) if failure.is_transient() && Instant::now() + JOIN_PAUSE < deadline => {
                log::info!("joining failed, trying again: {failure}");
                tokio::time::sleep(JOIN_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Joins once and prepares the peer connection.
///
/// # Errors
/// The server cannot be reached or refuses, or no socket can be opened.
pub async fn join(
    url: String,
    token: Secret,
    auto_subscribe: bool,
) -> Result<Session, SignalFailure> {
    let (server, joined) = tokio::join!(
        address::resolve(&url),
        Signal::join(url.clone(), token, auto_subscribe)
    );
    let (signal, joined) = joined?;
    let at = Instant::now();
    let server = server.map_err(|error| SignalFailure::Unreachable(error.to_string()))?;
    let media = MediaSession::new(server, joined.sif_trailer.clone())
        .map_err(|error| SignalFailure::Other(error.to_string()))?;
    Ok(Session {
        signal,
        joined,
        media: Box::new(media),
        at,
    })
}
