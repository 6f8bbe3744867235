//! What one kind of object store does in its own way.

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::signer::Signer;
use object_store::{Attributes, ObjectStore, Result};

/// A kind of object store.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What does the usual things.
    type Objects: ObjectStore + MultipartStore + Signer;

    /// What does the usual things.
    fn objects(&self) -> &Self::Objects;

    /// What fetches for as long as it takes.
    fn reading(&self) -> &Self::Objects;

    /// Begins an upload in parts of an object that will have these attributes.
    async fn begin(&self, location: &ObjectPath, attributes: &Attributes) -> Result<String>;

    /// Makes an object with the attributes of the beginning of the parts of an upload, unless one is
    /// there already.
    ///
    /// # Errors
    /// [`Precondition`](object_store::Error::Precondition) or
    /// [`AlreadyExists`](object_store::Error::AlreadyExists) when one is there.
    async fn complete(
        &self,
        location: &ObjectPath,
        upload: &str,
        parts: Vec<PartId>,
        attributes: &Attributes,
    ) -> Result<()>;

    /// Size of an object, and what the store itself knows of its content.
    async fn inspect(&self, location: &ObjectPath) -> Result<(u64, Option<Checksum>)>;

    /// Objects directly below `prefix`, which is empty or ends with a slash, with keys that could
    /// be ours. Others are left out.
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>>;

    /// Uploads in parts of this very object that were begun and neither finished nor aborted; none
    /// where the store removes them by itself.
    async fn unfinished(&self, location: &ObjectPath) -> Result<Vec<Unfinished>>;
}

/// What a store worked out from the bytes it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256 of the content, base64.
    Whole(String),
    /// SHA-256 of the SHA-256s of the parts, base64, and how many parts.
    OfParts(String, u64),
}

impl Checksum {
    /// As `x-amz-checksum-sha256` tells it.
    pub fn parse(text: &str) -> Self {
        match text.split_once('-') {
            Some((digest, parts)) => match parts.parse() {
                Ok(parts) => Self::OfParts(digest.into(), parts),
                Err(_) => Self::Whole(text.into()),
            },
            None => Self::Whole(text.into()),
        }
    }
}

/// An object as a list tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name below the prefix.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// A validator, without quotes.
    pub etag: String,
    /// Unix ms.
    pub modified_at: i64,
}

/// An upload in parts that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// As the store names it.
    pub upload: String,
    /// Unix ms.
    pub begun_at: i64,
}
