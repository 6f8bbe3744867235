//! Finished recordings wherever they are: here until they are delivered, or for as long as they are
//! kept, then in their stores.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tapedeck_storage::{
    Probe, RecordingMetadata, RecordingStore, StoreError, Stored, StoredObject, Stores,
    UploadProgress, read_file,
};

use crate::folder::DataFolder;
use crate::{ListFilter, Manifest, Recorder};

/// All finished recordings as one store, for those who read them. It takes none.
#[derive(Clone)]
pub struct Library {
    recorder: Recorder,
    place: String,
}

impl Library {
    pub(crate) fn new(recorder: Recorder) -> Self {
        let place = recorder.inner.services.stores.place();
        Self { recorder, place }
    }

    fn stores(&self) -> &Stores {
        &self.recorder.inner.services.stores
    }

    /// What is known here of the file with this name, whether its recording is delivered or not.
    async fn known(&self, name: &str) -> Option<Known> {
        let on_their_way = self.recorder.on_their_way().await;
        let on_their_way = on_their_way
            .inspect_err(|error| log::warn!("what is not delivered yet is not known: {error}"))
            .unwrap_or_default();
        let folder = &self.recorder.inner.services.folder;
        if let Some(known) = on_their_way
            .iter()
            .find_map(|manifest| Known::of(manifest, name, folder))
        {
            return Some(known);
        }
        let delivered = self.recorder.delivered_with(name).await;
        let delivered = delivered
            .inspect_err(|error| log::warn!("what is kept of {name} is not known: {error}"))
            .ok()??;
        Known::of(&delivered, name, folder)
    }
}

/// A rendered file of a recording of this server.
struct Known {
    /// Where it is, or was until it was delivered.
    path: PathBuf,
    object: StoredObject,
    /// Of its recording.
    source: String,
    is_delivered: bool,
}

impl Known {
    fn of(manifest: &Manifest, name: &str, folder: &DataFolder) -> Option<Self> {
        let (_, file) = manifest.files().find(|(known, _)| known == name)?;
        Some(Self {
            path: folder.rendered(&manifest.id, file)?,
            object: StoredObject {
                size: file.size_bytes,
                etag: file.sha256.clone(),
                modified_at: manifest.ended_at.unwrap_or(manifest.created_at),
            },
            source: manifest.source.clone(),
            is_delivered: manifest.is_delivered(),
        })
    }

    /// Whether it is still here.
    async fn is_here(&self) -> bool {
        let found = tokio::fs::metadata(&self.path).await;
        found.is_ok_and(|found| found.len() == self.object.size)
    }
}

#[async_trait]
impl RecordingStore for Library {
    fn place(&self) -> &str {
        &self.place
    }

    async fn put(
        &self,
        _: &Path,
        metadata: &RecordingMetadata,
        _: &UploadProgress,
    ) -> Result<Stored, StoreError> {
        Err(read_only(&metadata.name))
    }

    async fn give_up(&self, _: &Path, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError> {
        let found = self.recorder.finished(ListFilter::default()).await?;
        Ok(found.recordings.into_iter().map(|it| it.metadata).collect())
    }

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError> {
        let Some(known) = self.known(name).await else {
            return self.stores().head(name, None).await;
        };
        if !known.is_delivered || known.is_here().await {
            return Ok(known.object);
        }
        let stored = self.stores().head(name, Some(&known.source)).await?;
        // Whoever began to read it here goes on reading it there: it is the same.
        Ok(match stored.size == known.object.size {
            true => known.object,
            false => stored,
        })
    }

    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let known = self.known(name).await;
        if let Some(known) = &known
            && (!known.is_delivered || known.is_here().await)
        {
            match read_file(&known.path, name, range.clone()).await {
                // Delivered meanwhile, or its time here is over.
                Err(StoreError::NotFound(_)) => {}
                answer => return answer,
            }
        }
        let source = known.as_ref().map(|known| known.source.as_str());
        self.stores().read(name, source, range).await
    }

    async fn url(&self, name: &str, valid: Duration) -> Result<Option<String>, StoreError> {
        let Some(known) = self.known(name).await else {
            return self.stores().url(name, None, valid).await;
        };
        if !known.is_delivered {
            return Ok(None);
        }
        match self.stores().url(name, Some(&known.source), valid).await {
            // It can be fetched here.
            Err(_) if known.is_here().await => Ok(None),
            answer => answer,
        }
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        Err(read_only(name))
    }

    async fn probe(&self) -> Result<Probe, StoreError> {
        Err(read_only("a probe"))
    }
}

fn read_only(name: &str) -> StoreError {
    StoreError::Failed {
        action: "change",
        name: name.to_owned(),
        detail: "finished recordings are only read here".to_owned(),
    }
}
