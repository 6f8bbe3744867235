//! A WebRTC peer that only receives: ICE, DTLS and RTP by str0m on UDP sockets of ours.

mod frame;
mod reachability;
mod sockets;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use str0m::change::SdpOffer;
use str0m::error::RtcError;
use str0m::media::{KeyframeRequestKind, MediaData, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use crate::log::Codec;
use frame::PacketCounter;
use reachability::Reachability;
use sockets::Sockets;

/// The most that a datagram can hold on the paths of the internet.
const DATAGRAM_BYTES: usize = 2048;

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

/// One peer connection.
pub struct Peer {
    rtc: Rtc,
    sockets: Sockets,
    buffer: Box<[u8; DATAGRAM_BYTES]>,
    /// Remote candidates that came before the first offer.
    early_candidates: Vec<Candidate>,
    negotiated: bool,
    connected: bool,
    reachability: Reachability,
    packets: PacketCounter,
}

impl Peer {
    /// A peer whose first socket is bound to the address that packets to `server` leave from.
    ///
    /// # Errors
    /// No socket could be bound.
    pub fn new(server: IpAddr) -> Result<Self, PeerError> {
        let rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, true)
            .enable_vp8(true)
            .enable_h264(true)
            .enable_vp9(true)
            .enable_av1(true)
            .build(Instant::now());
        let mut peer = Self {
            rtc,
            sockets: Sockets::default(),
            buffer: Box::new([0; DATAGRAM_BYTES]),
            early_candidates: Vec::new(),
            negotiated: false,
            connected: false,
            reachability: Reachability::default(),
            packets: PacketCounter::default(),
        };
        peer.open_towards(server)?;
        Ok(peer)
    }

    /// Answers an offer; also a repeated one, with an ICE restart or other media.
    ///
    /// # Errors
    /// The offer is not SDP or cannot be answered.
    pub fn accept_offer(&mut self, sdp: &str) -> Result<String, PeerError> {
        let offer =
            SdpOffer::from_sdp_string(sdp).map_err(|error| PeerError::Offer(error.to_string()))?;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| PeerError::Offer(error.to_string()))?;
        self.negotiated = true;
        for candidate in std::mem::take(&mut self.early_candidates) {
            self.rtc.add_remote_candidate(candidate);
        }
        Ok(answer.to_sdp_string())
    }

    /// Forgets what a media section carried, so that the next offer can use it for another track.
    ///
    /// Otherwise the jitter buffer would compare the sequence numbers of the two, and key frames
    /// would be asked of either.
    pub fn forget_media(&mut self, mid: Mid) {
        self.rtc.direct_api().remove_media(mid);
        self.packets.forget(mid);
    }

    /// Takes a `candidate:…` line of the other side. Only UDP is dialled.
    pub fn add_remote_candidate(&mut self, line: &str) {
        let candidate = match Candidate::from_sdp_string(line) {
            Ok(candidate) => candidate,
            Err(error) => {
                log::debug!("ignoring the candidate \"{line}\": {error}");
                return;
            }
        };
        if candidate.proto() != Protocol::Udp {
            return;
        }
        // A server may be reachable on another network than the one its signalling is on.
        if let Err(error) = self.open_towards(candidate.addr().ip()) {
            log::debug!("no way to the candidate {}: {error}", candidate.addr());
        }
        if self.negotiated {
            self.rtc.add_remote_candidate(candidate);
        } else {
            self.early_candidates.push(candidate);
        }
    }

    /// Asks the sender of a media section for a key frame.
    pub fn request_keyframe(&mut self, mid: Mid) {
        if let Some(mut writer) = self.rtc.writer(mid)
            && let Err(error) = writer.request_keyframe(None, KeyframeRequestKind::Pli)
        {
            log::debug!("cannot ask for a key frame of media section {mid} yet: {error}");
        }
    }

    /// The track id that the session description gives a media section, where it gives one.
    pub fn described_track(&self, mid: Mid) -> Option<&str> {
        self.rtc
            .media(mid)
            .map(|media| media.track_id())
            .filter(|id| !id.is_empty())
    }

    /// Whether an offer was accepted.
    pub fn is_negotiated(&self) -> bool {
        self.negotiated
    }

    /// Whether media can arrive.
    pub fn is_connected(&self) -> bool {
        self.connected && self.reachability.is_reachable()
    }

    /// When the last packet of any kind arrived.
    pub fn last_received(&self) -> Option<Instant> {
        self.reachability.last_received()
    }

    /// Drives the connection until there is something to tell. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> PeerEvent {
        loop {
            let deadline = match self.poll() {
                Ok(Polled::Event(event)) => return event,
                Ok(Polled::IdleUntil(deadline)) => deadline,
                Err(error) => {
                    log::warn!("the peer connection failed: {error}");
                    self.rtc.disconnect();
                    return PeerEvent::Closed;
                }
            };
            if !self.rtc.is_alive() {
                // Told once; afterwards there is nothing to wait for.
                if self.connected {
                    self.connected = false;
                    return PeerEvent::Closed;
                }
                std::future::pending::<()>().await;
            }
            let wake = match self.reachability.silent_at() {
                Some(silent_at) if self.connected => deadline.min(silent_at),
                _ => deadline,
            };
            let received = tokio::select! {
                biased;
                received = self.sockets.receive(self.buffer.as_mut_slice()) => Some(received),
                () = tokio::time::sleep_until(wake.into()) => None,
            };
            let was_reachable = self.reachability.is_reachable();
            let handled = match received {
                Some((length, from, to)) => self.receive(length, from, to),
                None => self.time_passed(Instant::now()),
            };
            if let Err(error) = handled {
                log::debug!("a packet was refused: {error}");
            }
            let reachable = self.reachability.is_reachable();
            if reachable != was_reachable {
                return PeerEvent::Reachable(reachable);
            }
        }
    }

    fn poll(&mut self) -> Result<Polled, RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(deadline) => return Ok(Polled::IdleUntil(deadline)),
                Output::Transmit(packet) => {
                    self.sockets
                        .send(packet.source, packet.destination, &packet.contents);
                }
                Output::Event(event) => {
                    if let Some(event) = self.translate(event) {
                        return Ok(Polled::Event(event));
                    }
                }
            }
        }
    }

    fn receive(&mut self, length: usize, from: SocketAddr, to: SocketAddr) -> Result<(), RtcError> {
        let now = Instant::now();
        let Ok(packet) = Receive::new(Protocol::Udp, from, to, &self.buffer[..length]) else {
            return Ok(());
        };
        let input = Input::Receive(now, packet);
        if !self.rtc.accepts(&input) {
            return Ok(());
        }
        self.reachability.received(now);
        self.rtc.handle_input(input)
    }

    fn time_passed(&mut self, now: Instant) -> Result<(), RtcError> {
        if self.connected {
            self.reachability.time_passed(now);
        }
        self.rtc.handle_input(Input::Timeout(now))
    }

    fn translate(&mut self, event: Event) -> Option<PeerEvent> {
        match event {
            Event::Connected => {
                self.connected = true;
                Some(PeerEvent::Connected)
            }
            Event::IceConnectionStateChange(state) => {
                let was_reachable = self.reachability.is_reachable();
                self.reachability.ice_changed(state);
                let reachable = self.reachability.is_reachable();
                (reachable != was_reachable).then_some(PeerEvent::Reachable(reachable))
            }
            Event::MediaData(data) => Some(PeerEvent::Frame(self.frame(data))),
            Event::SenderFeedback(feedback) => {
                let ntp = feedback
                    .sender_info
                    .ntp_time
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO);
                Some(PeerEvent::SenderReport {
                    mid: feedback.mid,
                    // The lower half of the extended time is what was on the wire.
                    rtp: feedback.sender_info.rtp_time.numer() as u32,
                    ntp_ns: i64::try_from(ntp.as_nanos()).unwrap_or(i64::MAX),
                })
            }
            Event::Closed => {
                self.connected = false;
                Some(PeerEvent::Closed)
            }
            _ => None,
        }
    }

    fn frame(&mut self, data: MediaData) -> PeerFrame {
        let spec = data.params.spec();
        let packets_lost = self.packets.lost_before(
            data.mid,
            **data.seq_range.start(),
            **data.seq_range.end(),
            data.contiguous,
        );
        PeerFrame {
            mid: data.mid,
            codec: frame::codec(spec.codec),
            clock_rate: spec.clock_rate.get(),
            keyframe: data.is_keyframe(),
            contiguous: data.contiguous,
            // The lower half of the extended time is what was on the wire.
            rtp: data.time.numer() as u32,
            packets_lost,
            payload: Bytes::from_owner(data.data),
        }
    }

    /// Makes sure that there is a socket for packets to `remote`.
    fn open_towards(&mut self, remote: IpAddr) -> Result<(), PeerError> {
        let opened = self
            .sockets
            .open_towards(remote)
            .map_err(|source| PeerError::Socket {
                address: remote,
                source,
            })?;
        let Some(local) = opened else { return Ok(()) };
        match Candidate::host(local, Protocol::Udp) {
            Ok(candidate) => {
                self.rtc.add_local_candidate(candidate);
                Ok(())
            }
            Err(error) => Err(PeerError::Socket {
                address: remote,
                source: io::Error::other(error.to_string()),
            }),
        }
    }
}

enum Polled {
    Event(PeerEvent),
    IdleUntil(Instant),
}
