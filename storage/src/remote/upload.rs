//! The way of a file into an object store: small ones at once, large ones in parts that survive a
//! crash on either side.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::{Attributes, Error, ObjectStore, PutMode, PutOptions, PutPayload};
use tapedeck_failpoints::reached;

use super::backend::Backend;
use super::buffers::Buffers;
use super::errors::Place;
use super::progress::Progress;
use crate::work::{blocking, failed};
use crate::{StoreError, UploadProgress};

/// Bytes of one file under way at the same time.
const UNDER_WAY: u64 = 32 << 20;
/// Uploads of our key that we do not know are left-overs when they are this old.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);
/// What stores say of parts that they do not have though they took them.
const PARTS_ARE_LOST: [&str; 5] = [
    "InvalidPart",
    "EntityTooSmall",
    "InvalidBlockList",
    "InvalidBlobOrBlock",
    "NoSuchUpload",
];

/// What is to be sent where.
#[derive(Clone, Copy)]
pub struct Upload<'a, B> {
    pub backend: &'a B,
    pub place: &'a Place,
    pub location: &'a ObjectPath,
    pub path: &'a Path,
    /// For errors.
    pub name: &'a str,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: &'a str,
    pub told: &'a UploadProgress,
}

/// What came of an upload.
#[derive(Debug)]
pub enum Outcome {
    /// The store says that it has it.
    Taken,
    /// The upload in parts is gone: it expired, was aborted, or was completed and nobody heard.
    Gone,
    /// It may have it, or something else is there.
    Unsure(StoreError),
}

/// Why parts did not become an object.
enum Failure {
    /// The store does not know them any more.
    Gone,
    /// The answer to the last request does not tell.
    Unsure(Error),
    Store(Error),
    Here(StoreError),
}

