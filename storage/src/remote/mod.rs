//! Recordings in an object store that is reached over the network.

mod azure;
mod backend;
mod buffers;
mod client;
mod errors;
pub(crate) mod progress;
mod s3;
mod upload;
mod watched;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use http::Method;
use object_store::path::Path as ObjectPath;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload,
};

pub use self::azure::{Azure, AzureSettings, open_azure};
pub use self::s3::{S3, S3Settings, open_s3};

use tapedeck_failpoints::reached;

use self::backend::{Backend, Checksum, Listed};
use self::errors::Place;
use self::progress::Progress;
use self::upload::{Outcome, Upload};
use crate::catalogue::Catalogue;
use crate::hash::{self, PartedDigest};
use crate::layout::{
    METADATA_FOLDER, check_name, content_type, listed, metadata_name, stored_object,
};
use crate::work::{examined, failed};
use crate::{
    Probe, RecordingMetadata, RecordingStore, StoreError, Stored, StoredObject, UploadProgress,
};

/// Metadata objects that are read at the same time for a list.
const READS_AT_ONCE: usize = 16;
/// What is larger is no metadata, whoever put it there, bytes.
const LARGEST_METADATA: u64 = 4 << 20;
/// A folder in which nothing is.
const NOTHING: &str = ".nothing";
/// What a probe writes.
const PROBE: &[u8] = b"probe";
/// The name under which an object carries the SHA-256 of its content.
const SHA256: &str = "sha256";

/// The longest that a signed address holds: what S3 allows.
const LONGEST_ADDRESS: Duration = Duration::from_secs(7 * 24 * 3600);

/// Recordings as `PREFIX/NAME.mp4`, their metadata as `PREFIX/.metadata/NAME.json`.
pub struct RemoteStore<B> {
    backend: Arc<B>,
    place: Place,
    prefix: ObjectPath,
    catalogue: Catalogue,
}

/// What is where a file goes.
#[derive(Debug, PartialEq, Eq)]
enum There {
    Nothing,
    TheFile,
    SomethingElse,
}

impl<B: Backend> RemoteStore<B> {
    /// A store below `prefix`, which keys have as it is; `place` says in errors where that is.
    ///
    /// # Errors
    /// No key can begin so.
    fn new(backend: B, place: Place, prefix: &str) -> Result<Self, StoreError> {
        let prefix = ObjectPath::parse(prefix.trim_matches('/')).map_err(|error| {
            let detail = format!(
                "no key can begin with storage.recordings_path (RECORDINGS_PATH): {error}; take \
                 names with single slashes between them"
            );
            failed("open", &place.description, detail)
        })?;
        Ok(Self {
            backend: Arc::new(backend),
            place,
            prefix,
            catalogue: Catalogue::default(),
        })
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

    /// Where keys begin that lie directly in a folder below ours.
    fn key_prefix(&self, folder: &str) -> String {
        [self.prefix.as_ref(), folder]
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| format!("{part}/"))
            .collect()
    }

    /// What an answer of 404 means: without a bucket nothing is there either.
    async fn missing(&self, action: &'static str, name: &str, error: Error) -> StoreError {
        let text = error.to_string();
        if text.contains("NoSuchBucket") || text.contains("ContainerNotFound") {
            return self.place.error(action, name, error);
        }
        if text.contains("NoSuchKey") || text.contains("BlobNotFound") {
            return StoreError::NotFound(name.into());
        }
        match self.backend.list(&self.key_prefix(NOTHING)).await {
            Err(error @ Error::NotFound { .. }) => self.place.error(action, name, error),
            _ => StoreError::NotFound(name.into()),
        }
    }

