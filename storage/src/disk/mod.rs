//! Recordings in a folder of this machine.

pub(crate) mod read;
mod write;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt,
};

use self::read::chunks;
use self::write::{Naming, Wanted};
use crate::catalogue::Catalogue;
use crate::layout::{METADATA_FOLDER, check_name, listed, metadata_name, stored_object};
use crate::work::{blocking, failed};
use crate::{
    Probe, RecordingMetadata, RecordingStore, StoreError, Stored, StoredObject, UploadProgress,
};

/// Recordings as `FOLDER/NAME.mp4`, their metadata as `FOLDER/.metadata/NAME.json`.
///
/// Reads, lists and deletes go through `object_store`. A put is our own: a recording comes from a
/// file that may be many gigabytes long, must not be overwritten by another, and must be on the
/// disk, folder entry included, before its source may go.
#[derive(Clone, Debug)]
pub struct DiskStore {
    folder: PathBuf,
    /// In words.
    place: String,
    objects: Arc<LocalFileSystem>,
    catalogue: Arc<Catalogue>,
    naming: Naming,
}

impl DiskStore {
    /// Opens the store in `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// The folder cannot be made or is not one.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let failed = |detail: String| StoreError::Failed {
            action: "open",
            name: folder.display().to_string(),
            detail,
        };
        crate::durable::create_folder(&folder.join(METADATA_FOLDER))
            .map_err(|error| failed(error.to_string()))?;
        let folder = folder
            .canonicalize()
            .map_err(|error| failed(error.to_string()))?;
        let objects =
            LocalFileSystem::new_with_prefix(&folder).map_err(|error| failed(error.to_string()))?;
        let place = format!("the folder {}", folder.display());
        Ok(Self {
            folder,
            place,
            objects: Arc::new(objects),
            catalogue: Arc::default(),
            naming: Naming::default(),
        })
    }

    /// Paths of all metadata, with their validators.
    async fn described(&self) -> Result<HashMap<String, String>, StoreError> {
        let folder = ObjectPath::from(METADATA_FOLDER);
        let found = self
            .objects
            .list_with_delimiter(Some(&folder))
            .await
            .map_err(|error| failed("list", "metadata", error))?;
        let validator = |object: ObjectMeta| {
            let etag = object.e_tag.unwrap_or_default();
            (object.location.as_ref().to_owned(), etag)
        };
        Ok(found.objects.into_iter().map(validator).collect())
    }

    /// The metadata of a recording, whose file has this validator.
    async fn metadata(
        &self,
        name: &str,
        etag: &str,
    ) -> Result<Option<RecordingMetadata>, StoreError> {
        let path = metadata_name(name);
        if let Some(known) = self.catalogue.known(&path, etag) {
            return Ok(known);
        }
        let location = ObjectPath::parse(&path)
            .map_err(|error| failed("read the metadata of", name, error))?;
        let bytes = match self.objects.get(&location).await {
            Ok(found) => found
                .bytes()
                .await
                .map_err(|error| failed("read the metadata of", name, error))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed("read the metadata of", name, error)),
        };
        Ok(self.catalogue.read(&path, etag, &bytes))
    }
}

#[async_trait]
impl RecordingStore for DiskStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn is_on_this_machine(&self) -> bool {
        true
    }

    async fn put(
        &self,
        path: &Path,
        metadata: &RecordingMetadata,
        progress: &UploadProgress,
    ) -> Result<Stored, StoreError> {
        check_name(&metadata.name).map_err(|detail| failed("take", &metadata.name, detail))?;
        let (folder, source, metadata) =
            (self.folder.clone(), path.to_path_buf(), metadata.clone());
        let name = metadata.name.clone();
        // Gone as soon as nobody waits for the file any more.
        let waiter = Arc::new(());
        let wanted = Wanted {
            by: Arc::downgrade(&waiter),
            naming: self.naming.clone(),
        };
        let put = move || write::put(&folder, &source, &metadata, &wanted);
        blocking(&name, put).await??;
        drop(waiter);
        let size = self.head(&name).await?.size;
        progress.set(size);
        Ok(Stored {
            path: name,
            size,
            url: None,
            document: None,
        })
    }

    /// A copy that is under way removes itself when it notices that nobody waits for it; one that
    /// nobody finished is overwritten by the next and removed at the next start.
    async fn give_up(&self, _: &Path, name: &str) -> Result<(), StoreError> {
        let naming = self.naming.clone();
        blocking(name, move || drop(naming.hold())).await
    }

    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError> {
        let found = self
            .objects
            .list_with_delimiter(None)
            .await
            .map_err(|error| failed("list", "recordings", error))?;
        let described = self.described().await?;
        self.catalogue.keep(|path| described.contains_key(path));
        let mut recordings = Vec::new();
        for object in found.objects {
            let name = object.location.as_ref();
            if check_name(name).is_err() {
                continue;
            }
            let metadata = match described.get(&metadata_name(name)) {
                Some(etag) => self.metadata(name, etag).await?,
                None => None,
            };
            let modified_at = object.last_modified.timestamp_millis();
            recordings.extend(listed(name, object.size, modified_at, metadata));
        }
        Ok(recordings)
    }

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError> {
        let location = location(name)?;
        match self.objects.head(&location).await {
            Ok(object) => Ok(stored_object(&object)),
            Err(object_store::Error::NotFound { .. }) => Err(StoreError::NotFound(name.into())),
            Err(error) => Err(failed("look up", name, error)),
        }
    }

    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let location = location(name)?;
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
            Err(error) => return Err(failed("read", name, error)),
        };
        if found.range != range {
            return Err(failed(
                "read",
                name,
                format!("it has {} bytes only", found.meta.size),
            ));
        }
        let owned = name.to_owned();
        match found.payload {
            GetResultPayload::File(file, _) => Ok(chunks(file, range, owned).boxed()),
            GetResultPayload::Stream(bytes) => Ok(bytes
                .map(move |chunk| chunk.map_err(|error| failed("read", &owned, error)))
                .boxed()),
        }
    }

    /// A file has no address of its own.
    async fn url(&self, _: &str, _: Duration) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn probe(&self) -> Result<Probe, StoreError> {
        let path = self.folder.join(format!(".probe-{}", std::process::id()));
        let begun = Instant::now();
        let probe = move || -> io::Result<()> {
            crate::durable::replace_file(&path, b"probe")?;
            let read = std::fs::read(&path)?;
            std::fs::remove_file(&path)?;
            match read == b"probe" {
                true => Ok(()),
                false => Err(io::Error::other("what was written was not read back")),
            }
        };
        blocking("a probe", probe)
            .await?
            .map_err(|error| failed("write to", &self.place, error))?;
        Ok(Probe {
            took: begun.elapsed(),
            clock_ahead_ms: None,
        })
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let Ok(file) = location(name) else {
            return Ok(());
        };
        let metadata = ObjectPath::parse(metadata_name(name))
            .map_err(|error| failed("delete", name, error))?;
        // The file first: metadata without a file is never listed.
        for object in [file, metadata] {
            match self.objects.delete(&object).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("delete", name, error)),
            }
            tapedeck_failpoints::reached("delete.removed");
        }
        let folder = self.folder.clone();
        blocking(name, move || crate::durable::sync_folder(&folder))
            .await?
            .map_err(|error| failed("delete", name, error))
    }
}

/// Where an object is; a name that cannot be one is not in the store.
fn location(name: &str) -> Result<ObjectPath, StoreError> {
    let not_found = || StoreError::NotFound(name.into());
    check_name(name).map_err(|_| not_found())?;
    ObjectPath::parse(name).map_err(|_| not_found())
}
