//! Publishers, as WHIP clients are, on real sockets of this machine.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep_until, timeout};

use super::{Ports, Share};
use crate::job::RoomsSettings;
use crate::sources::peer::{IceCredentials, PacketStream, Peer, PeerEvent};

/// Generous: nothing here takes long unless it never happens.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two frames of sound.
const PACE: Duration = Duration::from_millis(20);

enum Way {
    Udp(UdpSocket),
    Tcp(Box<PacketStream>),
}

/// Sends frames of sound whose first bytes count up.
struct Publisher {
    rtc: Rtc,
    way: Way,
    local: SocketAddr,
    mid: Mid,
    sent: u32,
    /// Times that ICE found a path.
    paths: usize,
}

fn settings(protocol: Protocol) -> RoomsSettings {
    let any = Some((0, 0));
    RoomsSettings {
        udp_ports: any.filter(|_| protocol == Protocol::Udp),
        tcp_ports: any.filter(|_| protocol == Protocol::Tcp),
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
        ..RoomsSettings::default()
    }
}

fn peer(ports: &Ports) -> Box<Peer<Share>> {
    Box::new(Peer::over(ports.share()))
}

impl Publisher {
    async fn new(ports: &Ports, protocol: Protocol) -> (Self, String, SdpPendingOffer) {
        let mut rtc = RtcConfig::new().build(Instant::now());
        let (way, candidate) = match protocol {
            Protocol::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
                let local = socket.local_addr().expect("address");
                let candidate = Candidate::host(local, Protocol::Udp).expect("candidate");
                (Way::Udp(socket), candidate)
            }
            _ => {
                let stream = TcpStream::connect(ports.tcp()[0]).await.expect("connect");
                let stream = PacketStream::new(stream).expect("stream");
                let candidate = Candidate::builder()
                    .tcp()
                    .host(stream.local())
                    .tcptype(TcpType::Active)
                    .build()
                    .expect("candidate");
                (Way::Tcp(Box::new(stream)), candidate)
            }
        };
        let local = candidate.addr();
        rtc.add_local_candidate(candidate);
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let (offer, pending) = changes.apply().expect("an offer");
        let publisher = Self {
            rtc,
            way,
            local,
            mid,
            sent: 0,
            paths: 0,
        };
        (publisher, offer.to_sdp_string(), pending)
    }

    fn accept(&mut self, pending: SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("an answer");
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .expect("the answer fits");
    }

    /// Publishes until dropped.
    async fn run(&mut self) {
        let mut buffer = [0; 2048];
        let mut next_frame = Instant::now();
        loop {
            let due = loop {
                match self.rtc.poll_output().expect("output") {
                    Output::Timeout(due) => break due,
                    Output::Transmit(packet) => match &mut self.way {
                        Way::Udp(socket) => {
                            let _ = socket.send_to(&packet.contents, packet.destination).await;
                        }
                        Way::Tcp(stream) if packet.proto == Protocol::Tcp => {
                            stream.send(&packet.contents);
                        }
                        Way::Tcp(_) => {}
                    },
                    Output::Event(Event::IceConnectionStateChange(state)) => {
                        self.paths += usize::from(state == IceConnectionState::Completed);
                    }
                    Output::Event(_) => {}
                }
            };
            let protocol = match &self.way {
                Way::Udp(_) => Protocol::Udp,
                Way::Tcp(_) => Protocol::Tcp,
            };
            let arrival = async {
                match &mut self.way {
                    Way::Udp(socket) => socket.recv_from(&mut buffer).await.expect("receive"),
                    Way::Tcp(stream) => {
                        let received =
                            poll_fn(|context| stream.poll_receive(context, &mut buffer)).await;
                        match received {
                            Ok(length) => (length, stream.remote()),
                            Err(_) => std::future::pending().await,
                        }
                    }
                }
            };
            let local = self.local;
            tokio::select! {
                (length, from) = arrival => {
                    if let Ok(packet) = Receive::new(protocol, from, local, &buffer[..length]) {
                        let input = Input::Receive(Instant::now(), packet);
                        self.rtc.handle_input(input).expect("input");
                    }
                }
                () = sleep_until(due.min(next_frame).into()) => {
                    let now = Instant::now();
                    self.rtc.handle_input(Input::Timeout(now)).expect("input");
                    if now >= next_frame && self.rtc.is_connected() {
                        self.write(now);
                    }
                    if now >= next_frame {
                        next_frame = now + PACE;
                    }
                }
            }
        }
    }

    fn write(&mut self, now: Instant) {
        let Some(writer) = self.rtc.writer(self.mid) else {
            return;
        };
        let payload_type = writer.payload_params().next().expect("a codec").pt();
        let time = MediaTime::new(u64::from(self.sent) * 960, Frequency::FORTY_EIGHT_KHZ);
        let mut payload = self.sent.to_be_bytes().to_vec();
        payload.resize(80, 0x55);
        writer
            .write(payload_type, now, time, payload)
            .expect("write");
        self.sent += 1;
    }
}

