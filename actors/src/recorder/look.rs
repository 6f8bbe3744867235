//! What is known of recordings.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::sync::PoisonError;

use tapedeck_pipelines::job::PREVIEW_FILE;
use tapedeck_storage::{RecordingMetadata, StoreError};

use super::{ANSWER, Recorder};
use crate::session::Look;
use crate::{
    Finished, FinishedRecording, ListFilter, LiveSession, Manifest, Page, PendingUpload,
    RecordingMetrics, naming, state,
};

impl Recorder {
    /// Finished recordings, newest first: those of the stores, also what another server of the kind
    /// left there, and those that are rendered and on their way.
    ///
    /// # Errors
    /// No store answers, and nothing is on its way.
    pub async fn finished(&self, filter: ListFilter) -> Result<Finished, StoreError> {
        let matches = |recording: &RecordingMetadata| {
            let is = |wanted: &Option<String>, found: &str| {
                wanted.as_deref().is_none_or(|wanted| wanted == found)
            };
            is(&filter.room_name, &recording.room_name) && is(&filter.room_id, &recording.room_id)
        };
        let on_their_way = self.on_their_way().await.unwrap_or_else(|error| {
            log::warn!("what is not delivered yet is not known: {error}");
            Vec::new()
        });
        let mut listing = self.inner.services.stores.list().await;
        if listing.answered == 0
            && on_their_way.is_empty()
            && let Some(error) = listing.unavailable.pop()
        {
            return Err(error);
        }
        // A store that describes it has all of it, also when its session has not heard of that yet.
        let described: HashSet<&str> = listing
            .recordings
            .iter()
            .filter(|recording| recording.part_of.is_none())
            .map(|recording| recording.id.as_str())
            .collect();
        let mut recordings: Vec<FinishedRecording> = on_their_way
            .iter()
            .filter(|manifest| !described.contains(manifest.id.as_str()))
            .filter_map(|manifest| {
                Some(FinishedRecording {
                    metadata: manifest.description()?,
                    upload: Some(PendingUpload {
                        blocked: manifest.upload.as_ref().is_some_and(|known| known.blocked),
                        trouble: manifest.upload.as_ref().map(|known| known.error.clone()),
                    }),
                })
            })
            .collect();
        let local: HashSet<String> = recordings
            .iter()
            .map(|recording| recording.metadata.name.clone())
            .collect();
        let delivered = listing.recordings.into_iter();
        let delivered = delivered.filter(|recording| !local.contains(&recording.name));
        recordings.extend(delivered.map(|metadata| FinishedRecording {
            metadata,
            upload: None,
        }));
        recordings.retain(|recording| matches(&recording.metadata));
        recordings.sort_by(|a, b| {
            let (a, b) = (&a.metadata, &b.metadata);
            b.started_at
                .cmp(&a.started_at)
                .then_with(|| b.name.cmp(&a.name))
        });
        Ok(Finished {
            recordings,
            unavailable: listing
                .unavailable
                .iter()
                .map(ToString::to_string)
                .collect(),
        })
    }

    /// Delivered recordings, newest first.
    ///
    /// # Errors
    /// No store answers.
    pub async fn delivered(
        &self,
        filter: ListFilter,
    ) -> Result<Vec<RecordingMetadata>, StoreError> {
        if filter.state.is_some_and(|state| !state.is_delivered()) {
            return Ok(Vec::new());
        }
        let finished = self.finished(filter).await?.recordings.into_iter();
        let delivered = finished.filter(|recording| recording.upload.is_none());
        Ok(delivered.map(|recording| recording.metadata).collect())
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

    /// How a recording looks just now, a JPEG; none unless its render makes a picture.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn preview(&self, id: &str) -> io::Result<Option<Vec<u8>>> {
        // An id becomes a path.
        if !naming::is_id(id) {
            return Ok(None);
        }
        let path = self.inner.services.folder.work(id).join(PREVIEW_FILE);
        match tokio::fs::read(path).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// The delivered recording one of whose files has this name.
    ///
    /// # Errors
    /// The index does not answer.
    pub(crate) async fn delivered_with(&self, name: &str) -> Result<Option<Manifest>, String> {
        let states = self.inner.services.states.address();
        let found = states.send(state::FindByName(name.into())).await;
        let found = found
            .map_err(|error| format!("the store actor does not answer: {error}"))?
            .map_err(|error| error.to_string())?;
        Ok(found.filter(Manifest::is_delivered))
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

    /// What is counted of recordings.
    pub fn metrics(&self) -> RecordingMetrics {
        self.inner.services.metrics.clone()
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