impl<B: Backend> Upload<'_, B> {
    /// Sends the file to where nothing was a moment ago. What an earlier try has sent is not sent
    /// again. Its progress stays beside the file until [`forget`].
    pub async fn send(&self, attributes: Attributes) -> Result<Outcome, StoreError> {
        if self.size <= Progress::part_bytes(self.size) {
            return self.send_at_once(attributes).await;
        }
        let progress = match self.known().await? {
            Some(progress) => progress,
            None => self.begin(&attributes).await?,
        };
        match self.send_parts(progress.clone(), &attributes).await {
            Ok(()) => Ok(Outcome::Taken),
            Err(Failure::Gone) => {
                self.abort(&progress.upload).await;
                forget(self.path, self.name).await?;
                Ok(Outcome::Gone)
            }
            Err(Failure::Unsure(error)) => Ok(Outcome::Unsure(self.error(error))),
            Err(Failure::Store(error)) => Err(self.error(error)),
            Err(Failure::Here(error)) => Err(error),
        }
    }

    fn error(&self, error: Error) -> StoreError {
        self.place.error("store", self.name, error)
    }

    /// What an earlier try left of this upload. Another one of the file is given up.
    async fn known(&self) -> Result<Option<Progress>, StoreError> {
        let target = self.target();
        match load(self.path, self.name).await? {
            Some(known) if known.is_of(&target, self.size, self.sha256) => Ok(Some(known)),
            Some(other) => {
                if other.target == target {
                    self.abort(&other.upload).await;
                }
                forget(self.path, self.name).await?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn target(&self) -> String {
        format!("{}/{}", self.place.description, self.location)
    }

    async fn send_at_once(&self, attributes: Attributes) -> Result<Outcome, StoreError> {
        let bytes = self.read(&Buffers::default(), 0, self.size).await?;
        let options = |mode| PutOptions {
            mode,
            attributes: attributes.clone(),
            ..Default::default()
        };
        let objects = self.backend.objects();
        let payload = PutPayload::from_bytes(bytes);
        let put = objects.put_opts(self.location, payload.clone(), options(PutMode::Create));
        let put = match put.await {
            // Some servers know no conditions. That nothing is there was looked at before.
            Err(error) if error.to_string().contains("NotImplemented") => {
                let put = objects.put_opts(self.location, payload, options(PutMode::Overwrite));
                put.await
            }
            result => result,
        };
        Ok(match put {
            Ok(_) => Outcome::Taken,
            Err(error) => Outcome::Unsure(self.error(error)),
        })
    }

    async fn begin(&self, attributes: &Attributes) -> Result<Progress, StoreError> {
        self.abort_left_over().await;
        let begun = self.backend.begin(self.location, attributes).await;
        let upload = begun.map_err(|error| self.error(error))?;
        reached("parts.begun");
        let progress = Progress {
            target: self.target(),
            size: self.size,
            sha256: self.sha256.to_owned(),
            part_bytes: Progress::part_bytes(self.size),
            upload,
            parts: Default::default(),
        };
        // On the disk before anything is sent: an upload that nobody knows would stay for long.
        if let Err(error) = self.save(&progress).await {
            self.abort(&progress.upload).await;
            return Err(error);
        }
        reached("parts.noted");
        Ok(progress)
    }

    async fn send_parts(
        &self,
        mut progress: Progress,
        attributes: &Attributes,
    ) -> Result<(), Failure> {
        let (upload, part_bytes) = (progress.upload.clone(), progress.part_bytes);
        let at_once = usize::try_from(UNDER_WAY / part_bytes).unwrap_or(1).max(1);
        let buffers = Buffers::default();
        self.told.set(progress.sent());
        let mut sent = stream::iter(progress.missing())
            .map(|part| self.send_part(&buffers, &upload, part, part_bytes))
            .buffer_unordered(at_once);
        while let Some((part, id)) = sent.try_next().await? {
            progress.parts.insert(part, id);
            reached("parts.sent");
            self.save(&progress).await.map_err(Failure::Here)?;
            self.told.set(progress.sent());
        }
        drop(sent);
        reached("parts.complete");
        let parts = progress.parts.into_values();
        let parts = parts.map(|content_id| PartId { content_id }).collect();
        let backend = self.backend;
        let completed = backend.complete(self.location, &upload, parts, attributes);
        completed.await.map_err(|error| match is_gone(&error) {
            true => Failure::Gone,
            false => Failure::Unsure(error),
        })?;
        reached("parts.joined");
        Ok(())
    }

    async fn send_part(
        &self,
        buffers: &Buffers,
        upload: &String,
        part: u64,
        part_bytes: u64,
    ) -> Result<(u64, String), Failure> {
        let from = part * part_bytes;
        let length = part_bytes.min(self.size - from);
        let bytes = self.read(buffers, from, length).await;
        let bytes = bytes.map_err(Failure::Here)?;
        let payload = PutPayload::from_bytes(bytes);
        let index = usize::try_from(part).unwrap_or(usize::MAX);
        let objects = self.backend.objects();
        match objects
            .put_part(self.location, upload, index, payload)
            .await
        {
            Ok(taken) => Ok((part, taken.content_id)),
            Err(error) if is_gone(&error) => Err(Failure::Gone),
            Err(error) => Err(Failure::Store(error)),
        }
    }

    async fn save(&self, progress: &Progress) -> Result<(), StoreError> {
        let (progress, path) = (progress.clone(), self.path.to_path_buf());
        blocking(self.name, move || progress.save(&path))
            .await?
            .map_err(|error| failed("keep the progress of", self.name, error))
    }

    /// Tells the store that an upload will not be finished.
    async fn abort(&self, upload: &str) {
        if let Err(error) = abort(self.backend, self.location, upload).await {
            let location = self.location;
            log::warn!("an upload in parts of {location} is left over: {error}");
        }
    }

    /// Uploads of this very object whose progress was lost. Nobody else has a reason to write it.
    async fn abort_left_over(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let oldest = now.unwrap_or_default().saturating_sub(LEFT_OVER_AFTER);
        let oldest = i64::try_from(oldest.as_millis()).unwrap_or(i64::MAX);
        match self.backend.unfinished(self.location).await {
            Ok(found) => {
                for left in found.iter().filter(|left| left.begun_at < oldest) {
                    self.abort(&left.upload).await;
                }
            }
            Err(error) => log::debug!("uploads left over are not looked for: {error}"),
        }
    }

    /// A part of the file, read off the caller's thread.
    async fn read(&self, buffers: &Buffers, from: u64, length: u64) -> Result<Bytes, StoreError> {
        let (path, buffers) = (self.path.to_path_buf(), buffers.clone());
        let read = move || -> std::io::Result<Bytes> {
            let length = usize::try_from(length).map_err(std::io::Error::other)?;
            let mut buffer = buffers.take(length);
            std::fs::File::open(path)?.read_exact_at(buffer.as_mut(), from)?;
            Ok(buffer.into_bytes())
        };
        blocking(self.name, read)
            .await?
            .map_err(|error| failed("read", self.name, error))
    }
}

/// Aborts all uploads of an object, and forgets the progress of the file at `path`.
///
/// # Errors
/// The store cannot be asked; the progress is kept.
pub async fn give_up<B: Backend>(
    backend: &B,
    place: &Place,
    location: &ObjectPath,
    path: &Path,
    name: &str,
) -> Result<(), StoreError> {
    let refused = |error| place.error("give up the upload of", name, error);
    if let Some(known) = load(path, name).await? {
        let aborted = abort(backend, location, &known.upload).await;
        aborted.map_err(refused)?;
    }
    match backend.unfinished(location).await {
        Ok(found) => {
            for left in found {
                let aborted = abort(backend, location, &left.upload).await;
                aborted.map_err(refused)?;
            }
        }
        // Not everybody may list them.
        Err(error) => log::debug!("uploads left over are not looked for: {error}"),
    }
    forget(path, name).await
}

/// Forgets the progress of a file's upload.
pub async fn forget(path: &Path, name: &str) -> Result<(), StoreError> {
    let path = path.to_path_buf();
    blocking(name, move || Progress::remove(&path))
        .await?
        .map_err(|error| failed("finish the upload of", name, error))
}

async fn load(path: &Path, name: &str) -> Result<Option<Progress>, StoreError> {
    let path = path.to_path_buf();
    blocking(name, move || Progress::load(&path))
        .await?
        .map_err(|error| failed("read the progress of", name, error))
}

async fn abort<B: Backend>(
    backend: &B,
    location: &ObjectPath,
    upload: &str,
) -> object_store::Result<()> {
    let objects = backend.objects();
    match objects.abort_multipart(location, &upload.to_owned()).await {
        Err(error) if !matches!(error, Error::NotFound { .. }) => Err(error),
        _ => Ok(()),
    }
}

/// Whether the store lost what it took. A bucket that is missing is something else.
fn is_gone(error: &Error) -> bool {
    let text = error.to_string();
    let is_missing = matches!(error, Error::NotFound { .. })
        && !text.contains("NoSuchBucket")
        && !text.contains("ContainerNotFound");
    is_missing || PARTS_ARE_LOST.iter().any(|lost| text.contains(lost))
}
