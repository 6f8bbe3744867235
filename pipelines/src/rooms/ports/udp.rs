use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use str0m::net::Protocol;

use super::binding::Bound;
use super::{Delivery, Packet, Shared};
use crate::sources::peer::DATAGRAM_BYTES;

/// Packets received in a row before others get their turn.
const BATCH: usize = 64;

/// Hands a socket to the runtime.
pub fn into_tokio(bound: Bound<UdpSocket>) -> io::Result<Bound<tokio::net::UdpSocket>> {
    Ok(Bound {
        socket: tokio::net::UdpSocket::from_std(bound.socket)?,
        local: bound.local,
        announced: bound.announced,
    })
}

/// Receives on one socket, for ever.
pub(super) async fn receive(shared: Arc<Shared>, index: usize) {
    let bound = &shared.udp[index];
    let mut buffer = [0; DATAGRAM_BYTES];
    loop {
        if let Err(error) = bound.socket.readable().await {
            log::error!("cannot receive on {} any more: {error}", bound.local);
            return;
        }
        for _ in 0..BATCH {
            match bound.socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let packet = &buffer[..length];
                    let Some(owner) = shared.owner(from, packet) else {
                        continue;
                    };
                    let delivery = Delivery::Packet(Packet {
                        protocol: Protocol::Udp,
                        from,
                        to: bound.announced,
                        socket: index,
                        contents: packet.into(),
                    });
                    if owner.try_send(delivery).is_err() {
                        shared.overflowed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An earlier packet bounced (ICMP): the socket itself is well.
                Err(error) => log::trace!("receiving on {}: {error}", bound.local),
            }
        }
        tokio::task::yield_now().await;
    }
}
