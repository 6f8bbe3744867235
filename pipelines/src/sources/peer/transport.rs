use std::net::SocketAddr;
use std::task::{Context, Poll};

use str0m::Candidate;
use str0m::net::Protocol;

use super::PeerError;

/// How the packets of one peer connection travel. A call never blocks.
pub trait Transport {
    /// The candidates to begin with; for the other side they are where it reaches us.
    fn local_candidates(&self) -> Vec<Candidate>;

    /// From now on the other side names us by this user name fragment (RFC 8445 section 5.3), at
    /// first and after each ICE restart. The fragment before stays good for what is under way.
    fn named(&mut self, user_fragment: &str);

    /// What to do with a candidate of the other side.
    ///
    /// # Errors
    /// There is no way to it.
    fn consider(&mut self, candidate: &Candidate) -> Result<RemoteUse, PeerError>;

    /// No path is known to carry packets. After an ICE restart (`anew`) what was known of the
    /// other side is void.
    fn path_sought(&mut self, anew: bool);

    /// A path carries packets.
    fn path_found(&mut self);

    /// Sends at once or not at all: ICE, DTLS and RTCP repeat what matters.
    fn send(
        &mut self,
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    );

    /// What happens next on the network. A datagram is written to `buffer`.
    fn poll_arrival(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Arrival>;

    /// A packet from this address proved to be of the other side.
    fn proved(&mut self, protocol: Protocol, from: SocketAddr);
}

/// What a candidate of the other side is good for.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteUse {
    /// It is checked from the local candidates there are.
    Pair,
    /// Likewise, and from this new one.
    PairFrom(Candidate),
    /// Not now: the other side comes from there itself, or it is kept for later.
    Skip,
}

/// What happened on the network.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// A datagram, or a frame of a TCP connection.
    Datagram {
        /// How much of the buffer it fills, bytes.
        length: usize,
        protocol: Protocol,
        from: SocketAddr,
        /// The local candidate's address.
        to: SocketAddr,
    },
    /// There is a connection between these two.
    Opened { local: Candidate, remote: Candidate },
    /// A connection from this candidate ended.
    Lost(Candidate),
}