    /// Compares what is at `location` with a file, byte for byte, by checksums of the store's own
    /// where it has some.
    async fn compare(
        &self,
        name: &str,
        location: &ObjectPath,
        file: &PartedDigest,
    ) -> Result<There, StoreError> {
        let (size, checksum) = match self.backend.inspect(location).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(There::Nothing),
            Err(error) => return Err(self.place.error("look up", name, error)),
        };
        let is_told = match checksum {
            Some(Checksum::Whole(stored)) => stored == file.base64(),
            Some(Checksum::OfParts(stored, parts)) => (stored, parts) == file.of_parts(),
            None => false,
        };
        // A checksum that differs may be one of other parts than ours: only reading tells.
        let is_same =
            size == file.size && (is_told || self.hash_of(name, size).await? == file.hex());
        Ok(match is_same {
            true => There::TheFile,
            false => There::SomethingElse,
        })
    }

    /// Sends a file to where nothing is, and looks whether it is there.
    async fn send(
        &self,
        upload: Upload<'_, B>,
        file: &PartedDigest,
        attributes: Attributes,
    ) -> Result<(), StoreError> {
        let name = upload.name;
        for _ in 0..2 {
            let outcome = upload.send(attributes.clone()).await?;
            // What a store, or a proxy before it, says is not yet what it has.
            let there = self.compare(name, upload.location, file).await;
            return match (there?, outcome) {
                (There::TheFile, _) => Ok(()),
                (There::Nothing, Outcome::Gone) => {
                    log::info!(
                        "{} lost the parts of {name}: they are sent again",
                        self.place.description
                    );
                    continue;
                }
                (There::Nothing, Outcome::Unsure(error)) => Err(error),
                (There::Nothing, Outcome::Taken) => {
                    let detail = "it said that it took it, but does not have it";
                    Err(failed(
                        "store",
                        name,
                        format!("{}: {detail}", self.place.description),
                    ))
                }
                (There::SomethingElse, Outcome::Taken) => self.remove_damaged(upload).await,
                (There::SomethingElse, _) => Err(StoreError::Conflict(name.into())),
            };
        }
        let detail = format!(
            "{}: it loses the parts that it takes",
            self.place.description
        );
        Err(failed("store", name, detail))
    }

    /// An object that we made and that is not what we sent must not stand in the way of the next
    /// try.
    async fn remove_damaged(&self, upload: Upload<'_, B>) -> Result<(), StoreError> {
        let name = upload.name;
        let options = GetOptions {
            head: true,
            ..Default::default()
        };
        let found = self
            .backend
            .objects()
            .get_opts(upload.location, options)
            .await;
        let found = found.map_err(|error| self.place.error("look up", name, error))?;
        let mark = found.attributes.get(&Attribute::Metadata(SHA256.into()));
        if mark.is_none_or(|mark| mark.as_ref() != upload.sha256) {
            return Err(StoreError::Conflict(name.into()));
        }
        let deleted = self.backend.objects().delete(upload.location).await;
        deleted.map_err(|error| self.place.error("remove the damaged", name, error))?;
        upload::forget(upload.path, name).await?;
        Err(StoreError::Integrity {
            name: name.into(),
            detail: format!(
                "{} had other content than was sent; it was removed",
                self.place.description
            ),
        })
    }

    /// SHA-256 of what is stored, lower-case hexadecimal.
    async fn hash_of(&self, name: &str, size: u64) -> Result<String, StoreError> {
        hash::of_stream(self.read(name, 0..size).await?).await
    }

    async fn describe(&self, metadata: &RecordingMetadata) -> Result<(), StoreError> {
        let name = metadata.name.as_str();
        let json =
            serde_json::to_vec_pretty(metadata).map_err(|error| failed("describe", name, error))?;
        let location = self.below(&metadata_name(name))?;
        let error = |error| self.place.error("describe", name, error);
        let objects = self.backend.objects();
        let put = objects.put(&location, PutPayload::from(json.clone()));
        put.await.map_err(error)?;
        let stored = objects.get(&location).await.map_err(error)?;
        match stored.bytes().await.map_err(error)? == json {
            true => Ok(()),
            false => Err(StoreError::Integrity {
                name: name.into(),
                detail: format!("{} does not have its metadata", self.place.description),
            }),
        }
    }

    /// Validators of all metadata, by path.
    async fn described(&self) -> Result<HashMap<String, String>, StoreError> {
        let folder = self.key_prefix(METADATA_FOLDER);
        let found = self.backend.list(&folder).await;
        let found = found.map_err(|error| self.place.error("list", "metadata", error))?;
        let is_metadata = |object: &Listed| object.size <= LARGEST_METADATA;
        let validator = |object: Listed| (format!("{folder}{}", object.name), object.etag);
        let found = found.into_iter().filter(is_metadata);
        Ok(found.map(validator).collect())
    }

    async fn metadata(
        &self,
        name: &str,
        path: ObjectPath,
        etag: &str,
    ) -> Result<Option<RecordingMetadata>, StoreError> {
        if let Some(known) = self.catalogue.known(path.as_ref(), etag) {
            return Ok(known);
        }
        let read = |error| self.place.error("read the metadata of", name, error);
        let bytes = match self.backend.objects().get(&path).await {
            Ok(found) => found.bytes().await.map_err(read)?,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(read(error)),
        };
        Ok(self.catalogue.read(path.as_ref(), etag, &bytes))
    }

    /// What a list tells of an object.
    async fn entry(
        &self,
        object: Listed,
        described: &HashMap<String, String>,
    ) -> Result<Option<RecordingMetadata>, StoreError> {
        // Also a folder, which some stores list as an empty object.
        if check_name(&object.name).is_err() {
            return Ok(None);
        }
        let Ok(path) = self.below(&metadata_name(&object.name)) else {
            return Ok(None);
        };
        let metadata = match described.get(path.as_ref()) {
            Some(etag) => self.metadata(&object.name, path, etag).await?,
            None => None,
        };
        Ok(listed(
            &object.name,
            object.size,
            object.modified_at,
            metadata,
        ))
    }
}

