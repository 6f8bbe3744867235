//! The network ports of the rooms process: one UDP and one TCP port that all publishers share.
//!
//! [`Ports`] receives everything and hands each packet to the session it is for, a [`Share`] is one
//! session's end of it and the [`Transport`](crate::sources::peer::Transport) of its peer
//! connection.

mod addresses;
mod binding;
mod demultiplexer;
mod share;
mod stun;
mod tcp;
mod udp;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use str0m::net::Protocol;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::job::RoomsSettings;
use addresses::Address;
use binding::{Bound, bind_first_free};
use demultiplexer::Demultiplexer;
pub use share::Share;

/// Packets that may wait for a session: over a megabyte, more than the burst of a key frame. When
/// it is full UDP packets are dropped, as a network does, and TCP waits.
const QUEUE_PACKETS: usize = 1024;

/// Why there are no ports.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    #[error(
        "cannot find this machine's network addresses: {0}; name them in the setting rooms.addresses"
    )]
    Addresses(#[source] io::Error),
    #[error(
        "there is no address to receive media on; check rooms.addresses, and that rooms.public_addresses are of the same kind"
    )]
    NoAddress,
    #[error("there is no port to receive media on: set rooms.udp_ports or rooms.tcp_ports")]
    NoneWanted,
    #[error(
        "no port to receive media on is free: {0}; choose others by rooms.udp_ports and rooms.tcp_ports"
    )]
    NoneFree(#[source] io::Error),
}

/// Packets that went nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// For no session of ours.
    pub strangers: u64,
    /// For a session whose queue was full.
    pub overflowed: u64,
}

/// The ports of all publishers. They are closed when this is dropped.
pub struct Ports {
    shared: Arc<Shared>,
    /// What receives; ends with this.
    _tasks: JoinSet<()>,
}

/// What receivers and sessions have in common.
struct Shared {
    table: Mutex<Demultiplexer<Queue>>,
    udp: Vec<Bound<tokio::net::UdpSocket>>,
    /// Listening, and as announced.
    tcp: Vec<(SocketAddr, SocketAddr)>,
    strangers: AtomicU64,
    overflowed: AtomicU64,
}

/// To a session.
type Queue = mpsc::Sender<Delivery>;

/// What a session is given.
enum Delivery {
    Packet(Packet),
    /// A TCP connection named the session. Its packets follow.
    Connection {
        from: SocketAddr,
        /// What to send over it. It ends when this is dropped.
        outgoing: mpsc::Sender<Box<[u8]>>,
        /// To be used when a packet proved to be of the session; otherwise the connection ends.
        proof: oneshot::Sender<()>,
    },
}

struct Packet {
    protocol: Protocol,
    from: SocketAddr,
    /// Our address as announced.
    to: SocketAddr,
    /// Which of the UDP sockets it came by.
    socket: usize,
    contents: Box<[u8]>,
}

impl Ports {
    /// Binds the first free UDP port of the range on all addresses, and the first free TCP port,
    /// and begins to receive. Needs a tokio runtime with time and network.
    ///
    /// # Errors
    /// There is no address, or neither a UDP nor a TCP port.
    pub fn bind(settings: &RoomsSettings) -> Result<Self, PortsError> {
        let local = if settings.addresses.is_empty() {
            addresses::of_this_machine().map_err(PortsError::Addresses)?
        } else {
            settings.addresses.clone()
        };
        let addresses = addresses::announced(&local, &settings.public_addresses);
        if addresses.is_empty() {
            return Err(PortsError::NoAddress);
        }
        if settings.udp_ports.is_none() && settings.tcp_ports.is_none() {
            return Err(PortsError::NoneWanted);
        }
        let udp = bind("UDP", &addresses, settings.udp_ports);
        let tcp = bind("TCP", &addresses, settings.tcp_ports);
        let (udp, tcp) = match (udp, tcp) {
            (Ok(udp), Ok(tcp)) if udp.is_empty() && tcp.is_empty() => {
                return Err(PortsError::NoAddress);
            }
            (Err(error), Ok(tcp)) if tcp.is_empty() => return Err(PortsError::NoneFree(error)),
            (Ok(udp), Err(error)) if udp.is_empty() => return Err(PortsError::NoneFree(error)),
            (Err(error), Err(_)) => return Err(PortsError::NoneFree(error)),
            (udp, tcp) => (udp.unwrap_or_default(), tcp.unwrap_or_default()),
        };
        let udp = udp
            .into_iter()
            .map(udp::into_tokio)
            .collect::<io::Result<Vec<_>>>()
            .map_err(PortsError::NoneFree)?;
        let shared = Arc::new(Shared {
            table: Mutex::default(),
            udp,
            tcp: tcp.iter().map(|b| (b.local, b.announced)).collect(),
            strangers: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        for index in 0..shared.udp.len() {
            tasks.spawn(udp::receive(Arc::clone(&shared), index));
        }
        for bound in tcp {
            let listener =
                tokio::net::TcpListener::from_std(bound.socket).map_err(PortsError::NoneFree)?;
            tasks.spawn(tcp::listen(
                Arc::clone(&shared),
                listener,
                bound.announced,
                tcp::Limits::for_publishers(settings.max_publishers),
            ));
        }
        Ok(Self {
            shared,
            _tasks: tasks,
        })
    }

    /// A new session's share. Its packets are found when it was named, which its peer connection
    /// does.
    pub fn share(&self) -> Share {
        Share::new(Arc::clone(&self.shared))
    }

    /// Where media arrives over UDP.
    pub fn udp(&self) -> Vec<SocketAddr> {
        self.shared.udp.iter().map(|bound| bound.local).collect()
    }

    /// Where media arrives over TCP.
    pub fn tcp(&self) -> Vec<SocketAddr> {
        self.shared.tcp.iter().map(|(local, _)| *local).collect()
    }

    /// What went nowhere since the ports were opened.
    pub fn dropped(&self) -> Dropped {
        Dropped {
            strangers: self.shared.strangers.load(Ordering::Relaxed),
            overflowed: self.shared.overflowed.load(Ordering::Relaxed),
        }
    }
}

fn bind<S: binding::Bind>(
    what: &str,
    addresses: &[Address],
    ports: Option<(u16, u16)>,
) -> io::Result<Vec<Bound<S>>> {
    let Some(ports) = ports else {
        return Ok(Vec::new());
    };
    bind_first_free(addresses, ports).inspect_err(|error| {
        log::warn!(
            "no {what} port from {} to {} is free: {error}",
            ports.0,
            ports.1
        );
    })
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Demultiplexer<Queue>> {
        // Nothing that is done under the lock leaves it half done.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session that a packet is for; counted if there is none.
    fn owner(&self, sender: SocketAddr, packet: &[u8]) -> Option<Queue> {
        let owner = self.table().owner(sender, packet).cloned();
        if owner.is_none() {
            self.strangers.fetch_add(1, Ordering::Relaxed);
        }
        owner
    }
}
