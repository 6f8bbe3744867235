use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::addresses::Address;

/// Room for key frames of all publishers at once.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// A socket of ours and how the other side knows it.
#[derive(Debug)]
pub struct Bound<S> {
    pub socket: S,
    pub local: SocketAddr,
    pub announced: SocketAddr,
}

/// A socket that can be bound.
pub trait Bind: Sized {
    /// Binds one, ready for the asynchronous runtime.
    fn bind_to(address: SocketAddr) -> io::Result<Self>;
    /// Where it was bound.
    fn bound_to(&self) -> io::Result<SocketAddr>;
}

impl Bind for UdpSocket {
    fn bind_to(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        // The system may grant less; then it is as it was.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES);
        Ok(socket)
    }

    fn bound_to(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl Bind for TcpListener {
    fn bind_to(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn bound_to(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

/// Binds the first port of the range that is free on all addresses. An address that cannot be
/// bound for another reason is left out. Port 0 is any free one.
///
/// # Errors
/// No port is free; the error is that of the last one tried.
pub fn bind_first_free<S: Bind>(
    addresses: &[Address],
    ports: (u16, u16),
) -> io::Result<Vec<Bound<S>>> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for port in ports.0..=ports.1 {
        match bind_all(addresses, port) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_all<S: Bind>(addresses: &[Address], mut port: u16) -> io::Result<Vec<Bound<S>>> {
    let mut all: Vec<Bound<S>> = Vec::new();
    let mut failure = None;
    for address in addresses {
        let socket = match S::bind_to((address.local, port).into()) {
            Ok(socket) => socket,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => {
                log::warn!("cannot listen on {} port {port}: {error}", address.local);
                failure = Some(error);
                continue;
            }
        };
        let local = socket.bound_to()?;
        port = local.port();
        all.push(Bound {
            socket,
            local,
            announced: (address.announced, port).into(),
        });
    }
    match failure {
        Some(error) if all.is_empty() => Err(error),
        _ => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: Address = Address {
        local: std::net::IpAddr::V4(Ipv4Addr::LOCALHOST),
        announced: std::net::IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    };

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken: Vec<Bound<UdpSocket>> = bind_first_free(&[HERE], (0, 0)).expect("any port");
        let port = taken[0].local.port();
        assert_eq!(taken[0].announced, ([198, 51, 100, 1], port).into());
        assert_eq!(
            bind_first_free::<UdpSocket>(&[HERE], (port, port))
                .expect_err("taken")
                .kind(),
            io::ErrorKind::AddrInUse
        );
        let next: Vec<Bound<UdpSocket>> =
            bind_first_free(&[HERE], (port, port.saturating_add(20))).expect("another port");
        assert_ne!(next[0].local.port(), port);
    }

    #[test]
    fn an_address_that_is_not_ours_is_left_out() {
        let foreign = Address {
            local: Ipv4Addr::new(192, 0, 2, 77).into(),
            announced: Ipv4Addr::new(192, 0, 2, 77).into(),
        };
        let bound: Vec<Bound<TcpListener>> =
            bind_first_free(&[foreign, HERE], (0, 0)).expect("one is ours");
        assert_eq!(bound.len(), 1);
        assert!(bind_first_free::<TcpListener>(&[foreign], (0, 0)).is_err());
    }
}