/// Drives the peer until `count` frames arrived; their numbers.
async fn receive(peer: &mut Peer<Share>, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        match peer.next().await {
            PeerEvent::Frame(frame) => {
                let number = frame.payload.first_chunk::<4>().expect("a number");
                numbers.push(u32::from_be_bytes(*number));
            }
            PeerEvent::Closed => panic!("the connection was closed"),
            _ => {}
        }
    }
    numbers
}

/// Both sides until the peer received `count` frames in a row.
async fn flows(publisher: &mut Publisher, peer: &mut Peer<Share>, count: usize) {
    let numbers = timeout(PATIENCE, async {
        tokio::select! {
            numbers = receive(peer, count) => numbers,
            () = publisher.run() => unreachable!("publishes for ever"),
        }
    })
    .await
    .expect("media in time");
    let expected: Vec<u32> = (numbers[0]..).take(count).collect();
    assert_eq!(numbers, expected, "every frame in its place");
}

async fn publishes_over(protocol: Protocol) {
    let ports = Ports::bind(&settings(protocol)).expect("ports");
    let mut peer = peer(&ports);
    let (mut publisher, offer, pending) = Publisher::new(&ports, protocol).await;
    let answer = peer.accept_offer(&offer).expect("an answer");
    publisher.accept(pending, &answer);
    flows(&mut publisher, &mut peer, 25).await;
    assert!(peer.is_connected());
    assert_eq!(peer.media_sections().len(), 1);
    assert!(peer.media_sections()[0].receives);
}

#[tokio::test]
async fn a_publisher_gets_through_over_udp_alone() {
    publishes_over(Protocol::Udp).await;
}

#[tokio::test]
async fn a_publisher_gets_through_over_tcp_alone() {
    publishes_over(Protocol::Tcp).await;
}

#[tokio::test]
async fn two_publishers_on_one_port_get_their_own() {
    let ports = Ports::bind(&settings(Protocol::Udp)).expect("ports");
    assert_eq!(ports.udp().len(), 1);
    let (mut first, mut second) = (peer(&ports), peer(&ports));
    let (mut alice, offer, pending) = Publisher::new(&ports, Protocol::Udp).await;
    alice.accept(pending, &first.accept_offer(&offer).expect("an answer"));
    let (mut bob, offer, pending) = Publisher::new(&ports, Protocol::Udp).await;
    bob.accept(pending, &second.accept_offer(&offer).expect("an answer"));
    alice.sent = 1_000_000;
    let both = async { tokio::join!(receive(&mut first, 20), receive(&mut second, 20)) };
    let (of_alice, of_bob) = timeout(PATIENCE, async {
        tokio::select! {
            numbers = both => numbers,
            () = alice.run() => unreachable!("publishes for ever"),
            () = bob.run() => unreachable!("publishes for ever"),
        }
    })
    .await
    .expect("media in time");
    assert!(of_alice.iter().all(|number| *number >= 1_000_000));
    assert!(of_bob.iter().all(|number| *number < 1_000_000));
    assert_eq!(ports.dropped().overflowed, 0);
}

