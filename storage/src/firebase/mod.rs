//! Recordings in Firebase: files in a bucket of Google Cloud Storage, descriptions in Firestore.

mod account;
mod client;
mod description;
mod documents;
mod encoding;
mod objects;
mod settings;
mod signed_url;
mod tokens;
mod upload;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

pub use self::account::AccountError;
pub use self::description::{channel_name, channel_parts, utc_text};
pub use self::settings::{FirebaseEmulator, FirebaseSettings, FirebaseUrls, open_firebase};

use self::account::ServiceAccount;
use self::client::{Client, Fault};
use self::description::Spec;
use self::documents::{Document, Documents};
use self::objects::{Object, Objects};
use self::upload::{File, Protocol, Uploads};
use crate::catalogue::Catalogue;
use crate::hash::{self, Content};
use crate::layout::{METADATA_FOLDER, check_name, content_type, metadata_name};
use crate::work::{blocking, examined, failed};
use crate::{
    Probe, RecordingMetadata, RecordingStore, StoreError, Stored, StoredObject, UploadProgress,
};

/// Metadata objects that are read at the same time for a list.
const READS_AT_ONCE: usize = 16;

/// How the address of a recording is made.
enum Addresses {
    /// Valid for a time, for whoever has it.
    Signed(Box<ServiceAccount>),
    /// The bucket is open to everybody.
    Public,
    Emulator,
}

/// Recordings as `PREFIX/NAME`, their metadata as `PREFIX/.metadata/NAME.json`, each with a document
/// in Firestore's collection `recordings`.
pub struct FirebaseStore {
    client: Client,
    objects: Objects,
    documents: Documents,
    protocol: Protocol,
    addresses: Addresses,
    /// Empty, or with a slash at its end.
    prefix: String,
    place: String,
    catalogue: Catalogue,
}

/// Size and checksums of a file.
struct Digests {
    size: u64,
    /// Lower-case hexadecimal.
    sha256: String,
    /// As the store writes it.
    crc32c: String,
}

impl Digests {
    fn of_file(path: &Path) -> std::io::Result<Self> {
        let (mut sha256, mut crc32c) = (Sha256::new(), 0);
        let size = hash::read_all(path, |chunk| {
            sha256.update(chunk);
            crc32c = crc32c::crc32c_append(crc32c, chunk);
        })?;
        Ok(Self {
            size,
            sha256: hash::hex(&sha256.finalize()),
            crc32c: STANDARD.encode(crc32c.to_be_bytes()),
        })
    }
}

impl Content for Digests {
    fn size(&self) -> u64 {
        self.size
    }

    fn sha256(&self) -> String {
        self.sha256.clone()
    }
}

impl FirebaseStore {
    /// The key of a recording; a name that cannot be one is not in the store.
    fn key(&self, name: &str) -> Result<String, StoreError> {
        check_name(name).map_err(|_| StoreError::NotFound(name.into()))?;
        Ok(format!("{}{name}", self.prefix))
    }

    fn metadata_key(&self, name: &str) -> String {
        format!("{}{}", self.prefix, metadata_name(name))
    }

