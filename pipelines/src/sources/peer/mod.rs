//! A WebRTC peer that only receives: ICE, DTLS and RTP by str0m, its packets by a [`Transport`].

mod dialled;
mod event;
mod frame;
mod framing;
mod negotiation;
mod offer;
mod reachability;
mod tcp;
mod transport;

use std::collections::HashSet;
use std::future::poll_fn;
use std::net::IpAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use str0m::error::RtcError;
use str0m::media::{KeyframeRequestKind, MediaData, Mid, Rid};
use str0m::net::Receive;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use frame::PacketCounter;
use reachability::Reachability;

pub use dialled::Dialled;
pub use event::{MediaSection, PeerError, PeerEvent, PeerFrame};
pub use negotiation::IceCredentials;
pub use tcp::PacketStream;
pub use transport::{Arrival, RemoteUse, Transport};

/// The most that a datagram can hold on the paths of the internet.
pub const DATAGRAM_BYTES: usize = 2048;

/// What saying good-bye may bring about.
const MOST_PACKETS_OF_A_GOOD_BYE: usize = 64;

/// One peer connection.
pub struct Peer<T = Dialled> {
    rtc: Rtc,
    transport: T,
    buffer: Box<[u8; DATAGRAM_BYTES]>,
    /// Remote candidates that came before the first offer.
    early_candidates: Vec<Candidate>,
    /// Those that were taken since ICE began.
    remote_candidates: HashSet<Candidate>,
    /// The last offer that was accepted, without candidates.
    offer: Option<String>,
    /// Our candidates as the last answer has them.
    candidates: Vec<String>,
    sections: Vec<MediaSection>,
    connected: bool,
    reachability: Reachability,
    packets: PacketCounter,
}

impl Peer<Dialled> {
    /// A peer whose first socket is bound to the address that packets to `server` leave from.
    ///
    /// # Errors
    /// No socket could be bound.
    pub fn new(server: IpAddr) -> Result<Self, PeerError> {
        Ok(Self::over(Dialled::towards(server)?))
    }
}