async fn restarts_over(protocol: Protocol) {
    let ports = Ports::bind(&settings(protocol)).expect("ports");
    let mut peer = peer(&ports);
    let (mut publisher, offer, pending) = Publisher::new(&ports, protocol).await;
    let answer = peer.accept_offer(&offer).expect("an answer");
    publisher.accept(pending, &answer);
    flows(&mut publisher, &mut peer, 5).await;
    let before = publisher.paths;

    let mut changes = publisher.rtc.sdp_api();
    let theirs = changes.ice_restart(true);
    let (_, pending) = changes.apply().expect("an offer");
    let ours = peer
        .restart_ice(&IceCredentials {
            user_fragment: theirs.ufrag,
            password: theirs.pass,
        })
        .expect("a restart");
    // What a WHIP client makes of the answer to its PATCH.
    let line = |name: &str, value: &str| format!("a={name}:{value}");
    let restarted: String = answer
        .lines()
        .map(|text| match text.split_once(':') {
            Some(("a=ice-ufrag", _)) => line("ice-ufrag", &ours.user_fragment),
            Some(("a=ice-pwd", _)) => line("ice-pwd", &ours.password),
            _ => text.to_owned(),
        })
        .filter(|text| !text.starts_with("a=candidate"))
        .map(|text| text + "\r\n")
        .collect();
    publisher.accept(pending, &restarted);
    assert!(!peer.local_candidates().is_empty());
    for candidate in peer.local_candidates() {
        let candidate = Candidate::from_sdp_string(candidate).expect("a candidate");
        publisher.rtc.add_remote_candidate(candidate);
    }
    timeout(PATIENCE, async {
        while publisher.paths == before {
            flows(&mut publisher, &mut peer, 5).await;
        }
    })
    .await
    .expect("a path by the new credentials");
    flows(&mut publisher, &mut peer, 25).await;
}

#[tokio::test]
async fn ice_restarts_while_media_flows_over_udp() {
    restarts_over(Protocol::Udp).await;
}

#[tokio::test]
async fn ice_restarts_while_media_flows_over_tcp() {
    restarts_over(Protocol::Tcp).await;
}

#[tokio::test]
async fn a_closed_peer_says_so_and_gives_its_share_back() {
    let ports = Ports::bind(&settings(Protocol::Udp)).expect("ports");
    let mut peer = peer(&ports);
    let (mut publisher, offer, pending) = Publisher::new(&ports, Protocol::Udp).await;
    publisher.accept(pending, &peer.accept_offer(&offer).expect("an answer"));
    flows(&mut publisher, &mut peer, 2).await;
    peer.close();
    let alive = async {
        while publisher.rtc.is_alive() {
            let _ = timeout(Duration::from_millis(50), publisher.run()).await;
        }
    };
    timeout(PATIENCE, alive).await.expect("a good-bye");
    assert_eq!(ports.dropped().overflowed, 0);
}

#[tokio::test]
async fn strangers_are_counted_and_their_connections_end() {
    let ports = Ports::bind(&RoomsSettings {
        udp_ports: Some((0, 0)),
        ..settings(Protocol::Tcp)
    })
    .expect("ports");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let check = super::stun::tests::request("nobody", [1; 12]);
    socket.send_to(&check, ports.udp()[0]).await.expect("send");
    socket
        .send_to(&[0x80; 20], ports.udp()[0])
        .await
        .expect("send");
    timeout(PATIENCE, async {
        while ports.dropped().strangers < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("counted");
    for words in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 2, 1, 2]] {
        let mut stream = TcpStream::connect(ports.tcp()[0]).await.expect("connect");
        stream.write_all(words).await.expect("write");
        let ended = async {
            let mut byte = [0; 1];
            tokio::io::AsyncReadExt::read(&mut stream, &mut byte).await
        };
        let ended = timeout(PATIENCE, ended).await.expect("an end in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
}

#[tokio::test]
async fn many_silent_connections_do_not_keep_a_publisher_out() {
    let ports = Ports::bind(&settings(Protocol::Tcp)).expect("ports");
    let mut silent = Vec::new();
    for _ in 0..super::tcp::MOST_UNPROVED + 20 {
        silent.push(TcpStream::connect(ports.tcp()[0]).await.expect("connect"));
    }
    let mut peer = peer(&ports);
    let (mut publisher, offer, pending) = Publisher::new(&ports, Protocol::Tcp).await;
    publisher.accept(pending, &peer.accept_offer(&offer).expect("an answer"));
    flows(&mut publisher, &mut peer, 5).await;
}

#[tokio::test]
async fn behind_one_to_one_nat_the_public_address_is_announced() {
    let ports = Ports::bind(&RoomsSettings {
        public_addresses: vec!["127.0.0.9".parse().expect("address")],
        ..settings(Protocol::Udp)
    })
    .expect("ports");
    let mut peer = peer(&ports);
    let (mut publisher, offer, pending) = Publisher::new(&ports, Protocol::Udp).await;
    let answer = peer.accept_offer(&offer).expect("an answer");
    assert!(answer.contains(" 127.0.0.9 ") && !answer.contains(" 127.0.0.1 "));
    publisher.accept(pending, &answer.replace(" 127.0.0.9 ", " 127.0.0.1 "));
    flows(&mut publisher, &mut peer, 10).await;
}
