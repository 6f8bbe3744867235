//! A WHIP publisher without HTTP: a peer connection that sends made-up frames.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{
    Direction, Frequency, KeyframeRequest, MediaKind, MediaTime, Mid, Rid, Simulcast,
    SimulcastLayer,
};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};

use super::SOON;

const FRAME: Duration = Duration::from_millis(33);

/// Pixels of the picture without layers.
pub const SIZE: (u16, u16) = (640, 360);

/// A simulcast layer: its name and the height of its pictures, pixels.
pub type Layer = (&'static str, u16);

/// Dropping it is a death without good-bye.
pub struct Publisher {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
    pub keyframe_requests: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub connected: bool,
    /// The other side said good-bye.
    pub closed: bool,
}

#[derive(Debug)]
enum Order {
    /// Restart ICE; returns the offer for it.
    Restart(oneshot::Sender<String>),
    Accept(String, oneshot::Sender<()>),
    /// Send from another port from now on.
    Move(oneshot::Sender<()>),
    /// Keep the connection and send no media from now on.
    FallSilent(oneshot::Sender<()>),
}

impl Publisher {
    /// One that sends sound and a picture, with its offer.
    pub async fn new() -> (Self, String) {
        Self::with_layers(&[]).await
    }

    pub async fn with_layers(layers: &[Layer]) -> (Self, String) {
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtcp_report_interval_audio(Duration::from_millis(300))
            .set_rtcp_report_interval_video(Duration::from_millis(300))
            .build(Instant::now());
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(local, Protocol::Udp).unwrap());
        let simulcast = (!layers.is_empty()).then(|| {
            let mut simulcast = Simulcast::new();
            for (name, _) in layers {
                simulcast.add_send_layer(SimulcastLayer::new(name));
            }
            simulcast
        });
        let mut changes = rtc.sdp_api();
        let stream = || Some("stream".to_owned());
        let audio = changes.add_media(MediaKind::Audio, Direction::SendOnly, stream(), None, None);
        let video = changes.add_media(
            MediaKind::Video,
            Direction::SendOnly,
            stream(),
            None,
            simulcast,
        );
        let (offer, pending) = changes.apply().unwrap();
        let (orders, receiver) = mpsc::channel(8);
        let (sender, state) = watch::channel(State::default());
        let keyframe_requests = Arc::new(AtomicU32::new(0));
        let peer = Peer {
            rtc,
            socket,
            local,
            pending: Some(pending),
            media: [audio, video],
            layers: layers.to_vec(),
            orders: receiver,
            state: sender,
            keyframe_requests: keyframe_requests.clone(),
            wanted: vec![true; layers.len().max(1)],
            frame: 0,
            silent: false,
        };
        let publisher = Self {
            orders,
            state,
            keyframe_requests,
            task: tokio::spawn(peer.run()),
        };
        (publisher, offer.to_sdp_string())
    }

    pub async fn accept(&mut self, answer: &str) {
        let (done, accepted) = oneshot::channel();
        let order = Order::Accept(answer.to_owned(), done);
        self.orders.send(order).await.expect("it publishes");
        accepted.await.unwrap();
    }

    /// Restarts ICE and returns the offer that would do so.
    pub async fn restart_ice(&mut self) -> String {
        let (done, offer) = oneshot::channel();
        self.orders
            .send(Order::Restart(done))
            .await
            .expect("it publishes");
        offer.await.unwrap()
    }

    /// Sends from another port, as after a change of networks.
    pub async fn change_network(&mut self) {
        let (done, moved) = oneshot::channel();
        self.orders
            .send(Order::Move(done))
            .await
            .expect("it publishes");
        moved.await.unwrap();
    }

    /// Keeps the connection and sends no media from now on.
    pub async fn fall_silent(&mut self) {
        let (done, fallen) = oneshot::channel();
        self.orders.send(Order::FallSilent(done)).await.unwrap();
        fallen.await.unwrap();
    }

    pub async fn connected(&mut self) {
        self.until(|state| state.connected).await;
    }

    pub async fn closed(&mut self) {
        self.until(|state| state.closed).await;
    }

    async fn until(&mut self, is_so: impl Fn(&State) -> bool) {
        let waiting = self.state.wait_for(is_so);
        timeout(SOON, waiting).await.expect("in time").unwrap();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    /// As the peer connection knows it.
    local: SocketAddr,
    pending: Option<SdpPendingOffer>,
    /// Audio, video.
    media: [Mid; 2],
    layers: Vec<Layer>,
    orders: mpsc::Receiver<Order>,
    state: watch::Sender<State>,
    keyframe_requests: Arc<AtomicU32>,
    /// Layers whose next frame is to be a key frame.
    wanted: Vec<bool>,
    frame: u64,
    silent: bool,
}

impl Peer {
    async fn run(mut self) {
        let mut buffer = vec![0; 2048];
        let mut next_frame = Instant::now();
        loop {
            let deadline = self.poll().min(next_frame);
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.carry_out(order).await,
                    None => return,
                },
                received = self.socket.recv_from(&mut buffer) => {
                    let Ok((length, from)) = received else { continue };
                    let packet = Receive::new(Protocol::Udp, from, self.local, &buffer[..length]);
                    if let Ok(packet) = packet {
                        let _ = self.rtc.handle_input(Input::Receive(Instant::now(), packet));
                    }
                }
                () = sleep_until(deadline.into()) => {
                    let now = Instant::now();
                    let _ = self.rtc.handle_input(Input::Timeout(now));
                    if now >= next_frame {
                        next_frame += FRAME;
                        if !self.silent {
                            self.send_frames(now);
                        }
                    }
                }
            }
        }
    }

    fn poll(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return at,
                Ok(Output::Transmit(packet)) => {
                    let _ = self
                        .socket
                        .try_send_to(&packet.contents, packet.destination);
                }
                Ok(Output::Event(event)) => self.on_event(event),
                Err(_) => return Instant::now() + FRAME,
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected => self.state.send_modify(|state| state.connected = true),
            Event::Closed => self.state.send_modify(|state| state.closed = true),
            Event::KeyframeRequest(KeyframeRequest { rid, .. }) => {
                self.keyframe_requests.fetch_add(1, Ordering::Relaxed);
                let layer = rid.and_then(|rid| {
                    let mut layers = self.layers.iter();
                    layers.position(|(name, _)| Rid::from(*name) == rid)
                });
                self.wanted[layer.unwrap_or(0)] = true;
            }
            _ => {}
        }
    }

    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Accept(answer, done) => {
                let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
                let pending = self.pending.take().expect("an offer");
                self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
                let _ = done.send(());
            }
            Order::Restart(done) => {
                let mut changes = self.rtc.sdp_api();
                changes.ice_restart(true);
                let (offer, pending) = changes.apply().unwrap();
                self.pending = Some(pending);
                let _ = done.send(offer.to_sdp_string());
            }
            Order::Move(done) => {
                self.socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let _ = done.send(());
            }
            Order::FallSilent(done) => {
                self.silent = true;
                let _ = done.send(());
            }
        }
    }

    fn send_frames(&mut self, now: Instant) {
        if !self.state.borrow().connected {
            return;
        }
        self.frame += 1;
        let [audio, video] = self.media;
        self.write(audio, Codec::Opus, None, vec![0xfc; 60], now);
        let layers = self.layers.clone();
        if layers.is_empty() {
            let frame = self.picture(0, SIZE);
            self.write(video, Codec::Vp8, None, frame, now);
        }
        for (index, (name, height)) in layers.into_iter().enumerate() {
            let frame = self.picture(index, (height * 16 / 9, height));
            self.write(video, Codec::Vp8, Some(Rid::from(name)), frame, now);
        }
    }

    /// The beginning of a VP8 frame (RFC 6386 section 9.1), and filling.
    fn picture(&mut self, layer: usize, (width, height): (u16, u16)) -> Vec<u8> {
        let mut frame = vec![0; usize::from(height) * 4];
        if std::mem::take(&mut self.wanted[layer]) {
            frame[..6].copy_from_slice(&[0x50, 0x42, 0x00, 0x9d, 0x01, 0x2a]);
            frame[6..8].copy_from_slice(&width.to_le_bytes());
            frame[8..10].copy_from_slice(&height.to_le_bytes());
        } else {
            frame[..3].copy_from_slice(&[0x51, 0x42, 0x00]);
        }
        frame
    }

    fn write(&mut self, mid: Mid, codec: Codec, rid: Option<Rid>, frame: Vec<u8>, now: Instant) {
        let Some(writer) = self.rtc.writer(mid) else {
            return;
        };
        let payload = writer
            .payload_params()
            .find(|params| params.spec().codec == codec)
            .map(|params| params.pt());
        let Some(payload) = payload else { return };
        let (rate, step) = match codec {
            Codec::Opus => (Frequency::FORTY_EIGHT_KHZ, 1_584),
            _ => (Frequency::NINETY_KHZ, 2_970),
        };
        let time = MediaTime::new(self.frame * step, rate);
        let writer = match rid {
            Some(rid) => writer.rid(rid),
            None => writer,
        };
        let _ = writer.write(payload, now, time, frame);
    }
}
