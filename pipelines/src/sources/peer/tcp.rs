use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use super::framing::{FrameDecoder, append_frame};

/// What may wait to be written; a receiver sends little. Above it packets are dropped.
const MOST_UNSENT_BYTES: usize = 64 << 10;

/// What is read at once.
const READ_BYTES: usize = 16 << 10;

/// A TCP connection that carries packets (RFC 4571).
#[derive(Debug)]
pub struct PacketStream {
    stream: TcpStream,
    local: SocketAddr,
    remote: SocketAddr,
    decoder: FrameDecoder,
    unsent: Vec<u8>,
}

impl PacketStream {
    /// Takes a connection that was made.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        // A packet that waits for company is late.
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let remote = stream.peer_addr()?;
        Ok(Self {
            stream,
            local,
            remote,
            decoder: FrameDecoder::default(),
            unsent: Vec::new(),
        })
    }

    /// Our end.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The other end.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Queues a packet, and writes what the connection takes at once. A packet that finds the
    /// queue full is dropped; that the connection broke is told by [`PacketStream::poll_receive`].
    pub fn send(&mut self, packet: &[u8]) {
        if self.unsent.len() + packet.len() > MOST_UNSENT_BYTES {
            log::trace!("a packet to {} was not sent: TCP stands still", self.remote);
            return;
        }
        append_frame(&mut self.unsent, packet);
        let _ = self.write();
    }

    /// Waits for a packet; writes meanwhile. Ready with its length.
    ///
    /// # Errors
    /// The connection ended, broke, or carries something else.
    pub fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        while !self.unsent.is_empty() && self.stream.poll_write_ready(context)?.is_ready() {
            self.write()?;
        }
        let mut read = [0; READ_BYTES];
        loop {
            let found = self.decoder.next(buffer).map_err(io::Error::other)?;
            if let Some(length) = found {
                return Poll::Ready(Ok(length));
            }
            ready!(self.stream.poll_read_ready(context))?;
            match self.stream.try_read(&mut read) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.decoder.push(&read[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.try_write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
