//! What a session lets others do: write its manifest, empty its folder, look its room up.

use std::time::Duration;

use actix::prelude::*;
use tokio::time::sleep;

use super::actor::RecordingSession;
use super::machine::Event;
use crate::backoff::Backoff;
use crate::clock::now_ms;
use crate::{Manifest, RecordingState, state};

/// Between two tries of what the disk refuses.
pub(super) const TRY_AGAIN: Backoff = Backoff {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(15),
};

impl RecordingSession {
    /// Writes a manifest; the queue waits. Only the first one may fail: later ones are tried until
    /// the disk takes them, since everything that follows rests on them.
    pub(super) fn save(&mut self, manifest: Manifest, context: &mut Context<Self>) {
        self.busy = true;
        let (services, label) = (self.services.clone(), self.label());
        let may_fail = manifest.state == RecordingState::Starting;
        let saved = async move {
            for tries in 1.. {
                let error = match services
                    .states
                    .address()
                    .send(state::Save(manifest.clone()))
                    .await
                {
                    Ok(Ok(())) => break,
                    Ok(Err(error)) => error.to_string(),
                    Err(error) => error.to_string(),
                };
                log::error!("{label}: the manifest cannot be written: {error}");
                if may_fail {
                    return Err(error);
                }
                sleep(TRY_AGAIN.pause(tries, rand::random())).await;
            }
            Ok(manifest)
        };
        let done =
            |saved: Result<Manifest, String>, session: &mut Self, context: &mut Context<Self>| {
                session.busy = false;
                match saved {
                    Ok(manifest) => session.publish(manifest),
                    Err(error) => {
                        session.queue.clear();
                        session.step(Event::SaveFailed(error), context);
                    }
                }
                session.work(context);
            };
        context.spawn(saved.into_actor(self).map(done));
    }

    fn publish(&self, manifest: Manifest) {
        let before = self.status.borrow().manifest.state;
        if manifest.state != before || manifest.state == RecordingState::Starting {
            let error = manifest
                .error
                .as_ref()
                .map(|error| format!(": {error}"))
                .unwrap_or_default();
            log::info!("{}: {}{error}", self.label(), manifest.state);
        }
        self.status.send_modify(|status| status.manifest = manifest);
    }

    pub(super) fn clear(&mut self, context: &mut Context<Self>) {
        self.busy = true;
        let manifest = self.machine.manifest().clone();
        let (services, label) = (self.services.clone(), self.label());
        let kept = services.retention.kept(&manifest, now_ms());
        let cleared = async move {
            let clear = state::Clear(manifest, kept);
            let error = match services.states.address().send(clear).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            log::warn!(
                "{label}: the work folder cannot be emptied, the next start tries again: {error}"
            );
        };
        context.spawn(cleared.into_actor(self).map(|(), session, context| {
            session.busy = false;
            session.work(context);
        }));
    }

    /// Looks for the room that a new capture is to join.
    pub(super) fn find_room(&self, context: &mut Context<Self>) {
        let services = self.services.clone();
        let manifest = self.machine.manifest().clone();
        let found = async move { services.sources.again(&manifest).await };
        let done = |found, session: &mut Self, context: &mut Context<Self>| {
            let event = match found {
                Ok((room_id, source)) => {
                    session.source = Some(source);
                    Event::RoomFound(room_id)
                }
                Err(error) => {
                    log::info!("{}: capture cannot go on yet: {error}", session.label());
                    Event::RoomLost(error)
                }
            };
            session.step(event, context);
        };
        context.spawn(found.into_actor(self).map(done));
    }
}
