use std::collections::HashMap;
use std::sync::{Arc, Weak};

use actix::prelude::*;
use tapedeck_storage::Stores;
use tokio::sync::{Mutex, Semaphore, oneshot};

use super::delivery::{Delivery, Round};
use super::table::Request;
use super::{Order, UploadTable};
use crate::{RetryError, UploadSettings, UploadTrouble};

/// Messages that may wait. Senders beyond that wait in turn: nothing is dropped.
const MAILBOX: usize = 64;

/// Stores files for sessions; never deletes one.
pub struct UploaderActor {
    stores: Stores,
    settings: UploadSettings,
    table: Arc<UploadTable>,
    slots: Arc<Semaphore>,
    /// One delivery of a recording at a time, also when its session was made anew meanwhile.
    running: HashMap<String, Weak<Mutex<()>>>,
}

impl UploaderActor {
    pub fn new(stores: Stores, settings: UploadSettings, table: Arc<UploadTable>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(settings.at_once.max(1))),
            stores,
            settings,
            table,
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

/// Asks for a recording to be delivered; answered when that is decided, which may take days.
#[derive(Message)]
#[rtype(result = "Delivery")]
pub struct Deliver {
    pub order: Order,
    /// Told of each try that failed.
    pub trouble: Recipient<UploadTrouble>,
}

impl Message for UploadTrouble {
    type Result = ();
}

impl Handler<Deliver> for UploaderActor {
    type Result = ResponseFuture<Delivery>;

    fn handle(&mut self, message: Deliver, _: &mut Self::Context) -> Self::Result {
        let Deliver { order, trouble } = message;
        self.running.retain(|_, running| running.strong_count() > 0);
        let known = self.running.get(&order.id).and_then(Weak::upgrade);
        let turn = known.unwrap_or_default();
        self.running.insert(order.id.clone(), Arc::downgrade(&turn));
        let store = self.stores.of(&order.source).clone();
        // One whose session is gone notices it when it wakes.
        if let Some(earlier) = self.table.get(&order.id) {
            earlier.ask(Request::Retry);
        }
        let (entry, requests) = self.table.add(order, store.place());
        let round = Round {
            store,
            entry,
            requests,
            trouble,
            slots: self.slots.clone(),
            settings: self.settings,
            table: self.table.clone(),
        };
        Box::pin(async move {
            let _turn = turn.lock().await;
            round.deliver().await
        })
    }
}

/// Ends the upload of a recording, and leaves nothing of it in the store. Nothing to end is success.
#[derive(Clone, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Cancel(pub String);

impl Handler<Cancel> for UploaderActor {
    type Result = ResponseFuture<Result<(), String>>;

    fn handle(&mut self, Cancel(id): Cancel, _: &mut Self::Context) -> Self::Result {
        let upload = self.table.get(&id);
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            match upload {
                Some(upload) if upload.ask(Request::Cancel(answer)) => {
                    // One that ended by itself meanwhile is over, too.
                    answered.await.unwrap_or(Ok(()))
                }
                _ => Ok(()),
            }
        })
    }
}

/// Tries the upload of a recording at once.
#[derive(Clone, Message)]
#[rtype(result = "Result<(), RetryError>")]
pub struct Retry(pub String);

impl Handler<Retry> for UploaderActor {
    type Result = Result<(), RetryError>;

    fn handle(&mut self, Retry(id): Retry, _: &mut Self::Context) -> Self::Result {
        match self.table.get(&id) {
            None => Err(RetryError::NotFound),
            Some(upload) if upload.waits() && upload.ask(Request::Retry) => Ok(()),
            Some(_) => Err(RetryError::NotWaiting("the upload is under way already")),
        }
    }
}
