//! Recordings in an object store that is reached over the network.

mod errors;
mod progress;
mod s3;
mod upload;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutPayload,
};
use sha2::{Digest, Sha256};

pub use self::s3::{S3Settings, open_s3};

use self::errors::Place;
use crate::disk::catalogue::Catalogue;
use crate::disk::hash;
use crate::disk::{blocking, check_name, failed, from_name, metadata_name, stored_object};
use crate::{
    Probe, RecordingMetadata, RecordingStore, StoreError, Stored, StoredObject, UploadProgress,
};

/// Metadata objects that are read at the same time for a list.
const READS_AT_ONCE: usize = 16;
/// The name under which an object carries the SHA-256 of its content.
const SHA256: &str = "sha256";

/// Recordings as `PREFIX/NAME.mp4`, their metadata as `PREFIX/.metadata/NAME.json`.
pub struct RemoteStore<S> {
    objects: Arc<S>,
    place: Place,
    prefix: ObjectPath,
    catalogue: Catalogue,
}

impl<S: ObjectStore + MultipartStore> RemoteStore<S> {
    /// A store below `prefix`; `place` says in errors where that is.
    fn new(objects: S, place: Place, prefix: &str) -> Self {
        Self {
            objects: Arc::new(objects),
            place,
            prefix: ObjectPath::from(prefix),
            catalogue: Catalogue::default(),
        }
    }

    /// Where an object is; a name that cannot be one is not in the store.
    fn location(&self, name: &str) -> Result<ObjectPath, StoreError> {
        check_name(name).map_err(|_| StoreError::NotFound(name.into()))?;
        self.below(name)
    }

    fn below(&self, path: &str) -> Result<ObjectPath, StoreError> {
        let whole = format!("{}/{path}", self.prefix);
        let whole = whole.strip_prefix('/').unwrap_or(&whole);
        ObjectPath::parse(whole).map_err(|_| StoreError::NotFound(path.into()))
    }

    /// Whether the object that is there has the content of `metadata`; `None` when there is none.
    async fn has(&self, metadata: &RecordingMetadata) -> Result<Option<bool>, StoreError> {
        let name = metadata.name.as_str();
        let options = GetOptions {
            head: true,
            ..Default::default()
        };
        let found = match self.objects.get_opts(&self.location(name)?, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.place.error("look up", name, error)),
        };
        if found.meta.size != metadata.size {
            return Ok(Some(false));
        }
        let Some(expected) = &metadata.sha256 else {
            return Ok(Some(true));
        };
        match found.attributes.get(&Attribute::Metadata(SHA256.into())) {
            Some(stored) => Ok(Some(stored.as_ref() == expected)),
            // Somebody else put it there.
            None => Ok(Some(self.hash_of(name, metadata.size).await? == *expected)),
        }
    }

    /// SHA-256 of what is stored, lower-case hexadecimal.
    async fn hash_of(&self, name: &str, size: u64) -> Result<String, StoreError> {
        let mut bytes = self.read(name, 0..size).await?;
        let mut hasher = Sha256::new();
        while let Some(chunk) = bytes.try_next().await? {
            hasher.update(&chunk);
        }
        Ok(hash::hex(&hasher.finalize()))
    }

    async fn describe(&self, metadata: &RecordingMetadata) -> Result<(), StoreError> {
        let name = metadata.name.as_str();
        let json =
            serde_json::to_vec_pretty(metadata).map_err(|error| failed("describe", name, error))?;
        let location = self.below(&metadata_name(name))?;
        let put = self.objects.put(&location, PutPayload::from(json)).await;
        put.map(drop)
            .map_err(|error| self.place.error("describe", name, error))
    }

    /// Validators of all metadata, by path.
    async fn described(&self) -> Result<HashMap<String, String>, StoreError> {
        let folder = self.below(crate::disk::METADATA_FOLDER)?;
        let found = self
            .objects
            .list_with_delimiter(Some(&folder))
            .await
            .map_err(|error| self.place.error("list", "metadata", error))?;
        let validator = |object: ObjectMeta| {
            let etag = object.e_tag.unwrap_or_default();
            (object.location.as_ref().to_owned(), etag)
        };
        Ok(found.objects.into_iter().map(validator).collect())
    }

    async fn metadata(
        &self,
        name: &str,
        path: ObjectPath,
        etag: &str,
    ) -> Result<Option<RecordingMetadata>, StoreError> {
        if let Some(known) = self.catalogue.known(path.as_ref(), etag) {
            return Ok(Some(known));
        }
        let read = |error| self.place.error("read the metadata of", name, error);
        let bytes = match self.objects.get(&path).await {
            Ok(found) => found.bytes().await.map_err(read)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(read(error)),
        };
        match serde_json::from_slice::<RecordingMetadata>(&bytes) {
            Ok(metadata) => {
                let path = path.as_ref().to_owned();
                self.catalogue
                    .learn(path, etag.to_owned(), metadata.clone());
                Ok(Some(metadata))
            }
            Err(error) => {
                log::warn!("{path} holds no metadata: {error}");
                Ok(None)
            }
        }
    }

    /// What a list tells of an object.
    async fn entry(
        &self,
        object: ObjectMeta,
        described: &HashMap<String, String>,
    ) -> Result<Option<RecordingMetadata>, StoreError> {
        let Some(name) = object.location.filename().map(str::to_owned) else {
            return Ok(None);
        };
        if check_name(&name).is_err() {
            return Ok(None);
        }
        let path = self.below(&metadata_name(&name))?;
        let metadata = match described.get(path.as_ref()) {
            Some(etag) => self.metadata(&name, path, etag).await?,
            None => None,
        };
        Ok(match metadata {
            Some(metadata) => Some(RecordingMetadata { name, ..metadata }),
            None => from_name(&name, &object),
        })
    }
}

