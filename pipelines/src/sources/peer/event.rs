use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use str0m::error::RtcError;
use str0m::media::{MediaKind, Mid, Rid};

use crate::log::Codec;

/// Why a peer connection could not be made or go on.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    #[error("cannot open a UDP socket towards {address}: {source}")]
    Socket {
        address: IpAddr,
        #[source]
        source: io::Error,
    },
    #[error("the offered session cannot be accepted: {0}")]
    Offer(String),
    #[error("the peer connection failed: {0}")]
    Connection(#[from] RtcError),
}

/// What a peer connection tells.
#[derive(Debug)]
pub enum PeerEvent {
    /// ICE and DTLS are up.
    Connected,
    /// Nothing comes from the other side any more, or does again.
    Reachable(bool),
    Frame(PeerFrame),
    SenderReport {
        mid: Mid,
        /// Which simulcast layer.
        rid: Option<Rid>,
        rtp: u32,
        ntp_ns: i64,
    },
    /// The connection is over: closed by the other side or broken.
    Closed,
}

/// A depacketised frame of one media section.
#[derive(Debug)]
pub struct PeerFrame {
    pub mid: Mid,
    /// Which simulcast layer, where the sender names layers so (RFC 8851).
    pub rid: Option<Rid>,
    pub codec: Codec,
    /// Ticks of RTP time per second.
    pub clock_rate: u32,
    pub keyframe: bool,
    pub contiguous: bool,
    /// RTP time as on the wire; it wraps.
    pub rtp: u32,
    /// Packets that never arrived between the frame before and this one.
    pub packets_lost: u64,
    pub payload: Bytes,
}

/// A media section of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSection {
    pub mid: Mid,
    pub kind: MediaKind,
    /// Whether the other side may send in it.
    pub receives: bool,
}
