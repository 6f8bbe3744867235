use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::SendFlags;
use str0m::Candidate;
use str0m::net::{Protocol, TcpType};
use tokio::sync::{mpsc, oneshot};

use super::demultiplexer::SessionId;
use super::{Delivery, QUEUE_PACKETS, Shared};
use crate::sources::peer::{Arrival, PeerError, RemoteUse, Transport};

/// TCP connections of one session: one per network that its publisher has, old ones beside new.
const MOST_CONNECTIONS: usize = 8;

/// Senders whose socket is remembered.
const MOST_ROUTES: usize = 32;

/// One session's share of the ports. It gives everything back when it is dropped.
pub struct Share {
    shared: Arc<Shared>,
    id: SessionId,
    deliveries: mpsc::Receiver<Delivery>,
    connections: HashMap<SocketAddr, Connection>,
    /// The socket by which a sender reaches us, newest last.
    routes: VecDeque<(SocketAddr, usize)>,
    /// Who sent the last packet, and by which socket it came.
    last: Option<(SocketAddr, usize)>,
    proved: HashSet<SocketAddr>,
}

struct Connection {
    outgoing: mpsc::Sender<Box<[u8]>>,
    /// None once used.
    proof: Option<oneshot::Sender<()>>,
}

impl Share {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (queue, deliveries) = mpsc::channel(QUEUE_PACKETS);
        let id = shared.table().open(queue);
        Self {
            shared,
            id,
            deliveries,
            connections: HashMap::new(),
            routes: VecDeque::new(),
            last: None,
            proved: HashSet::new(),
        }
    }

    fn connect(
        &mut self,
        from: SocketAddr,
        outgoing: mpsc::Sender<Box<[u8]>>,
        proof: oneshot::Sender<()>,
    ) {
        self.connections
            .retain(|_, connection| !connection.outgoing.is_closed());
        if self.connections.len() >= MOST_CONNECTIONS {
            // Those who proved nothing make way for those who may.
            self.connections
                .retain(|_, connection| connection.proof.is_none());
        }
        if self.connections.len() < MOST_CONNECTIONS {
            let proof = Some(proof);
            self.connections
                .insert(from, Connection { outgoing, proof });
        }
    }

    fn send_udp(&self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        let known = self
            .routes
            .iter()
            .rev()
            .find(|(sender, _)| *sender == destination)
            .map(|(_, socket)| &self.shared.udp[*socket]);
        let bound = known
            .filter(|bound| bound.announced == source)
            .or_else(|| self.shared.udp.iter().find(|b| b.announced == source));
        let Some(bound) = bound else { return };
        self.shared.table().sent(self.id, contents);
        // Past tokio, which would not send before its first look at the socket.
        let sent = rustix::net::sendto(&bound.socket, contents, SendFlags::DONTWAIT, &destination);
        if let Err(error) = sent {
            log::trace!("a packet to {destination} was not sent: {error}");
        }
    }
}

impl Transport for Share {
    fn local_candidates(&self) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let mut add = |candidate| {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        };
        for bound in &self.shared.udp {
            if let Ok(candidate) = Candidate::host(bound.announced, Protocol::Udp) {
                add(candidate);
            }
        }
        for (_, announced) in &self.shared.tcp {
            let candidate = Candidate::builder()
                .tcp()
                .host(*announced)
                .tcptype(TcpType::Passive)
                .build();
            if let Ok(candidate) = candidate {
                add(candidate);
            }
        }
        candidates
    }

    fn named(&mut self, user_fragment: &str) {
        self.shared.table().name(self.id, user_fragment);
    }

    fn consider(&mut self, candidate: &Candidate) -> Result<RemoteUse, PeerError> {
        // Over TCP the publisher comes to us.
        Ok(match candidate.proto() {
            Protocol::Udp => RemoteUse::Pair,
            _ => RemoteUse::Skip,
        })
    }

    fn path_sought(&mut self, _anew: bool) {}

    fn path_found(&mut self) {}

    fn send(
        &mut self,
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        match protocol {
            Protocol::Udp => self.send_udp(source, destination, contents),
            _ => {
                if let Some(connection) = self.connections.get(&destination) {
                    // A connection that stands still loses packets, as a network does.
                    let _ = connection.outgoing.try_send(contents.into());
                }
            }
        }
    }

    fn poll_arrival(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Arrival> {
        loop {
            match self.deliveries.poll_recv(context) {
                Poll::Pending | Poll::Ready(None) => return Poll::Pending,
                Poll::Ready(Some(Delivery::Connection {
                    from,
                    outgoing,
                    proof,
                })) => self.connect(from, outgoing, proof),
                Poll::Ready(Some(Delivery::Packet(packet))) => {
                    let Some(buffer) = buffer.get_mut(..packet.contents.len()) else {
                        continue;
                    };
                    buffer.copy_from_slice(&packet.contents);
                    self.last =
                        (packet.protocol == Protocol::Udp).then_some((packet.from, packet.socket));
                    return Poll::Ready(Arrival::Datagram {
                        length: buffer.len(),
                        protocol: packet.protocol,
                        from: packet.from,
                        to: packet.to,
                    });
                }
            }
        }
    }

    fn proved(&mut self, protocol: Protocol, from: SocketAddr) {
        if protocol != Protocol::Udp {
            if let Some(connection) = self.connections.get_mut(&from)
                && let Some(proof) = connection.proof.take()
            {
                let _ = proof.send(());
            }
            return;
        }
        // Most packets change nothing.
        let route = self.last.filter(|(sender, _)| *sender == from);
        if self.proved.contains(&from) && self.routes.back().copied() == route {
            return;
        }
        self.shared.table().proved(self.id, from);
        if self.proved.len() >= MOST_ROUTES {
            self.proved.clear();
        }
        self.proved.insert(from);
        if let Some(route) = route {
            self.routes.retain(|(sender, _)| *sender != from);
            self.routes.push_back(route);
            if self.routes.len() > MOST_ROUTES {
                self.routes.pop_front();
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shared.table().close(self.id);
    }
}
