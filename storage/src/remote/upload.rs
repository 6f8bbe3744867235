//! The way of a file into an object store: small ones at once, large ones in parts that survive a
//! crash on either side.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::{
    Attributes, Error, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
};

use super::errors::Place;
use super::progress::Progress;
use crate::StoreError;
use crate::disk::{blocking, failed};

/// Parts of one file under way at the same time.
const PARTS_AT_ONCE: usize = 4;

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    pub path: &'a Path,
    /// For errors.
    pub name: &'a str,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: &'a str,
}

/// Sends a file to `location`, where nothing was a moment ago. What an earlier try has sent is not
/// sent again. Its progress stays beside the file until [`forget`].
pub async fn send<S: ObjectStore + MultipartStore>(
    objects: &S,
    place: &Place,
    location: &ObjectPath,
    file: File<'_>,
    attributes: Attributes,
) -> Result<(), StoreError> {
    if file.size <= Progress::part_bytes(file.size) {
        return send_at_once(objects, place, location, file, attributes).await;
    }
    let target = format!("{}/{location}", place.description);
    let earlier = load(file).await?;
    let known = earlier
        .as_ref()
        .filter(|known| known.is_of(&target, file.size, file.sha256));
    let progress = match (known, &earlier) {
        (Some(known), _) => known.clone(),
        (None, left) => {
            if let Some(left) = left {
                give_up(objects, location, left).await;
            }
            begin(objects, place, location, file, attributes, target).await?
        }
    };
    let sent = send_parts(objects, location, file, progress).await;
    match sent {
        Ok(()) => Ok(()),
        // It was aborted, or has expired: the next try begins anew.
        Err(Failure::Store(Error::NotFound { .. })) => {
            forget(file.path, file.name).await?;
            let detail = format!("{}: the upload in parts is gone", place.description);
            Err(failed("store", file.name, detail))
        }
        Err(Failure::Store(error)) => Err(place.error("store", file.name, error)),
        Err(Failure::Here(error)) => Err(error),
    }
}

/// Forgets the progress of a file's upload.
pub async fn forget(path: &Path, name: &str) -> Result<(), StoreError> {
    let path = path.to_path_buf();
    blocking(name, move || Progress::remove(&path))
        .await?
        .map_err(|error| failed("finish the upload of", name, error))
}

/// Where an upload failed.
enum Failure {
    Store(Error),
    Here(StoreError),
}

async fn load(file: File<'_>) -> Result<Option<Progress>, StoreError> {
    let path = file.path.to_path_buf();
    blocking(file.name, move || Progress::load(&path))
        .await?
        .map_err(|error| failed("read the progress of", file.name, error))
}

async fn save(progress: &Progress, file: File<'_>) -> Result<(), StoreError> {
    let (progress, path) = (progress.clone(), file.path.to_path_buf());
    blocking(file.name, move || progress.save(&path))
        .await?
        .map_err(|error| failed("keep the progress of", file.name, error))
}

async fn send_at_once<S: ObjectStore>(
    objects: &S,
    place: &Place,
    location: &ObjectPath,
    file: File<'_>,
    attributes: Attributes,
) -> Result<(), StoreError> {
    let bytes = read(file, 0, file.size).await?;
    let options = PutOptions {
        mode: PutMode::Create,
        attributes,
        ..Default::default()
    };
    let payload = PutPayload::from_bytes(bytes);
    match objects.put_opts(location, payload, options).await {
        // The one that is there is looked at next.
        Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(place.error("store", file.name, error)),
    }
}

async fn begin<S: MultipartStore>(
    objects: &S,
    place: &Place,
    location: &ObjectPath,
    file: File<'_>,
    attributes: Attributes,
    target: String,
) -> Result<Progress, StoreError> {
    let options = PutMultipartOptions {
        attributes,
        ..Default::default()
    };
    let upload = objects
        .create_multipart_opts(location, options)
        .await
        .map_err(|error| place.error("store", file.name, error))?;
    let progress = Progress {
        target,
        size: file.size,
        sha256: file.sha256.to_owned(),
        part_bytes: Progress::part_bytes(file.size),
        upload,
        parts: Default::default(),
    };
    // On the disk before anything is sent: an upload that nobody knows would stay for ever.
    if let Err(error) = save(&progress, file).await {
        give_up(objects, location, &progress).await;
        return Err(error);
    }
    Ok(progress)
}

async fn send_parts<S: MultipartStore>(
    objects: &S,
    location: &ObjectPath,
    file: File<'_>,
    mut progress: Progress,
) -> Result<(), Failure> {
    let (upload, part_bytes) = (progress.upload.clone(), progress.part_bytes);
    let missing = stream::iter(progress.missing());
    let mut sent = missing
        .map(|part| {
            let upload = &upload;
            async move {
                let from = part * part_bytes;
                let length = part_bytes.min(file.size - from);
                let bytes = read(file, from, length).await.map_err(Failure::Here)?;
                let payload = PutPayload::from_bytes(bytes);
                let index = usize::try_from(part).unwrap_or(usize::MAX);
                let taken = objects.put_part(location, upload, index, payload).await;
                taken
                    .map(|taken| (part, taken.content_id))
                    .map_err(Failure::Store)
            }
        })
        .buffer_unordered(PARTS_AT_ONCE);
    while let Some((part, id)) = sent.try_next().await? {
        progress.parts.insert(part, id);
        save(&progress, file).await.map_err(Failure::Here)?;
    }
    drop(sent);
    let parts = progress.parts.into_values();
    let parts = parts.map(|content_id| PartId { content_id }).collect();
    objects
        .complete_multipart(location, &upload, parts)
        .await
        .map(drop)
        .map_err(Failure::Store)
}

/// Tells the store that an upload will not be finished.
async fn give_up<S: MultipartStore>(objects: &S, location: &ObjectPath, progress: &Progress) {
    match objects.abort_multipart(location, &progress.upload).await {
        Ok(()) | Err(Error::NotFound { .. }) => {}
        Err(error) => log::warn!("an upload in parts of {location} is left over: {error}"),
    }
}

/// A part of the file, read off the caller's thread.
async fn read(file: File<'_>, from: u64, length: u64) -> Result<Bytes, StoreError> {
    let path = file.path.to_path_buf();
    let read = move || -> std::io::Result<Bytes> {
        let length = usize::try_from(length).map_err(std::io::Error::other)?;
        let mut buffer = vec![0; length];
        std::fs::File::open(path)?.read_exact_at(&mut buffer, from)?;
        Ok(buffer.into())
    };
    blocking(file.name, read)
        .await?
        .map_err(|error| failed("read", file.name, error))
}
