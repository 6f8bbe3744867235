//! Finished recordings wherever they are: here until they are delivered, then in their stores.

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

use crate::{ListFilter, Recorder};

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

    /// The file with this name if its recording is not delivered yet.
    async fn local(&self, name: &str) -> Option<(PathBuf, StoredObject)> {
        let found = self.recorder.on_their_way().await;
        let manifests = found
            .inspect_err(|error| log::warn!("what is not delivered yet is not known: {error}"))
            .unwrap_or_default();
        manifests.iter().find_map(|manifest| {
            let (_, file) = manifest.files().find(|(known, _)| known == name)?;
            let object = StoredObject {
                size: file.size_bytes,
                etag: file.sha256.clone(),
                modified_at: manifest.ended_at.unwrap_or(manifest.created_at),
            };
            Some((file.path.clone(), object))
        })
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
        match self.local(name).await {
            Some((_, object)) => Ok(object),
            None => self.stores().head(name).await,
        }
    }

    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        if let Some((path, _)) = self.local(name).await {
            match read_file(&path, name, range.clone()).await {
                // Delivered meanwhile.
                Err(StoreError::NotFound(_)) => {}
                answer => return answer,
            }
        }
        self.stores().read(name, range).await
    }

    async fn url(&self, name: &str, valid: Duration) -> Result<Option<String>, StoreError> {
        match self.local(name).await {
            Some(_) => Ok(None),
            None => self.stores().url(name, valid).await,
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
