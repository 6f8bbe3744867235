use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use actix::prelude::*;
use tapedeck_failpoints::reached;

use super::index::{Index, IndexError};
use super::manifests::Manifests;
use crate::clock::now_ms;
use crate::folder::DataFolder;
use crate::metrics::RecordingMetrics;
use crate::retention::{Kept, Remains, Retention};
use crate::webhooks::Outbox;
use crate::{ListFilter, Manifest};

/// Messages that may wait. Senders beyond that wait in turn: nothing is dropped.
const MAILBOX: usize = 64;

/// Owns manifests and index. All work is done on threads that may wait for the disk, one piece at
/// a time.
pub struct StoreActor {
    state: Arc<State>,
}

/// What outlives the actor when it is made anew.
pub struct State {
    manifests: Manifests,
    folder: DataFolder,
    /// `None` while no index can be made; manifests are written all the same.
    index: Mutex<Option<Index>>,
    listeners: OnceLock<Listeners>,
}

/// Who hears of all that is saved.
pub struct Listeners {
    pub outbox: Arc<Outbox>,
    pub metrics: RecordingMetrics,
}

impl State {
    /// Reads all manifests and brings the index up to date with them. Folders in which nothing
    /// was begun are removed.
    ///
    /// # Errors
    /// The folder of folders cannot be read.
    pub fn open(folder: DataFolder) -> io::Result<(Arc<Self>, Vec<Manifest>)> {
        let manifests = Manifests::new(folder.clone());
        match manifests.remove_unbegun() {
            Ok(removed) => {
                for id in removed {
                    log::info!("{id}: removed its folder: a server ended before it was begun");
                }
            }
            Err(error) => log::warn!("what was never begun cannot be removed: {error}"),
        }
        let all = manifests.read_all()?;
        let state = Self {
            manifests,
            index: Mutex::new(None),
            listeners: OnceLock::new(),
            folder,
        };
        state.rebuild(&mut state.lock(), &all);
        Ok((Arc::new(state), all))
    }

    /// Whether there is an index.
    pub fn has_index(&self) -> bool {
        self.lock().is_some()
    }

    fn rebuild(&self, slot: &mut Option<Index>, all: &[Manifest]) {
        // The database must be closed before it is opened again.
        *slot = None;
        let opened = Index::open(&self.folder.index())
            .and_then(|(index, _)| index.fill(all).map(|()| index));
        match opened {
            Ok(index) => *slot = Some(index),
            Err(error) => log::error!("no index, lists are not available: {error}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Index>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the index; one that fails is made anew once.
    fn ask<T>(&self, question: impl Fn(&Index) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let mut slot = self.lock();
        match slot.as_ref().map(&question) {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => {
                log::error!("{error}: it is made anew from the recordings' folders")
            }
            None => {}
        }
        let all = self.manifests.read_all().map_err(sled::Error::Io)?;
        self.rebuild(&mut slot, &all);
        slot.as_ref().map_or(Err(IndexError::Damaged), question)
    }

    /// From now on these hear of what is saved.
    pub fn tell(&self, listeners: Listeners) {
        // Only the first ones count; there are no others in a server.
        let _ = self.listeners.set(listeners);
    }

    fn save(&self, manifest: &Manifest) -> io::Result<()> {
        let listeners = self.listeners.get();
        if let Some(listeners) = listeners {
            listeners.outbox.begin(manifest)?;
        }
        if let Err(error) = self.manifests.write(manifest) {
            if let Some(listeners) = listeners {
                listeners.outbox.call_off(&manifest.id);
            }
            return Err(error);
        }
        reached("manifest.saved");
        if let Some(listeners) = listeners {
            listeners.outbox.tell(manifest);
            listeners.metrics.saved(manifest);
        }
        // The manifest is the truth: an index that failed is made anew from it.
        if let Err(error) = self.ask(|index| index.save(manifest)) {
            log::error!("recording {} is missing in the index: {error}", manifest.id);
        }
        reached("index.saved");
        Ok(())
    }

    fn remove(&self, id: &str) -> io::Result<()> {
        self.manifests.remove(id)?;
        reached("remove.removed");
        self.ask(|index| index.remove(id)).map_err(io::Error::other)
    }
}

impl StoreActor {
    pub fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&State) -> T + Send + 'static,
        failed: impl FnOnce() -> T + 'static,
    ) -> ResponseFuture<T> {
        let state = self.state.clone();
        let running = tokio::task::spawn_blocking(move || work(&state));
        Box::pin(async move { running.await.unwrap_or_else(|_| failed()) })
    }
}

impl Actor for StoreActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

/// Writes manifest and index; answers when the disk has both.
#[derive(Message)]
#[rtype(result = "io::Result<()>")]
pub struct Save(pub Manifest);

/// Reads one manifest from its folder.
#[derive(Message)]
#[rtype(result = "io::Result<Manifest>")]
pub struct Get(pub String);

/// Removes all of a recording's folder but the manifest and what is kept.
#[derive(Message)]
#[rtype(result = "io::Result<()>")]
pub struct Clear(pub Manifest, pub Kept);

/// What is left in the folders of final recordings, as these rules have it.
#[derive(Message)]
#[rtype(result = "io::Result<Vec<Remains>>")]
pub struct Remaining(pub Retention);

/// Removes a recording's folder and forgets it.
#[derive(Message)]
#[rtype(result = "io::Result<()>")]
pub struct Remove(pub String);

/// A page of recordings, newest first, with the cursor of the next.
#[derive(Message)]
#[rtype(result = "Result<(Vec<Manifest>, Option<String>), IndexError>")]
pub struct List {
    pub filter: ListFilter,
    pub cursor: Option<String>,
    pub limit: usize,
}

/// The recording one of whose files has this name.
#[derive(Message)]
#[rtype(result = "Result<Option<Manifest>, IndexError>")]
pub struct FindByName(pub String);

/// The recording that was made under this idempotency key.
#[derive(Message)]
#[rtype(result = "Result<Option<Manifest>, IndexError>")]
pub struct FindByKey(pub String);

impl Handler<Save> for StoreActor {
    type Result = ResponseFuture<io::Result<()>>;

