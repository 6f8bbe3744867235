//! The way of a file into a bucket: an upload that goes on after a crash on either side.
//!
//! The address of the upload is on the disk before the first byte is sent. Where it stands is asked
//! of the store, which alone knows.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Request, header};
use serde::{Deserialize, Serialize};

use super::client::{Client, Fault, fault_of};
use super::encoding;
use super::objects::Objects;
use crate::remote::progress::Progress;
use crate::work::{blocking, failed};
use crate::{StoreError, UploadProgress, durable};

/// Bytes that are sent at once; Google wants a multiple of 256 KiB.
const CHUNK: u64 = 8 << 20;
/// Troubles in a row after which an upload is left to the next try.
const TROUBLES: u32 = 3;
/// After the first of them; longer after each further one.
const PAUSE: Duration = Duration::from_millis(250);

/// How an upload is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Google Cloud Storage: `Content-Range`, status 308.
    Json,
    /// Firebase's emulator: `X-Goog-Upload-Command`.
    Firebase,
}

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
    /// As the store writes it, see [`super::objects::Object::crc32c`].
    pub crc32c: &'a str,
    pub content_type: &'a str,
}

/// An upload that was begun, as it is kept beside its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// Where it goes: store and key.
    target: String,
    /// Of the whole file, bytes.
    size: u64,
    /// Of the whole file, lower-case hexadecimal.
    sha256: String,
    /// Where the bytes are sent. Whoever has it may send them.
    address: String,
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The store has so many bytes.
    At(u64),
    Done,
    /// It was given up, has expired, or is of no use: another has to be begun.
    Gone,
}

/// How uploads are sent to a bucket.
pub struct Uploads<'a> {
    pub client: &'a Client,
    pub objects: &'a Objects,
    pub protocol: Protocol,
}