    fn uploads(&self) -> Uploads<'_> {
        Uploads {
            client: &self.client,
            objects: &self.objects,
            protocol: self.protocol,
        }
    }

    async fn object(&self, name: &str) -> Result<Option<Object>, StoreError> {
        let found = self.objects.get(&self.client, &self.key(name)?).await;
        found.map_err(|fault| self.objects.service.error("look up", name, fault))
    }

    /// Whether an object has this content.
    async fn is(&self, object: &Object, digests: &Digests, name: &str) -> Result<bool, StoreError> {
        if object.size() != digests.size {
            return Ok(false);
        }
        let checksum = object.crc32c.as_deref();
        if checksum.is_some_and(|checksum| checksum != digests.crc32c) {
            return Ok(false);
        }
        match (object.sha256(), checksum) {
            (Some(noted), Some(_)) => Ok(noted == digests.sha256),
            // Somebody else put it there.
            _ => Ok(self.hash_of(name, digests.size).await? == digests.sha256),
        }
    }

    /// SHA-256 of what is stored, lower-case hexadecimal.
    async fn hash_of(&self, name: &str, size: u64) -> Result<String, StoreError> {
        hash::of_stream(self.read(name, 0..size).await?).await
    }

    /// Sends what is not there, and sees that it arrived.
    async fn deliver(
        &self,
        path: &Path,
        name: &str,
        digests: &Digests,
        progress: &UploadProgress,
    ) -> Result<(), StoreError> {
        if let Some(object) = self.object(name).await? {
            return match self.is(&object, digests, name).await? {
                true => upload::forget(path, name).await,
                false => Err(StoreError::Conflict(name.into())),
            };
        }
        let file = File {
            path,
            name,
            size: digests.size,
            sha256: &digests.sha256,
            crc32c: &digests.crc32c,
            content_type: content_type(name),
        };
        let key = self.key(name)?;
        self.uploads().send(&key, file, progress).await?;
        // What a store, or a proxy before it, says is not yet what it has.
        upload::forget(path, name).await?;
        let Some(object) = self.object(name).await? else {
            let detail = "it does not have what was sent, the next try begins anew";
            return Err(failed("store", name, detail));
        };
        if self.is(&object, digests, name).await? {
            return Ok(());
        }
        // Without what we noted there, another was faster with a file of its own.
        if object.sha256() != Some(&digests.sha256) {
            return Err(StoreError::Conflict(name.into()));
        }
        let generation = Some(object.generation.as_str()).filter(|text| !text.is_empty());
        let removed = self.objects.delete(&self.client, &key, generation).await;
        removed.map_err(|fault| self.objects.service.error("take back", name, fault))?;
        Err(StoreError::Integrity {
            name: name.into(),
            detail: "the store had other content than was sent".into(),
        })
    }

    async fn describe(&self, metadata: &RecordingMetadata) -> Result<(), StoreError> {
        let name = metadata.name.as_str();
        let json =
            serde_json::to_vec_pretty(metadata).map_err(|error| failed("describe", name, error))?;
        let key = self.metadata_key(name);
        let uploads = self.uploads();
        let stored = uploads.put_small(&key, json.into(), "application/json");
        stored
            .await
            .map_err(|fault| self.objects.service.error("describe", name, fault))
    }

    /// Writes the document of a recording once, and returns its id.
    async fn document(
        &self,
        path: &Path,
        metadata: &RecordingMetadata,
        url: &str,
    ) -> Result<String, StoreError> {
        let name = metadata.name.as_str();
        let error = |fault| self.documents.service.error("describe", name, fault);
        let source = path.to_path_buf();
        let spec = blocking(name, move || Spec::of_file(&source))
            .await?
            .map_err(|error| failed("read", name, error))?;
        let id = description::document_id(metadata);
        let mut fields = description::fields(metadata, url, spec, OffsetDateTime::now_utc());
        let (client, documents) = (&self.client, &self.documents);
        if documents
            .create(client, &id, &fields)
            .await
            .map_err(error)?
        {
            return Ok(id);
        }
        if let Some(earlier) = documents.get(client, &id).await.map_err(error)? {
            if description::say_the_same(&earlier.fields, &fields) {
                return Ok(id);
            }
            description::keep_creation(&mut fields, &earlier.fields);
        }
        documents
            .replace(client, &id, &fields)
            .await
            .map_err(error)?;
        Ok(id)
    }

    /// Where whoever may read an object finds it.
    fn address(&self, name: &str, valid: Duration) -> Result<String, StoreError> {
        let Objects {
            endpoint, bucket, ..
        } = &self.objects;
        let key = self.key(name)?;
        match &self.addresses {
            Addresses::Public => Ok(format!("{endpoint}/{bucket}/{}", encoding::path(&key))),
            Addresses::Emulator => {
                let key = encoding::segment(&key);
                Ok(format!("{endpoint}/v0/b/{bucket}/o/{key}?alt=media"))
            }
            Addresses::Signed(account) => {
                let now = OffsetDateTime::now_utc();
                signed_url::sign(account, endpoint, bucket, &key, valid, now)
                    .map_err(|error| failed("sign an address of", name, error))
            }
        }
    }

    /// Metadata of ours about one of these objects, by the object's name.
    async fn described(
        &self,
        objects: &[(String, Object)],
    ) -> Result<HashMap<String, RecordingMetadata>, StoreError> {
        let folder = format!("{}{METADATA_FOLDER}/", self.prefix);
        let found = self.objects.list(&self.client, &folder).await;
        let found = found.map_err(|fault| self.objects.service.error("list", "metadata", fault))?;
        let found: HashMap<String, Object> = found
            .into_iter()
            .map(|object| (object.name.clone(), object))
            .collect();
        let there: HashSet<&str> = objects.iter().map(|(_, o)| o.name.as_str()).collect();
        self.catalogue
            .keep(|path| found.contains_key(path) || there.contains(path));
        let known: Vec<(String, Object)> = objects
            .iter()
            .filter_map(|(name, _)| {
                let object = found.get(&self.metadata_key(name))?;
                Some((name.clone(), object.clone()))
            })
            .collect();
        let reads = known.into_iter().map(|(name, object)| async move {
            let metadata = self.metadata(&name, &object).await?;
            Ok(metadata.map(|metadata| (name, metadata)))
        });
        stream::iter(reads)
            .buffer_unordered(READS_AT_ONCE)
            .try_filter_map(|entry| async { Ok(entry) })
            .try_collect()
            .await
    }

    async fn metadata(
        &self,
        name: &str,
        object: &Object,
    ) -> Result<Option<RecordingMetadata>, StoreError> {
        if let Some(known) = self.catalogue.known(&object.name, &object.generation) {
            return Ok(known);
        }
        let content = self.objects.content(&self.client, &object.name).await;
        let content = content.map_err(|fault| {
            self.objects
                .service
                .error("read the metadata of", name, fault)
        })?;
        let Some(content) = content else {
            return Ok(None);
        };
        let (path, generation) = (&object.name, &object.generation);
        Ok(self.catalogue.read(path, generation, &content))
    }

    /// What is known of objects without metadata of ours. Firestore is asked about those only that
    /// nobody has described yet: each document that it reads costs.
    async fn of_others(
        &self,
        objects: &[&(String, Object)],
    ) -> Result<Vec<RecordingMetadata>, StoreError> {
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for entry in objects {
            match self.catalogue.known(&entry.1.name, &entry.1.generation) {
                Some(metadata) => known.extend(metadata),
                None => unknown.push(*entry),
            }
        }
        let names: Vec<&str> = unknown.iter().map(|(name, _)| name.as_str()).collect();
        let documents = self.about("list", &names).await?;
        let by_name: HashMap<&str, &Document> = documents
            .iter()
            .filter_map(|document| Some((description::file_name(&document.fields)?, document)))
            .collect();
        for (name, object) in unknown {
            let document = by_name.get(name.as_str()).map(|document| &document.fields);
            let Some(metadata) = description::of_others(name, object, document) else {
                continue;
            };
            if document.is_some() {
                let (path, generation) = (&object.name, &object.generation);
                let learnt = Some(metadata.clone());
                self.catalogue.learn(path, generation, learnt);
            }
            known.push(metadata);
        }
        Ok(known)
    }

    async fn about(
        &self,
        action: &'static str,
        names: &[&str],
    ) -> Result<Vec<Document>, StoreError> {
        let found = self.documents.about(&self.client, names).await;
        let name = names.first().copied().unwrap_or_default();
        found.map_err(|fault| self.documents.service.error(action, name, fault))
    }
}

