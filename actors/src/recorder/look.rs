//! What is known of recordings.

use std::io::ErrorKind;
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
    ///
    /// # Errors
    /// The index does not answer.
    pub async fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page, String> {
        let list = state::List {
            filter,
            cursor,
            limit,
        };
        let (recordings, next_cursor) = self
            .inner
            .services
            .states
            .address()
            .send(list)
            .await
            .map_err(|error| format!("the store actor does not answer: {error}"))?
            .map_err(|error| error.to_string())?;
        Ok(Page {
            recordings,
            next_cursor,
        })
    }

    /// One recording in any state, by id.
    ///
    /// # Errors
    /// Its manifest cannot be read.
    pub async fn get(&self, id: &str) -> Result<Option<Manifest>, String> {
        // An id becomes a path.
        if !naming::is_id(id) {
            return Ok(None);
        }
        let states = &self.inner.services.states;
        match states.address().send(state::Get(id.into())).await {
            Ok(Ok(manifest)) => Ok(Some(manifest)),
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
            Ok(Err(error)) => Err(format!("the manifest of {id} cannot be read: {error}")),
            Err(error) => Err(format!("the store actor does not answer: {error}")),
        }
    }

    /// Live sessions, also those that are still being rendered or delivered.
    ///
    /// # Errors
    /// The registry does not answer.
    pub async fn live(&self) -> Result<Vec<LiveSession>, String> {
        let mut found = Vec::new();
        for session in self.sessions().await? {
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
        sampled
            .await
            .map_err(|error| format!("the processes cannot be looked at: {error}"))
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
