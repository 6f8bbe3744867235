use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::stream;

use super::outbox::{Job, Outbox};
use crate::clock::now_ms;

/// Messages that may wait; it is sent none but its own.
const MAILBOX: usize = 16;
/// Events on their way to one receiver at once, each of another recording.
const AT_ONCE: usize = 8;
/// Between two tries of what the disk refused.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Between two looks for what was kept for long enough.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Sends what is in the outbox. What it knows outlives it there; an actor that is made anew may send
/// again what was on its way.
pub struct WebhooksActor {
    outbox: Arc<Outbox>,
    /// Recordings and addresses under way.
    busy: HashSet<(String, String)>,
    next: Option<SpawnHandle>,
}

impl WebhooksActor {
    pub fn new(outbox: Arc<Outbox>) -> Self {
        Self {
            outbox,
            busy: HashSet::new(),
            next: None,
        }
    }

    fn work(&mut self, context: &mut Context<Self>) {
        let now = now_ms();
        let (jobs, next) = self.outbox.due(now, &self.busy, AT_ONCE);
        for job in jobs {
            self.send(job, context);
        }
        if let Some(earlier) = self.next.take() {
            context.cancel_future(earlier);
        }
        self.next = next.map(|at| {
            let pause = u64::try_from(at - now).unwrap_or(0).max(1);
            context.run_later(Duration::from_millis(pause), |actor, context| {
                actor.next = None;
                actor.work(context);
            })
        });
    }

    fn send(&mut self, job: Job, context: &mut Context<Self>) {
        let Some(sender) = self.outbox.settings().sender.clone() else {
            return;
        };
        let outbox = self.outbox.clone();
        let key = (job.recording_id.clone(), job.url.clone());
        self.busy.insert(key.clone());
        let sent = async move {
            let result = sender.send(&job.url, &job.body).await;
            let noted = move || outbox.settle(&job, result, now_ms());
            if tokio::task::spawn_blocking(noted).await.is_err() {
                log::error!("how sending a webhook ended could not be noted: it is sent again");
            }
        };
        context.spawn(sent.into_actor(self).map(move |(), actor, context| {
            actor.busy.remove(&key);
            actor.work(context);
        }));
    }

    fn upkeep(&self, work: impl FnOnce(&Outbox) + Send + 'static) {
        let outbox = self.outbox.clone();
        tokio::task::spawn_blocking(move || work(&outbox));
    }
}

impl Actor for WebhooksActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        if !self.outbox.settings().is_on() {
            return;
        }
        let changes = stream::unfold(self.outbox.clone(), |outbox| async move {
            outbox.changed().await;
            Some((Changed, outbox))
        });
        context.add_stream(changes);
        context.run_interval(WRITE_EVERY, |actor, _| actor.upkeep(Outbox::write_dirty));
        context.run_interval(SWEEP_EVERY, |actor, _| {
            actor.upkeep(|outbox| outbox.sweep(now_ms()));
        });
        self.work(context);
    }
}

/// There may be something to send.
struct Changed;

impl StreamHandler<Changed> for WebhooksActor {
    fn handle(&mut self, _: Changed, context: &mut Self::Context) {
        self.work(context);
    }
}
