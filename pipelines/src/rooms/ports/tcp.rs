use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use str0m::net::Protocol;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::{Delivery, Packet, Queue, Shared};
use crate::sources::peer::{DATAGRAM_BYTES, PacketStream};

/// How long a connection may take to prove that it is a publisher's: a check comes at once.
const PROOF_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that proved nothing yet. A further one ends the oldest, so that strangers who hold
/// connections do not keep publishers out.
pub const MOST_UNPROVED: usize = 64;

/// Packets that may wait for a connection; a receiver sends little.
const OUTGOING_PACKETS: usize = 256;

/// Before the next try to accept, when the system refuses.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    all: usize,
    unproved: usize,
}

impl Limits {
    /// Enough for each publisher to have an old connection beside a new one.
    pub fn for_publishers(publishers: usize) -> Self {
        Self {
            all: publishers.saturating_mul(2).saturating_add(MOST_UNPROVED),
            unproved: MOST_UNPROVED,
        }
    }
}

/// Connections that may yet turn out to be strangers'.
type Unproved = VecDeque<(oneshot::Receiver<()>, AbortHandle)>;

/// Accepts connections (RFC 6544: passive), for ever. Those it accepted end with it.
pub(super) async fn listen(
    shared: Arc<Shared>,
    listener: TcpListener,
    announced: SocketAddr,
    limits: Limits,
) {
    let mut connections = JoinSet::new();
    let mut unproved = Unproved::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::debug!("cannot accept a connection at {announced}: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        // Closed without a word means proved or ended.
        unproved.retain_mut(|(waiting, _)| {
            matches!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        });
        if unproved.len() >= limits.unproved
            && let Some((_, oldest)) = unproved.pop_front()
        {
            oldest.abort();
        }
        if connections.len() >= limits.all {
            log::debug!("a connection was refused: there are {}", limits.all);
            continue;
        }
        let (guard, waiting) = oneshot::channel();
        let shared = Arc::clone(&shared);
        let handle = connections.spawn(async move {
            let ended = serve(&shared, stream, announced, guard).await;
            if let Err(error) = ended {
                log::debug!("a TCP connection ended: {error}");
            }
        });
        unproved.push_back((waiting, handle));
    }
}

/// Carries packets until either side ends it.
async fn serve(
    shared: &Shared,
    stream: TcpStream,
    announced: SocketAddr,
    unproved: oneshot::Sender<()>,
) -> io::Result<()> {
    let mut stream = PacketStream::new(stream)?;
    let from = stream.remote();
    let mut buffer = [0; DATAGRAM_BYTES];
    let first = poll_fn(|context| stream.poll_receive(context, &mut buffer));
    let length = timeout(PROOF_TIMEOUT, first).await??;
    let Some(queue) = shared.named(&buffer[..length]) else {
        return Ok(());
    };
    let (outgoing, mut to_send) = mpsc::channel(OUTGOING_PACKETS);
    let (proof, mut proved) = oneshot::channel();
    let introduction = Delivery::Connection {
        from,
        outgoing,
        proof,
    };
    let deliver = async |queue: &Queue, delivery: Delivery| {
        let gone = |_| io::Error::from(io::ErrorKind::NotConnected);
        queue.send(delivery).await.map_err(gone)
    };
    let packet = |contents: &[u8]| {
        Delivery::Packet(Packet {
            protocol: Protocol::Tcp,
            from,
            to: announced,
            socket: 0,
            contents: contents.into(),
        })
    };
    deliver(&queue, introduction).await?;
    deliver(&queue, packet(&buffer[..length])).await?;
    let mut unproved = Some(unproved);
    let deadline = sleep(PROOF_TIMEOUT);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            received = poll_fn(|context| stream.poll_receive(context, &mut buffer)) => {
                deliver(&queue, packet(&buffer[..received?])).await?;
            }
            packet = to_send.recv() => match packet {
                Some(packet) => stream.send(&packet),
                None => return Ok(()),
            },
            outcome = &mut proved, if unproved.is_some() => match outcome {
                Ok(()) => drop(unproved.take()),
                Err(_) => return Ok(()),
            },
            () = &mut deadline, if unproved.is_some() => {
                shared.strangers.fetch_add(1, Ordering::Relaxed);
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Shared {
    /// The session that the first packet of a connection names; counted if there is none.
    fn named(&self, packet: &[u8]) -> Option<Queue> {
        let owner = self.table().named(packet).cloned();
        if owner.is_none() {
            self.strangers.fetch_add(1, Ordering::Relaxed);
        }
        owner
    }
}
