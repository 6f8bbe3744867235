use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use rustix::net::SendFlags;
use tokio::net::UdpSocket;

/// No server needs more networks than this.
const MOST_SOCKETS: usize = 4;

/// Room for the bursts of key frames of a large room.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// The UDP sockets of one peer connection: one per local address.
#[derive(Debug, Default)]
pub struct Sockets {
    open: Vec<(UdpSocket, SocketAddr)>,
}

impl Sockets {
    /// Binds a socket to the address that packets to `remote` leave from, and returns it; none
    /// when one is bound there already.
    pub fn open_towards(&mut self, remote: IpAddr) -> io::Result<Option<SocketAddr>> {
        let local = local_address_towards(remote)?;
        if self.open.iter().any(|(_, address)| address.ip() == local)
            || self.open.len() >= MOST_SOCKETS
        {
            return Ok(None);
        }
        let socket = std::net::UdpSocket::bind((local, 0))?;
        socket.set_nonblocking(true)?;
        // The system may grant less; then it is as it was.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES);
        let address = socket.local_addr()?;
        self.open.push((UdpSocket::from_std(socket)?, address));
        Ok(Some(address))
    }

    /// Sends at once or not at all: ICE, DTLS and RTCP repeat what matters.
    pub fn send(&self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        let Some((socket, _)) = self.open.iter().find(|(_, address)| *address == source) else {
            return;
        };
        // Past tokio, which would not send before its first look at the socket.
        let sent = rustix::net::sendto(socket, contents, SendFlags::DONTWAIT, &destination);
        if let Err(error) = sent {
            log::trace!("a packet to {destination} was not sent: {error}");
        }
    }

    /// Waits for a datagram: its length, where it came from and where to.
    pub fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<(usize, SocketAddr, SocketAddr)> {
        for (socket, local) in &self.open {
            while socket.poll_recv_ready(context).is_ready() {
                match socket.try_recv_from(buffer) {
                    Ok((length, from)) => return Poll::Ready((length, from, *local)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // An earlier packet bounced (ICMP): the socket itself is well.
                    Err(error) => log::trace!("receiving on {local}: {error}"),
                }
            }
        }
        Poll::Pending
    }
}

/// The address that the system's routes choose for packets to `remote`. Sends nothing.
fn local_address_towards(remote: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = std::net::UdpSocket::bind((any, 0))?;
    // Any port will do: connecting a UDP socket only looks up the route.
    probe.connect((remote, 9))?;
    Ok(probe.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn binds_to_loopback_for_a_server_on_loopback_and_only_once() {
        let mut sockets = Sockets::default();
        let address = sockets
            .open_towards(Ipv4Addr::LOCALHOST.into())
            .expect("bind")
            .expect("a new socket");
        assert!(address.ip().is_loopback());
        assert_eq!(
            sockets
                .open_towards(Ipv4Addr::LOCALHOST.into())
                .expect("bind"),
            None
        );
    }

    #[tokio::test]
    async fn receives_what_it_sends() {
        let mut sockets = Sockets::default();
        let address = sockets
            .open_towards(Ipv4Addr::LOCALHOST.into())
            .expect("bind")
            .expect("a new socket");
        sockets.send(address, address, b"hello");
        let mut buffer = [0; 16];
        let (length, from, to) =
            std::future::poll_fn(|context| sockets.poll_receive(context, &mut buffer)).await;
        assert_eq!(
            (&buffer[..length], from, to),
            (&b"hello"[..], address, address)
        );
    }
}