impl Uploads<'_> {
    /// Sends a file to `key`, where nothing was a moment ago, and never over what is there. Whether
    /// it arrived is for the caller to see.
    pub async fn send(
        &self,
        key: &str,
        file: File<'_>,
        progress: &UploadProgress,
    ) -> Result<(), StoreError> {
        let error = |fault| self.objects.service.error("store", file.name, fault);
        let target = format!("{}/{key}", self.objects.service.description);
        let earlier = load(file.path, file.name).await?;
        let (session, mut standing) = match earlier {
            Some(known)
                if known.target == target
                    && known.size == file.size
                    && known.sha256 == file.sha256 =>
            {
                let standing = self.standing(&known).await.map_err(error)?;
                (known, standing)
            }
            Some(other) => {
                self.cancel(&other).await;
                (
                    self.begin(key, file, target.clone()).await?,
                    Standing::At(0),
                )
            }
            None => (
                self.begin(key, file, target.clone()).await?,
                Standing::At(0),
            ),
        };
        let session = match standing {
            Standing::Gone => {
                standing = Standing::At(0);
                self.begin(key, file, target).await?
            }
            _ => session,
        };
        let mut troubles = 0;
        let mut furthest = 0;
        loop {
            let at = match standing {
                Standing::Done => return Ok(()),
                // Some forget an upload as soon as it is complete.
                Standing::Gone => return forget(file.path, file.name).await,
                Standing::At(at) => at,
            };
            progress.set(at);
            if at > furthest {
                (furthest, troubles) = (at, 0);
            }
            match self.send_chunk(&session, file, at).await? {
                Ok(Standing::At(now)) if now <= at && at < file.size => {
                    troubles += 1;
                    if troubles > TROUBLES {
                        let text = format!("of the bytes from {at} on, the store takes none");
                        return Err(error(Fault::Unreachable(text)));
                    }
                    standing = Standing::At(now);
                }
                Ok(now) => standing = now,
                Err(fault) if fault.may_pass() && troubles < TROUBLES => {
                    troubles += 1;
                    tokio::time::sleep(PAUSE * troubles).await;
                    standing = self.standing(&session).await.map_err(error)?;
                }
                // What it says may be right, such as that an object is there already.
                Err(fault) if fault.is_status(412) => {
                    return forget(file.path, file.name).await;
                }
                Err(fault) => {
                    if matches!(fault, Fault::Status { code: 400, .. }) {
                        forget(file.path, file.name).await?;
                    }
                    return Err(error(fault));
                }
            }
        }
    }

    /// Stores a few bytes at `key`, over what is there.
    pub async fn put_small(
        &self,
        key: &str,
        content: Bytes,
        content_type: &str,
    ) -> Result<(), Fault> {
        let size = content.len() as u64;
        let resource = serde_json::json!({"contentType": content_type});
        let address = self.start(key, size, &resource, false).await?;
        let session = Session {
            target: String::new(),
            size,
            sha256: String::new(),
            address,
        };
        match self.put(&session, 0, content).await? {
            Standing::Done => Ok(()),
            _ => Err(Fault::Unreachable("the store took a part only".into())),
        }
    }

    /// Gives up what an earlier try left.
    pub async fn give_up(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        if let Some(session) = load(path, name).await? {
            self.cancel(&session).await;
        }
        forget(path, name).await
    }

    async fn begin(
        &self,
        key: &str,
        file: File<'_>,
        target: String,
    ) -> Result<Session, StoreError> {
        // With the checksum, the store itself refuses what was damaged on the way.
        let resource = serde_json::json!({
            "name": key,
            "contentType": file.content_type,
            "crc32c": file.crc32c,
            "metadata": {"sha256": file.sha256},
        });
        let begun = self.start(key, file.size, &resource, true).await;
        let address =
            begun.map_err(|fault| self.objects.service.error("store", file.name, fault))?;
        let session = Session {
            target,
            size: file.size,
            sha256: file.sha256.to_owned(),
            address,
        };
        if let Err(error) = save(&session, file.path, file.name).await {
            self.cancel(&session).await;
            return Err(error);
        }
        Ok(session)
    }

    /// Begins an upload and returns its address.
    async fn start(
        &self,
        key: &str,
        size: u64,
        resource: &serde_json::Value,
        only_new: bool,
    ) -> Result<String, Fault> {
        let Objects {
            endpoint, bucket, ..
        } = self.objects;
        let name = encoding::segment(key);
        let content_type = resource["contentType"].as_str().unwrap_or_default();
        let http = self.client.http();
        let (request, told) = match self.protocol {
            Protocol::Json => {
                let precondition = if only_new { "&ifGenerationMatch=0" } else { "" };
                let address = format!(
                    "{endpoint}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={name}{precondition}"
                );
                let request = http
                    .post(address)
                    .header("x-upload-content-type", content_type)
                    .header("x-upload-content-length", size);
                (request, "location")
            }
            Protocol::Firebase => {
                let address = format!("{endpoint}/v0/b/{bucket}/o?name={name}");
                let request = http
                    .post(address)
                    .header("x-goog-upload-protocol", "resumable")
                    .header("x-goog-upload-command", "start")
                    .header("x-goog-upload-header-content-type", content_type)
                    .header("x-goog-upload-header-content-length", size);
                (request, "x-goog-upload-url")
            }
        };
        let response = self.client.send(request.json(resource)).await?;
        let address = response.headers().get(told);
        let address = address.and_then(|address| address.to_str().ok());
        address.map(str::to_owned).ok_or_else(|| {
            Fault::Unreachable("the store began an upload and does not say where".into())
        })
    }

    /// Asks the store how far an upload is.
    async fn standing(&self, session: &Session) -> Result<Standing, Fault> {
        let http = self.client.http();
        let request = match self.protocol {
            Protocol::Json => http
                .put(&session.address)
                .header(header::CONTENT_RANGE, format!("bytes */{}", session.size)),
            Protocol::Firebase => http
                .post(&session.address)
                .header("x-goog-upload-command", "query"),
        };
        let Ok(request) = request.header(header::CONTENT_LENGTH, 0).build() else {
            return Ok(Standing::Gone);
        };
        for tried in 1..=TROUBLES {
            let Some(again) = request.try_clone() else {
                break;
            };
            match self.ask(again, session.size).await {
                Err(fault) if fault.may_pass() => tokio::time::sleep(PAUSE * tried).await,
                result => return result,
            }
        }
        self.ask(request, session.size).await
    }

    async fn send_chunk(
        &self,
        session: &Session,
        file: File<'_>,
        from: u64,
    ) -> Result<Result<Standing, Fault>, StoreError> {
        let bytes = read(file, from, CHUNK.min(file.size.saturating_sub(from))).await?;
        Ok(self.put(session, from, bytes).await)
    }

    async fn put(&self, session: &Session, from: u64, bytes: Bytes) -> Result<Standing, Fault> {
        let (size, end) = (session.size, from + bytes.len() as u64);
        let http = self.client.http();
        let request = match self.protocol {
            Protocol::Json => {
                let range = match bytes.is_empty() {
                    true => format!("bytes */{size}"),
                    false => format!("bytes {from}-{}/{size}", end - 1),
                };
                http.put(&session.address)
                    .header(header::CONTENT_RANGE, range)
            }
            Protocol::Firebase => {
                let command = if end == size {
                    "upload, finalize"
                } else {
                    "upload"
                };
                http.post(&session.address)
                    .header("x-goog-upload-command", command)
                    .header("x-goog-upload-offset", from)
            }
        };
        let request = request
            .header(header::CONTENT_TYPE, "application/octet-stream")
            // Google wants it, also of what is empty.
            .header(header::CONTENT_LENGTH, bytes.len())
            .body(bytes);
        let request = request
            .build()
            .map_err(|error| Fault::unreachable("no request", error))?;
        match self.ask(request, size).await? {
            // The emulator's answer to a chunk does not say how far it is.
            Standing::At(0) if self.protocol == Protocol::Firebase => Ok(Standing::At(end)),
            standing => Ok(standing),
        }
    }

    async fn ask(&self, request: Request, size: u64) -> Result<Standing, Fault> {
        let response = self.client.once(request).await?;
        let text = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        match (response.status().as_u16(), self.protocol) {
            (200 | 201, Protocol::Json) => Ok(Standing::Done),
            (308, Protocol::Json) => {
                // Without a range nothing has arrived.
                let range = text("range");
                let last = range.as_deref().and_then(|range| range.rsplit_once('-'));
                let has = match last.map(|(_, last)| last.parse::<u64>()) {
                    Some(Ok(last)) => last + 1,
                    Some(Err(_)) => return Ok(Standing::Gone),
                    None => 0,
                };
                Ok(Standing::At(has.min(size)))
            }
            (200, Protocol::Firebase) => {
                let received = text("x-goog-upload-size-received");
                let status = text("x-goog-upload-status");
                match (status.as_deref(), received.map(|has| has.parse())) {
                    (Some("final" | "finished"), _) => Ok(Standing::Done),
                    (Some("cancelled"), _) => Ok(Standing::Gone),
                    (_, Some(Ok(has))) => Ok(Standing::At(has)),
                    (Some(_), None) => Ok(Standing::At(0)),
                    (None, None) => {
                        let text = "the answer does not say how far the upload is";
                        Err(Fault::Unreachable(text.into()))
                    }
                    (_, Some(Err(_))) => Ok(Standing::Gone),
                }
            }
            // 499: cancelled.
            (404 | 410 | 499, _) => Ok(Standing::Gone),
            _ => Err(fault_of(response).await),
        }
    }

    /// Tells the store that an upload will not be finished. It would forget it within a week anyway.
    async fn cancel(&self, session: &Session) {
        let http = self.client.http();
        let request = match self.protocol {
            Protocol::Json => http.delete(&session.address),
            Protocol::Firebase => http
                .post(&session.address)
                .header("x-goog-upload-command", "cancel"),
        };
        if let Ok(request) = request.header(header::CONTENT_LENGTH, 0).build() {
            let _ = self.client.once(request).await;
        }
    }
}

async fn load(path: &Path, name: &str) -> Result<Option<Session>, StoreError> {
    let path = Progress::path(path);
    let read = move || match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    blocking(name, read)
        .await?
        .map_err(|error| failed("read the progress of", name, error))
}

/// Returns when the disk has it.
async fn save(session: &Session, path: &Path, name: &str) -> Result<(), StoreError> {
    let path = Progress::path(path);
    let json =
        serde_json::to_vec(session).map_err(|error| failed("keep the progress of", name, error))?;
    blocking(name, move || durable::replace_file(&path, &json))
        .await?
        .map_err(|error| failed("keep the progress of", name, error))
}

/// Forgets the upload of a file.
pub async fn forget(path: &Path, name: &str) -> Result<(), StoreError> {
    let path = path.to_path_buf();
    blocking(name, move || Progress::remove(&path))
        .await?
        .map_err(|error| failed("finish the upload of", name, error))
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