#[async_trait]
impl<B: Backend> RecordingStore for RemoteStore<B> {
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
        let part_bytes = Progress::part_bytes(metadata.size);
        let digest = move |source: &Path| PartedDigest::of_file(source, part_bytes);
        let file = examined(path, metadata, digest).await?;
        let (location, sha256) = (self.location(&name)?, file.hex());
        let sent = match self.compare(&name, &location, &file).await? {
            There::TheFile => Ok(()),
            There::SomethingElse => Err(StoreError::Conflict(name.clone())),
            There::Nothing => {
                let attributes = Attributes::from_iter([
                    (Attribute::ContentType, content_type(&name).to_owned()),
                    (Attribute::Metadata(SHA256.into()), sha256.clone()),
                ]);
                let upload = Upload {
                    backend: &*self.backend,
                    place: &self.place,
                    location: &location,
                    path,
                    name: &name,
                    size: file.size,
                    sha256: &sha256,
                    told: progress,
                };
                self.send(upload, &file, attributes).await
            }
        };
        if sent.is_ok() {
            reached("upload.copied");
        }
        // It is there, or something else is, and stays: what tries left besides goes. Small files
        // leave nothing.
        if matches!(sent, Ok(()) | Err(StoreError::Conflict(_)))
            && file.size > part_bytes
            && let Err(error) = self.give_up(path, &name).await
        {
            log::warn!("what an earlier upload of {name} left is still there: {error}");
        }
        sent?;
        upload::forget(path, &name).await?;
        self.describe(metadata).await?;
        reached("upload.described");
        progress.set(file.size);
        reached("upload.done");
        Ok(Stored {
            path: location.to_string(),
            size: file.size,
            url: None,
            document: None,
        })
    }

    async fn give_up(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        let location = self.location(name)?;
        upload::give_up(&*self.backend, &self.place, &location, path, name).await
    }

    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError> {
        let found = self.backend.list(&self.key_prefix("")).await;
        let found = found.map_err(|error| self.place.error("list", "recordings", error))?;
        let described = self.described().await?;
        self.catalogue.keep(|path| described.contains_key(path));
        let described = &described;
        stream::iter(
            found
                .into_iter()
                .map(|object| self.entry(object, described)),
        )
        .buffer_unordered(READS_AT_ONCE)
        .try_filter_map(|entry| async { Ok(entry) })
        .try_collect()
        .await
    }

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError> {
        match self.backend.objects().head(&self.location(name)?).await {
            Ok(object) => Ok(stored_object(&object)),
            Err(error @ Error::NotFound { .. }) => Err(self.missing("look up", name, error).await),
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
        let found = match self.backend.reading().get_opts(&location, options).await {
            Ok(found) => found,
            Err(error @ Error::NotFound { .. }) => {
                return Err(self.missing("read", name, error).await);
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

    async fn url(&self, name: &str, valid: Duration) -> Result<Option<String>, StoreError> {
        let location = self.location(name)?;
        let valid = valid.clamp(Duration::from_secs(1), LONGEST_ADDRESS);
        let objects = self.backend.objects();
        let signed = objects.signed_url(Method::GET, &location, valid).await;
        let url = signed.map_err(|error| self.place.error("sign an address of", name, error))?;
        Ok(Some(url.into()))
    }

    async fn probe(&self) -> Result<Probe, StoreError> {
        let begun = Instant::now();
        let failed = |error| self.place.error("try", "the bucket", error);
        let location = self.below(&format!(".probe-{}", std::process::id()))?;
        let objects = self.backend.objects();
        let content = PutPayload::from_static(PROBE);
        objects.put(&location, content).await.map_err(failed)?;
        let read = objects.get(&location).await.map_err(failed)?;
        let read = read.bytes().await.map_err(failed)?;
        objects.delete(&location).await.map_err(failed)?;
        if read != PROBE {
            return Err(StoreError::Integrity {
                name: "a probe".into(),
                detail: format!(
                    "{}: what was written was not read back",
                    self.place.description
                ),
            });
        }
        Ok(Probe {
            took: begun.elapsed(),
            clock_ahead_ms: self.place.clock.ahead_ms(),
        })
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let Ok(file) = self.location(name) else {
            return Ok(());
        };
        // The file first: metadata without a file is never listed.
        for object in [file, self.below(&metadata_name(name))?] {
            match self.backend.objects().delete(&object).await {
                Ok(()) => {}
                Err(error @ Error::NotFound { .. }) => {
                    if let error @ StoreError::Refused { .. } =
                        self.missing("delete", name, error).await
                    {
                        return Err(error);
                    }
                }
                Err(error) => return Err(self.place.error("delete", name, error)),
            }
        }
        Ok(())
    }
}
