//! Brings finished files into the store, however often it takes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use tapedeck_storage::{RecordingMetadata, RecordingStore, StoreError, UploadProgress};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::sleep;

use crate::backoff::Backoff;

/// Messages that may wait. Senders beyond that wait in turn: nothing is dropped.
const MAILBOX: usize = 64;
/// Files that are stored at the same time.
const AT_ONCE: usize = 2;
/// Damaged arrivals after which the file itself is suspected.
const MOST_DAMAGED: u32 = 3;
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(60),
};

/// Stores files for sessions; never deletes one.
pub struct UploaderActor {
    store: Arc<dyn RecordingStore>,
    slots: Arc<Semaphore>,
    /// One delivery of a recording at a time, also when its session was made anew meanwhile.
    running: HashMap<String, Weak<Mutex<()>>>,
}

impl UploaderActor {
    pub fn new(store: Arc<dyn RecordingStore>) -> Self {
        Self {
            store,
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            running: HashMap::new(),
        }
    }
}

impl Actor for UploaderActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

/// Asks for a file to be stored; answered when that is decided, which may take days.
#[derive(Message)]
#[rtype(result = "Delivery")]
pub struct Deliver {
    pub path: PathBuf,
    pub metadata: RecordingMetadata,
    /// Told of each try that failed.
    pub trouble: Recipient<Trouble>,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq, MessageResponse)]
pub enum Delivery {
    /// It is in the store, verified.
    Stored,
    /// The store has another file of this name.
    NameTaken,
    /// The file is not there or not what its metadata says.
    SourceUnusable(String),
    /// The session that asked is gone.
    Abandoned,
}

/// A try that failed; the next one follows by itself.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Trouble(pub String);

impl Handler<Deliver> for UploaderActor {
    type Result = ResponseFuture<Delivery>;

    fn handle(&mut self, message: Deliver, _: &mut Self::Context) -> Self::Result {
        self.running.retain(|_, running| running.strong_count() > 0);
        let known = self
            .running
            .get(&message.metadata.id)
            .and_then(Weak::upgrade);
        let turn = known.unwrap_or_default();
        self.running
            .insert(message.metadata.id.clone(), Arc::downgrade(&turn));
        let (store, slots) = (self.store.clone(), self.slots.clone());
        Box::pin(async move {
            let _turn = turn.lock().await;
            deliver(store.as_ref(), &slots, message).await
        })
    }
}

async fn deliver(store: &dyn RecordingStore, slots: &Semaphore, message: Deliver) -> Delivery {
    let Deliver {
        path,
        metadata,
        trouble,
    } = message;
    let label = format!("{} ({})", metadata.id, metadata.room_name);
    let mut damaged = 0;
    for tries in 1.. {
        if !trouble.connected() {
            break;
        }
        let result = {
            let _slot = slots.acquire().await;
            match tokio::fs::metadata(&path).await {
                Ok(file) if file.len() == metadata.size => {
                    store
                        .put(&path, &metadata, &UploadProgress::default())
                        .await
                }
                Ok(file) => {
                    let detail = format!(
                        "the rendered file has {} bytes instead of {}",
                        file.len(),
                        metadata.size
                    );
                    return Delivery::SourceUnusable(detail);
                }
                Err(error) => {
                    return Delivery::SourceUnusable(format!(
                        "the rendered file cannot be read: {error}"
                    ));
                }
            }
        };
        let error = match result {
            Ok(_) => return Delivery::Stored,
            Err(StoreError::Conflict(_)) => return Delivery::NameTaken,
            Err(error @ StoreError::Integrity { .. }) => {
                damaged += 1;
                if damaged >= MOST_DAMAGED {
                    return Delivery::SourceUnusable(error.to_string());
                }
                error
            }
            Err(error) => error,
        };
        let pause = BACKOFF.pause(tries, rand::random());
        log::warn!(
            "{label}: {error}; try {} follows in {} s",
            tries + 1,
            pause.as_secs_f32()
        );
        // A session that is gone is noticed before the next try.
        let _ = trouble
            .send(Trouble(format!("{error}; it is tried again")))
            .await;
        sleep(pause).await;
    }
    Delivery::Abandoned
}
