//! What is known of recordings.

use std::sync::PoisonError;

use tapedeck_storage::{RecordingMetadata, StoreError};

use super::{ANSWER, Recorder};
use crate::session::Look;
use crate::{ListFilter, LiveSession, Manifest, Page, naming, state};

impl Recorder {
    /// Delivered recordings of the store, newest first: also those that another server of the
    /// kind left there.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn delivered(
        &self,
        filter: ListFilter,
    ) -> Result<Vec<RecordingMetadata>, StoreError> {
        if filter.state.is_some_and(|state| !state.is_delivered()) {
            return Ok(Vec::new());
        }
        let mut recordings = self.inner.store.list().await?;
        recordings.retain(|recording| {
            filter
                .room_name
                .as_ref()
                .is_none_or(|name| *name == recording.room_name)
                && filter
                    .room_id
                    .as_ref()
                    .is_none_or(|id| *id == recording.room_id)
        });
        recordings.sort_by(|a, b| {
            b.started_at
                .cmp(&a.started_at)
                .then_with(|| b.name.cmp(&a.name))
        });
        Ok(recordings)
    }

    /// Recordings in any state.
    pub async fn list(&self, filter: ListFilter, cursor: Option<String>, limit: usize) -> Page {
        let list = state::List {
            filter,
            cursor,
            limit,
        };
        match self.inner.services.states.address().send(list).await {
            Ok(Ok((recordings, next_cursor))) => Page {
                recordings,
                next_cursor,
            },
            Ok(Err(error)) => {
                log::error!("recordings cannot be listed: {error}");
                Page {
                    recordings: Vec::new(),
                    next_cursor: None,
                }
            }
            Err(error) => {
                log::error!("recordings cannot be listed: {error}");
                Page {
                    recordings: Vec::new(),
                    next_cursor: None,
                }
            }
        }
    }

    /// One recording in any state, by id.
    pub async fn get(&self, id: &str) -> Option<Manifest> {
        // An id becomes a path.
        if !naming::is_id(id) {
            return None;
        }
        self.inner
            .services
            .states
            .address()
            .send(state::Get(id.into()))
            .await
            .ok()?
            .ok()
    }

    /// Live sessions, also those that are still being rendered or delivered.
    pub async fn live(&self) -> Vec<LiveSession> {
        let mut found = Vec::new();
        for session in self.sessions().await.unwrap_or_default() {
            let manifest = session.status.borrow().manifest.clone();
            if !manifest.state.is_final() {
                found.push((
                    manifest,
                    session.session.send(Look).timeout(ANSWER).await.ok(),
                ));
            }
        }
        let inner = self.inner.clone();
        let sampled = tokio::task::spawn_blocking(move || {
            let mut usage = inner.usage.lock().unwrap_or_else(PoisonError::into_inner);
            let mut pids = Vec::new();
            let mut live = Vec::new();
            for (manifest, view) in found {
                let (capture, render, processes) = view
                    .map(|view| (view.capture, view.render, view.processes))
                    .unwrap_or_default();
                pids.extend(processes.iter().map(|(_, pid)| *pid));
                let processes = processes
                    .into_iter()
                    .filter_map(|(role, pid)| usage.sample(role, pid))
                    .collect();
                live.push(LiveSession {
                    manifest,
                    capture,
                    render,
                    processes,
                });
            }
            usage.keep(&pids);
            live
        });
        sampled.await.unwrap_or_default()
    }

    /// Whether the actors answer; the reason if not.
    ///
    /// # Errors
    /// Which of them does not.
    pub async fn ready(&self) -> Result<(), String> {
        self.sessions().await?;
        let list = state::List {
            filter: ListFilter::default(),
            cursor: None,
            limit: 1,
        };
        match self
            .inner
            .services
            .states
            .address()
            .send(list)
            .timeout(ANSWER)
            .await
        {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(format!("the store actor does not answer: {error}")),
        }
    }
}