impl<T: Transport> Peer<T> {
    /// A peer whose packets travel by `transport`.
    pub fn over(transport: T) -> Self {
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
            transport,
            buffer: Box::new([0; DATAGRAM_BYTES]),
            early_candidates: Vec::new(),
            remote_candidates: HashSet::new(),
            offer: None,
            candidates: Vec::new(),
            sections: Vec::new(),
            connected: false,
            reachability: Reachability::default(),
            packets: PacketCounter::default(),
        };
        for candidate in peer.transport.local_candidates() {
            peer.rtc.add_local_candidate(candidate);
        }
        let credentials = peer.local_ice_credentials();
        peer.transport.named(&credentials.user_fragment);
        peer
    }

    /// Forgets what a media section carried, so that the next offer can use it for another track.
    ///
    /// Otherwise the jitter buffer would compare the sequence numbers of the two, and key frames
    /// would be asked of either.
    pub fn forget_media(&mut self, mid: Mid) {
        self.rtc.direct_api().remove_media(mid);
        self.packets.forget(mid);
    }

    /// Asks the sender of a media section without simulcast layers for a key frame.
    pub fn request_keyframe(&mut self, mid: Mid) {
        self.request_keyframe_of(mid, None);
    }

    /// Asks for a key frame of one simulcast layer; of the only stream without a layer's name.
    pub fn request_keyframe_of(&mut self, mid: Mid, rid: Option<Rid>) {
        let Some(mut writer) = self.rtc.writer(mid) else {
            return;
        };
        let kind = [KeyframeRequestKind::Pli, KeyframeRequestKind::Fir]
            .into_iter()
            .find(|kind| writer.is_request_keyframe_possible(*kind));
        let Some(kind) = kind else {
            return;
        };
        if let Err(error) = writer.request_keyframe(rid, kind) {
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
        self.offer.is_some()
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
            let (transport, buffer) = (&mut self.transport, &mut self.buffer);
            let arrival = tokio::select! {
                biased;
                arrival = poll_fn(|context| {
                    transport.poll_arrival(context, buffer.as_mut_slice())
                }) => Some(arrival),
                () = tokio::time::sleep_until(wake.into()) => None,
            };
            let was_reachable = self.reachability.is_reachable();
            let handled = match arrival {
                Some(arrival) => self.on_arrival(arrival),
                None => self.time_passed(Instant::now()),
            };
            if let Err(error) = handled {
                log::debug!("a packet was refused: {error}");
            }
            let reachable = self.reachability.is_reachable();
            if reachable != was_reachable {
                if reachable {
                    self.transport.path_found();
                } else {
                    self.transport.path_sought(false);
                }
                return PeerEvent::Reachable(reachable);
            }
        }
    }

    /// Says good-bye to the other side (DTLS close_notify, RTCP BYE).
    pub fn close(mut self) {
        if self.rtc.close().is_err() {
            return;
        }
        // Saying it takes a handful of packets, each with what it brings about.
        for _ in 0..MOST_PACKETS_OF_A_GOOD_BYE {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(packet)) => self.transport.send(
                    packet.proto,
                    packet.source,
                    packet.destination,
                    &packet.contents,
                ),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }

    fn poll(&mut self) -> Result<Polled, RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(deadline) => return Ok(Polled::IdleUntil(deadline)),
                Output::Transmit(packet) => {
                    self.transport.send(
                        packet.proto,
                        packet.source,
                        packet.destination,
                        &packet.contents,
                    );
                }
                Output::Event(event) => {
                    if let Some(event) = self.translate(event) {
                        return Ok(Polled::Event(event));
                    }
                }
            }
        }
    }

    fn on_arrival(&mut self, arrival: Arrival) -> Result<(), RtcError> {
        match arrival {
            Arrival::Opened { local, remote } => {
                self.rtc.add_local_candidate(local);
                self.rtc.add_remote_candidate(remote);
                self.rtc.handle_input(Input::Timeout(Instant::now()))
            }
            Arrival::Lost(local) => {
                self.rtc.direct_api().invalidate_candidate(&local);
                self.rtc.handle_input(Input::Timeout(Instant::now()))
            }
            Arrival::Datagram {
                length,
                protocol,
                from,
                to,
            } => {
                let now = Instant::now();
                let contents = &self.buffer[..length];
                let Ok(packet) = Receive::new(protocol, from, to, contents) else {
                    return Ok(());
                };
                let input = Input::Receive(now, packet);
                if !self.rtc.accepts(&input) {
                    return Ok(());
                }
                self.transport.proved(protocol, from);
                self.reachability.received(now);
                self.rtc.handle_input(input)
            }
        }
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
                if state.is_connected() {
                    self.transport.path_found();
                } else if state.is_disconnected() {
                    // What was given up may be offered again.
                    self.remote_candidates.clear();
                    self.transport.path_sought(false);
                }
                let reachable = self.reachability.is_reachable();
                (reachable != was_reachable).then_some(PeerEvent::Reachable(reachable))
            }
            Event::MediaData(data) => {
                self.ask_for_lost_packets(&data);
                Some(PeerEvent::Frame(self.frame(data)))
            }
            Event::SenderFeedback(feedback) => {
                let ntp = feedback
                    .sender_info
                    .ntp_time
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO);
                Some(PeerEvent::SenderReport {
                    mid: feedback.mid,
                    rid: feedback.rid,
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

    /// Has lost packets of a picture asked for also where none are retransmitted in a stream of
    /// their own (RFC 4588): some clients, OBS among them, then send them again as they were.
    fn ask_for_lost_packets(&mut self, data: &MediaData) {
        let params = &data.params;
        let is_plain = params.spec().codec.is_video() && params.resend().is_none();
        // A stream may be replaced by another, which begins with a key frame as well.
        if is_plain && params.fb_nack() && data.is_keyframe() {
            let mut direct = self.rtc.direct_api();
            if let Some(stream) = direct.stream_rx_by_mid(data.mid, data.rid) {
                stream.suppress_nack(false);
            }
        }
    }

    fn frame(&mut self, data: MediaData) -> PeerFrame {
        let spec = data.params.spec();
        let packets_lost = self.packets.lost_before(
            (data.mid, data.rid),
            **data.seq_range.start(),
            **data.seq_range.end(),
            data.contiguous,
        );
        PeerFrame {
            mid: data.mid,
            rid: data.rid,
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
}

enum Polled {
    Event(PeerEvent),
    IdleUntil(Instant),
}
