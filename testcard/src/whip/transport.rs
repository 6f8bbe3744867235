//! How packets of a publisher travel.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use str0m::Candidate;
use str0m::net::{Protocol, TcpType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;

/// Packets that may wait on a TCP connection: more than a keyframe has.
const WAITING: usize = 512;

/// The sockets of one peer connection.
pub(super) enum Transport {
    Udp {
        socket: UdpSocket,
        local: SocketAddr,
    },
    Tcp {
        local: SocketAddr,
        remote: SocketAddr,
        incoming: mpsc::Receiver<Vec<u8>>,
        outgoing: mpsc::Sender<Vec<u8>>,
    },
}

impl Transport {
    /// A UDP socket on loopback.
    pub(super) async fn udp() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let local = socket.local_addr()?;
        Ok(Self::Udp { socket, local })
    }

    /// A connection to a passive candidate of the server.
    pub(super) async fn tcp(remote: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(remote).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let (read, write) = stream.into_split();
        let (arrived, incoming) = mpsc::channel(WAITING);
        let (outgoing, leaving) = mpsc::channel(WAITING);
        tokio::spawn(read_frames(read, arrived));
        tokio::spawn(write_frames(write, leaving));
        Ok(Self::Tcp {
            local,
            remote,
            incoming,
            outgoing,
        })
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Udp { .. } => Protocol::Udp,
            Self::Tcp { .. } => Protocol::Tcp,
        }
    }

    pub(super) fn local(&self) -> SocketAddr {
        match self {
            Self::Udp { local, .. } | Self::Tcp { local, .. } => *local,
        }
    }

    pub(super) fn candidate(&self) -> Result<Candidate, String> {
        let local = self.local();
        let candidate = match self {
            Self::Udp { .. } => Candidate::host(local, Protocol::Udp),
            Self::Tcp { .. } => Candidate::builder()
                .tcp()
                .host(local)
                .tcptype(TcpType::Active)
                .build(),
        };
        candidate.map_err(|error| error.to_string())
    }

    /// Sends a packet. A full network loses it, as any network does.
    pub(super) async fn send(&self, destination: SocketAddr, packet: &[u8]) {
        match self {
            Self::Udp { socket, .. } => drop(socket.send_to(packet, destination).await),
            Self::Tcp {
                remote, outgoing, ..
            } if *remote == destination => drop(outgoing.try_send(packet.to_vec())),
            Self::Tcp { .. } => {}
        }
    }

    /// Waits for a packet and tells where it came from.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) async fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<SocketAddr> {
        match self {
            Self::Udp { socket, .. } => {
                buffer.resize(2_048, 0);
                let (length, from) = socket.recv_from(buffer).await?;
                buffer.truncate(length);
                Ok(from)
            }
            Self::Tcp {
                incoming, remote, ..
            } => {
                let packet = incoming.recv().await;
                *buffer = packet.ok_or(io::ErrorKind::ConnectionReset)?;
                Ok(*remote)
            }
        }
    }
}

/// Frames of RFC 4571: each packet follows its length.
async fn read_frames(mut stream: OwnedReadHalf, arrived: mpsc::Sender<Vec<u8>>) {
    while let Ok(length) = stream.read_u16().await {
        let mut packet = vec![0; usize::from(length)];
        if stream.read_exact(&mut packet).await.is_err() || arrived.send(packet).await.is_err() {
            return;
        }
    }
}

async fn write_frames(mut stream: OwnedWriteHalf, mut leaving: mpsc::Receiver<Vec<u8>>) {
    while let Some(packet) = leaving.recv().await {
        let Ok(length) = u16::try_from(packet.len()) else {
            continue;
        };
        let frame = [&length.to_be_bytes()[..], &packet].concat();
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}
