use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// How far a capture may be behind, bytes.
pub const QUEUE_BYTES: usize = 16 << 20;

/// How far a capture may be behind, messages.
const QUEUE_MESSAGES: usize = 16 << 10;

/// Makes a queue of messages for one capture.
pub fn queue() -> (Queue, Queued, Dropped) {
    let (sender, receiver) = mpsc::channel(QUEUE_MESSAGES);
    let (alive, dropped) = oneshot::channel();
    let bytes = Arc::new(AtomicUsize::new(0));
    let queue = Queue {
        sender,
        bytes: bytes.clone(),
        _alive: alive,
    };
    (queue, Queued { receiver, bytes }, Dropped(dropped))
}

/// Where messages for a capture go in. Dropping it ends the connection.
pub struct Queue {
    sender: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
    _alive: oneshot::Sender<()>,
}

impl Queue {
    /// Adds a message; false when there is no room, or nobody to take it.
    pub fn push(&self, message: Bytes) -> bool {
        let length = message.len();
        if self.bytes.load(Ordering::Relaxed) + length > QUEUE_BYTES {
            return false;
        }
        self.bytes.fetch_add(length, Ordering::Relaxed);
        self.sender.try_send(message).is_ok()
    }
}

/// Where messages for a capture come out.
pub struct Queued {
    receiver: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
}

impl Queued {
    /// The next message; none when the queue was dropped and is empty. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        let message = self.receiver.recv().await;
        self.taken(message)
    }

    /// The next message, if one waits.
    pub fn try_next(&mut self) -> Option<Bytes> {
        let message = self.receiver.try_recv().ok();
        self.taken(message)
    }

    fn taken(&self, message: Option<Bytes>) -> Option<Bytes> {
        let message = message?;
        self.bytes.fetch_sub(message.len(), Ordering::Relaxed);
        Some(message)
    }
}

/// Tells when the [`Queue`] is dropped, though messages of it still wait.
pub struct Dropped(oneshot::Receiver<()>);

impl Dropped {
    /// Waits for it.
    pub async fn wait(self) {
        // Nothing is ever sent.
        let _ = self.0.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_takes_no_more_than_its_bytes_and_goes_on_when_some_are_taken() {
        let (queue, mut queued, _dropped) = queue();
        let half = Bytes::from(vec![0; QUEUE_BYTES / 2]);
        assert!(queue.push(half.clone()));
        assert!(queue.push(half.clone()));
        assert!(!queue.push(Bytes::from_static(b"x")));
        assert_eq!(queued.try_next(), Some(half.clone()));
        assert!(queue.push(half));
    }

    #[test]
    fn a_queue_takes_no_more_than_its_messages() {
        let (queue, _queued, _dropped) = queue();
        let message = Bytes::from_static(b"x");
        let taken = (0..QUEUE_MESSAGES * 2)
            .take_while(|_| queue.push(message.clone()))
            .count();
        assert_eq!(taken, QUEUE_MESSAGES);
    }
}