#[async_trait]
impl RecordingStore for FirebaseStore {
    fn place(&self) -> &str {
        &self.place
    }

    async fn put(
        &self,
        path: &Path,
        metadata: &RecordingMetadata,
        progress: &UploadProgress,
    ) -> Result<Stored, StoreError> {
        let name = metadata.name.as_str();
        let digests = examined(path, metadata, Digests::of_file).await?;
        self.deliver(path, name, &digests, progress).await?;
        tapedeck_failpoints::reached("upload.copied");
        self.describe(metadata).await?;
        tapedeck_failpoints::reached("upload.described");
        let url = self.address(name, signed_url::LONGEST)?;
        // A further file is told of by its main one.
        let document = match metadata.part_of {
            Some(_) => None,
            None => Some(self.document(path, metadata, &url).await?),
        };
        tapedeck_failpoints::reached("upload.done");
        progress.set(digests.size);
        Ok(Stored {
            path: self.key(name)?,
            size: digests.size,
            url: Some(url),
            document,
        })
    }

    async fn give_up(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        self.uploads().give_up(path, name).await
    }

    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError> {
        let found = self.objects.list(&self.client, &self.prefix).await;
        let found =
            found.map_err(|fault| self.objects.service.error("list", "recordings", fault))?;
        let objects: Vec<(String, Object)> = found
            .into_iter()
            .filter_map(|object| {
                let name = object.name.strip_prefix(&self.prefix)?.to_owned();
                check_name(&name).is_ok().then_some((name, object))
            })
            .collect();
        let described = self.described(&objects).await?;
        let others: Vec<&(String, Object)> = objects
            .iter()
            .filter(|(name, _)| !described.contains_key(name))
            .collect();
        let mut recordings = self.of_others(&others).await?;
        recordings.extend(
            described
                .into_iter()
                .map(|(name, metadata)| RecordingMetadata { name, ..metadata }),
        );
        Ok(recordings)
    }

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError> {
        let object = self.object(name).await?;
        let object = object.ok_or_else(|| StoreError::NotFound(name.into()))?;
        Ok(StoredObject {
            size: object.size(),
            modified_at: object.modified_at(),
            etag: object.generation,
        })
    }

    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        if range.is_empty() {
            self.head(name).await?;
            return Ok(stream::empty().boxed());
        }
        let key = self.key(name)?;
        self.objects.read(&self.client, &key, name, range).await
    }

    async fn url(&self, name: &str, valid: Duration) -> Result<Option<String>, StoreError> {
        self.address(name, valid).map(Some)
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let Ok(key) = self.key(name) else {
            return Ok(());
        };
        // As long as the file is there, the recording is listed, and can be deleted again.
        let documents = self.about("delete", &[name]).await?;
        for document in documents {
            let deleted = self.documents.delete(&self.client, &document).await;
            deleted.map_err(|fault| self.documents.service.error("delete", name, fault))?;
        }
        for key in [key, self.metadata_key(name)] {
            let deleted = self.objects.delete(&self.client, &key, None).await;
            deleted.map_err(|fault| self.objects.service.error("delete", name, fault))?;
            tapedeck_failpoints::reached("delete.removed");
        }
        Ok(())
    }

    async fn probe(&self) -> Result<Probe, StoreError> {
        let begun = Instant::now();
        let service = &self.objects.service;
        let error = |fault| service.error("try", "the bucket", fault);
        let key = format!("{}.probe-{}", self.prefix, std::process::id());
        let content = Bytes::from_static(b"probe");
        let uploads = self.uploads();
        uploads
            .put_small(&key, content.clone(), "text/plain")
            .await
            .map_err(error)?;
        let read = self.objects.content(&self.client, &key).await;
        let read = read.map_err(error)?;
        self.objects
            .delete(&self.client, &key, None)
            .await
            .map_err(error)?;
        if read != Some(content) {
            let fault = Fault::Unreachable("what was written was not read back".into());
            return Err(error(fault));
        }
        let tried = self.documents.probe(&self.client).await;
        tried.map_err(|fault| self.documents.service.error("try", "Firestore", fault))?;
        Ok(Probe {
            took: begun.elapsed(),
            clock_ahead_ms: self.client.clock_ahead_ms(),
        })
    }
}