#[async_trait]
impl<S: ObjectStore + MultipartStore> RecordingStore for RemoteStore<S> {
    fn place(&self) -> &str {
        &self.place.description
    }

    async fn put(
        &self,
        path: &Path,
        metadata: &RecordingMetadata,
        progress: &UploadProgress,
    ) -> Result<Stored, StoreError> {
        let name = metadata.name.clone();
        check_name(&name).map_err(|detail| failed("take", &name, detail))?;
        let location = self.location(&name)?;
        let source = path.to_path_buf();
        let (size, sha256) = blocking(&name, move || hash::of_file(&source))
            .await?
            .map_err(|error| failed("read", &name, error))?;
        crate::disk::write::check(&(size, sha256.clone()), metadata)?;
        match self.has(metadata).await? {
            Some(true) => upload::forget(path, &name).await?,
            Some(false) => return Err(StoreError::Conflict(name)),
            None => {
                let attributes = Attributes::from_iter([
                    (Attribute::ContentType, "video/mp4".to_owned()),
                    (Attribute::Metadata(SHA256.into()), sha256.clone()),
                ]);
                let file = upload::File {
                    path,
                    name: &name,
                    size,
                    sha256: &sha256,
                };
                upload::send(&*self.objects, &self.place, &location, file, attributes).await?;
                // What a store, or a proxy before it, says is not yet what it has.
                match self.has(metadata).await? {
                    Some(true) => upload::forget(path, &name).await?,
                    Some(false) => {
                        return Err(StoreError::Integrity {
                            name,
                            detail: "the store has other content than was sent".into(),
                        });
                    }
                    None => {
                        upload::forget(path, &name).await?;
                        let detail = "it took the upload, but does not have it";
                        return Err(failed("store", &name, detail));
                    }
                }
            }
        }
        self.describe(metadata).await?;
        let size = self.head(&name).await?.size;
        progress.set(size);
        Ok(Stored {
            path: location.to_string(),
            size,
            url: None,
            document: None,
        })
    }

    async fn give_up(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        upload::forget(path, name).await
    }

    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError> {
        let found = self
            .objects
            .list_with_delimiter(Some(&self.prefix))
            .await
            .map_err(|error| self.place.error("list", "recordings", error))?;
        let described = self.described().await?;
        self.catalogue.keep(|path| described.contains_key(path));
        let described = &described;
        let entries = found.objects.into_iter();
        stream::iter(entries.map(|object| self.entry(object, described)))
            .buffer_unordered(READS_AT_ONCE)
            .try_filter_map(|entry| async { Ok(entry) })
            .try_collect()
            .await
    }

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError> {
        match self.objects.head(&self.location(name)?).await {
            Ok(object) => Ok(stored_object(&object)),
            Err(object_store::Error::NotFound { .. }) => Err(StoreError::NotFound(name.into())),
            Err(error) => Err(self.place.error("look up", name, error)),
        }
    }

    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let location = self.location(name)?;
        if range.is_empty() {
            self.head(name).await?;
            return Ok(stream::empty().boxed());
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            ..Default::default()
        };
        let found = match self.objects.get_opts(&location, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(StoreError::NotFound(name.into()));
            }
            Err(error) => return Err(self.place.error("read", name, error)),
        };
        if found.range != range {
            let detail = format!("it has {} bytes only", found.meta.size);
            return Err(failed("read", name, detail));
        }
        let (place, owned) = (self.place.clone(), name.to_owned());
        let bytes = found.into_stream();
        Ok(bytes
            .map(move |chunk| chunk.map_err(|error| place.error("read", &owned, error)))
            .boxed())
    }

    async fn url(&self, _: &str, _: Duration) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn probe(&self) -> Result<Probe, StoreError> {
        let begun = Instant::now();
        let failed = |error| self.place.error("try", "the bucket", error);
        let location = self.below(&format!(".probe-{}", std::process::id()))?;
        let put = self
            .objects
            .put(&location, PutPayload::from_static(b"probe"));
        put.await.map_err(failed)?;
        self.objects.get(&location).await.map_err(failed)?;
        self.objects.delete(&location).await.map_err(failed)?;
        Ok(Probe {
            took: begun.elapsed(),
            clock_ahead_ms: None,
        })
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let Ok(file) = self.location(name) else {
            return Ok(());
        };
        // The file first: metadata without a file is never listed.
        for object in [file, self.below(&metadata_name(name))?] {
            match self.objects.delete(&object).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.place.error("delete", name, error)),
            }
        }
        Ok(())
    }
}