    fn handle(&mut self, message: Save, _: &mut Self::Context) -> Self::Result {
        self.work(move |state| state.save(&message.0), || Err(panicked()))
    }
}

impl Handler<Get> for StoreActor {
    type Result = ResponseFuture<io::Result<Manifest>>;

    fn handle(&mut self, message: Get, _: &mut Self::Context) -> Self::Result {
        self.work(
            move |state| state.manifests.read(&message.0),
            || Err(panicked()),
        )
    }
}

impl Handler<Clear> for StoreActor {
    type Result = ResponseFuture<io::Result<()>>;

    fn handle(&mut self, message: Clear, _: &mut Self::Context) -> Self::Result {
        self.work(
            move |state| state.manifests.clear(&message.0, message.1),
            || Err(panicked()),
        )
    }
}

impl Handler<Remaining> for StoreActor {
    type Result = ResponseFuture<io::Result<Vec<Remains>>>;

    fn handle(&mut self, Remaining(retention): Remaining, _: &mut Self::Context) -> Self::Result {
        self.work(
            move |state| state.manifests.remains(&retention, now_ms()),
            || Err(panicked()),
        )
    }
}

impl Handler<Remove> for StoreActor {
    type Result = ResponseFuture<io::Result<()>>;

    fn handle(&mut self, message: Remove, _: &mut Self::Context) -> Self::Result {
        self.work(move |state| state.remove(&message.0), || Err(panicked()))
    }
}

impl Handler<List> for StoreActor {
    type Result = ResponseFuture<Result<(Vec<Manifest>, Option<String>), IndexError>>;

    fn handle(&mut self, message: List, _: &mut Self::Context) -> Self::Result {
        let List {
            filter,
            cursor,
            limit,
        } = message;
        self.work(
            move |state| state.ask(|index| index.list(&filter, cursor.as_deref(), limit)),
            || Err(IndexError::Damaged),
        )
    }
}

impl Handler<FindByName> for StoreActor {
    type Result = ResponseFuture<Result<Option<Manifest>, IndexError>>;

    fn handle(&mut self, message: FindByName, _: &mut Self::Context) -> Self::Result {
        self.work(
            move |state| state.ask(|index| index.by_name(&message.0)),
            || Err(IndexError::Damaged),
        )
    }
}

impl Handler<FindByKey> for StoreActor {
    type Result = ResponseFuture<Result<Option<Manifest>, IndexError>>;

    fn handle(&mut self, message: FindByKey, _: &mut Self::Context) -> Self::Result {
        self.work(
            move |state| state.ask(|index| index.by_idempotency_key(&message.0)),
            || Err(IndexError::Damaged),
        )
    }
}

fn panicked() -> io::Error {
    io::Error::other("the work on the disk did not finish")
}
