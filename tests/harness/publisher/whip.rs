//! Publishers of the recording server's own rooms.

use testcard::PublisherOptions;
use testcard::whip::{Endpoint, Route, WhipPublisher};

use crate::livekit::participant_token;
use crate::tapedeck::Tapedeck;

/// Publishes by WHIP over UDP and returns once media is flowing.
///
/// # Panics
/// It cannot.
pub async fn publish(tapedeck: &Tapedeck, room: &str, options: PublisherOptions) -> WhipPublisher {
    publish_over(tapedeck, room, Route::Udp, options).await
}

/// The same over UDP or TCP.
///
/// # Panics
/// It cannot.
pub async fn publish_over(
    tapedeck: &Tapedeck,
    room: &str,
    route: Route,
    options: PublisherOptions,
) -> WhipPublisher {
    crate::http::install_crypto();
    let endpoint = endpoint(tapedeck, room, &options.identity, &options.name);
    let identity = options.identity.clone();
    WhipPublisher::publish(endpoint, route, options)
        .await
        .unwrap_or_else(|error| panic!("{identity} cannot publish: {error}"))
}

/// Where a participant of a room posts, with a token of its own.
pub fn endpoint(tapedeck: &Tapedeck, room: &str, identity: &str, name: &str) -> Endpoint {
    Endpoint {
        url: tapedeck
            .url(&format!("/whip/{room}"))
            .parse()
            .expect("an address"),
        token: participant_token(room, identity, name, false),
    }
}
