//! The packets of a peer connection that goes out: UDP sockets of its own, and TCP connections
//! where UDP does not get through.

mod fallback;
mod udp;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use str0m::Candidate;
use str0m::net::{Protocol, TcpType};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::PeerError;
use super::tcp::PacketStream;
use super::transport::{Arrival, RemoteUse, Transport};
use fallback::TcpFallback;
use udp::Sockets;

/// How long a TCP connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Those of the search before may still carry media beside the new ones.
const MOST_CONNECTIONS: usize = 16;

/// Sockets and connections to one server.
pub struct Dialled {
    first: Candidate,
    sockets: Sockets,
    fallback: TcpFallback,
    connecting: JoinSet<io::Result<(PacketStream, Candidate)>>,
    connections: Vec<Connection>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

struct Connection {
    stream: PacketStream,
    candidate: Candidate,
    /// Made for an earlier ICE session; the other side does not check it again.
    earlier: bool,
}

impl Dialled {
    /// Binds the first socket to the address that packets to `server` leave from.
    ///
    /// # Errors
    /// No socket could be bound.
    pub fn towards(server: IpAddr) -> Result<Self, PeerError> {
        let mut sockets = Sockets::default();
        let first = match open_towards(&mut sockets, server)? {
            Some(first) => first,
            None => return Err(unusable(server, "its address is not one to send from")),
        };
        Ok(Self {
            first,
            sockets,
            fallback: TcpFallback::default(),
            connecting: JoinSet::new(),
            connections: Vec::new(),
            timer: None,
        })
    }

    fn dial(&mut self, remotes: Vec<Candidate>) {
        for remote in remotes {
            let address = remote.addr();
            if self.is_connected_to(address) {
                continue;
            }
            log::info!("connecting to the media server's TCP port {address}: no path over UDP yet");
            self.connecting.spawn(async move {
                let connect = TcpStream::connect(address);
                let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect)
                    .await
                    .map_err(|_| io::ErrorKind::TimedOut)??;
                Ok((PacketStream::new(stream)?, remote))
            });
        }
    }

    fn is_connected_to(&self, address: SocketAddr) -> bool {
        self.connections
            .iter()
            .any(|connection| !connection.earlier && connection.stream.remote() == address)
    }

    fn poll_connecting(&mut self, context: &mut Context<'_>) -> Option<Arrival> {
        while let Poll::Ready(Some(joined)) = self.connecting.poll_join_next(context) {
            let (stream, remote) = match joined {
                Ok(Ok(connected)) => connected,
                Ok(Err(error)) => {
                    log::info!("no TCP connection to the media server: {error}");
                    continue;
                }
                Err(_) => continue,
            };
            let Some(local) = local_candidate(&stream) else {
                continue;
            };
            if self.connections.len() < MOST_CONNECTIONS {
                self.connections.push(Connection {
                    stream,
                    candidate: local.clone(),
                    earlier: false,
                });
                return Some(Arrival::Opened { local, remote });
            }
        }
        None
    }

    fn poll_connections(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Option<Arrival> {
        for index in 0..self.connections.len() {
            let stream = &mut self.connections[index].stream;
            let (from, to) = (stream.remote(), stream.local());
            match stream.poll_receive(context, buffer) {
                Poll::Pending => {}
                Poll::Ready(Ok(length)) => {
                    return Some(Arrival::Datagram {
                        length,
                        protocol: Protocol::Tcp,
                        from,
                        to,
                    });
                }
                Poll::Ready(Err(error)) => {
                    log::info!("the TCP connection to the media server ended: {error}");
                    let connection = self.connections.swap_remove(index);
                    return Some(Arrival::Lost(connection.candidate));
                }
            }
        }
        None
    }

    /// Ready when TCP is to be tried; none in a search without candidates.
    fn poll_fallback(&mut self, context: &mut Context<'_>) {
        while let Some(due) = self.fallback.due() {
            let timer = match &mut self.timer {
                Some((at, timer)) if *at == due => timer,
                _ => {
                    let timer = Box::pin(tokio::time::sleep_until(due.into()));
                    &mut self.timer.insert((due, timer)).1
                }
            };
            if timer.as_mut().poll(context).is_pending() {
                return;
            }
            let remotes = self.fallback.take(Instant::now().max(due));
            self.dial(remotes);
        }
        self.timer = None;
    }
}

impl Transport for Dialled {
    fn local_candidates(&self) -> Vec<Candidate> {
        vec![self.first.clone()]
    }

    fn named(&mut self, _user_fragment: &str) {}

    fn consider(&mut self, candidate: &Candidate) -> Result<RemoteUse, PeerError> {
        match (candidate.proto(), candidate.tcptype()) {
            (Protocol::Udp, _) => {
                self.fallback.udp_offered();
                // A server may be reachable on another network than the one its signalling is on.
                let opened = open_towards(&mut self.sockets, candidate.addr().ip())?;
                Ok(opened.map_or(RemoteUse::Pair, RemoteUse::PairFrom))
            }
            (Protocol::Tcp, Some(TcpType::Passive)) => {
                self.fallback.tcp_offered(candidate.clone());
                Ok(RemoteUse::Skip)
            }
            _ => Ok(RemoteUse::Skip),
        }
    }

    fn path_sought(&mut self, anew: bool) {
        if anew {
            for connection in &mut self.connections {
                connection.earlier = true;
            }
            self.connecting.abort_all();
        }
        self.fallback.path_sought(anew, Instant::now());
    }

    fn path_found(&mut self) {
        self.fallback.path_found();
    }

    fn send(
        &mut self,
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        if protocol == Protocol::Udp {
            self.sockets.send(source, destination, contents);
            return;
        }
        let stream = self
            .connections
            .iter_mut()
            .map(|connection| &mut connection.stream)
            .find(|stream| stream.local() == source && stream.remote() == destination);
        if let Some(stream) = stream {
            stream.send(contents);
        }
    }

    fn poll_arrival(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Arrival> {
        self.poll_fallback(context);
        if let Some(arrival) = self.poll_connecting(context) {
            return Poll::Ready(arrival);
        }
        if let Some(arrival) = self.poll_connections(context, buffer) {
            return Poll::Ready(arrival);
        }
        self.sockets
            .poll_receive(context, buffer)
            .map(|(length, from, to)| Arrival::Datagram {
                length,
                protocol: Protocol::Udp,
                from,
                to,
            })
    }

    fn proved(&mut self, _protocol: Protocol, _from: SocketAddr) {}
}

/// The candidate of a connection that we made (RFC 6544 section 4.1: active).
fn local_candidate(stream: &PacketStream) -> Option<Candidate> {
    Candidate::builder()
        .tcp()
        .host(stream.local())
        .tcptype(TcpType::Active)
        .build()
        .ok()
}

/// Makes sure that there is a socket for packets to `remote`; a candidate if it is a new one.
fn open_towards(sockets: &mut Sockets, remote: IpAddr) -> Result<Option<Candidate>, PeerError> {
    let opened = sockets
        .open_towards(remote)
        .map_err(|source| PeerError::Socket {
            address: remote,
            source,
        })?;
    opened
        .map(|local| Candidate::host(local, Protocol::Udp))
        .transpose()
        .map_err(|error| unusable(remote, &error.to_string()))
}

fn unusable(address: IpAddr, reason: &str) -> PeerError {
    PeerError::Socket {
        address,
        source: io::Error::other(reason.to_owned()),
    }
}
