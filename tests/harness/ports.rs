//! Free ports of loopback.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that is free for TCP and UDP on 127.0.0.1 and UDP on 127.0.0.2, and that this process
/// was not given before.
///
/// # Panics
/// No port is free.
pub fn free_port() -> u16 {
    for _ in 0..1_000 {
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else {
            continue;
        };
        let Ok(port) = listener.local_addr().map(|address| address.port()) else {
            continue;
        };
        let udp_is_free = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)]
            .into_iter()
            .all(|ip| UdpSocket::bind(SocketAddr::from((ip, port))).is_ok());
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if udp_is_free && given.get_or_insert_default().insert(port) {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}
