//! A bucket.

use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpRequestBody};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{Attributes, Error, GetOptions, ObjectStore, PutMultipartOptions, Result};

use super::lists::{self, Marker};
use crate::remote::backend::{Backend, Checksum, Listed, Unfinished};
use crate::remote::errors::AnswerError;
use crate::remote::watched::AnswerHeaders;

/// How long a signature for a request of our own holds.
const SIGNATURE_VALID: Duration = Duration::from_secs(300);
/// How long is waited until such a request is sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// Clients of one bucket, which differ in what they ask along with each request.
pub struct Clients {
    /// Nothing.
    pub plain: AmazonS3,
    /// Nothing, and fetches for as long as it takes.
    pub reading: AmazonS3,
    /// That nothing may be there.
    pub completing: AmazonS3,
    /// What the store worked out from the bytes.
    pub inspecting: AmazonS3,
    /// For requests that are signed already.
    pub raw: HttpClient,
}

/// A bucket of S3 or what speaks like it.
pub struct S3(Clients);

impl S3 {
    pub(super) fn new(clients: Clients) -> Self {
        Self(clients)
    }

    /// The answer to a request about the bucket itself. Short troubles are bridged.
    async fn ask(&self, query: &[(&str, &str)]) -> Result<String> {
        for pause in PAUSES {
            match self.ask_once(query).await {
                Err(Error::Generic { .. }) => tokio::time::sleep(pause).await,
                result => return result,
            }
        }
        self.ask_once(query).await
    }

    async fn ask_once(&self, query: &[(&str, &str)]) -> Result<String> {
        let options = SignedUrlOptions::default().with_query(query.iter().copied());
        let bucket = ObjectPath::default();
        let client = &self.0.plain;
        let signed = client.signed_url_opts(Method::GET, &bucket, SIGNATURE_VALID, &options);
        let url = signed.await?;
        let request = http::Request::get(url.as_str())
            .body(HttpRequestBody::empty())
            .map_err(AnswerError::generic)?;
        let answer = self.0.raw.execute(request).await;
        let (parts, body) = answer.map_err(AnswerError::generic)?.into_parts();
        let text = body.bytes().await.map_err(AnswerError::generic)?;
        match parts.status {
            StatusCode::OK => Ok(String::from_utf8_lossy(&text).into_owned()),
            status => Err(AnswerError::new(status, &text).into()),
        }
    }
}

#[async_trait]
impl Backend for S3 {
    type Objects = AmazonS3;

    fn objects(&self) -> &AmazonS3 {
        &self.0.plain
    }

    fn reading(&self) -> &AmazonS3 {
        &self.0.reading
    }

    async fn begin(&self, location: &ObjectPath, attributes: &Attributes) -> Result<String> {
        let options = PutMultipartOptions {
            attributes: attributes.clone(),
            ..Default::default()
        };
        self.0.plain.create_multipart_opts(location, options).await
    }

    async fn complete(
        &self,
        location: &ObjectPath,
        upload: &str,
        parts: Vec<PartId>,
        _: &Attributes,
    ) -> Result<()> {
        let upload = upload.to_owned();
        let strict = &self.0.completing;
        match strict
            .complete_multipart(location, &upload, parts.clone())
            .await
        {
            // Some servers know no conditions. Whoever calls has looked beforehand.
            Err(error) if error.to_string().contains("NotImplemented") => {
                let completed = self.0.plain.complete_multipart(location, &upload, parts);
                completed.await.map(drop)
            }
            result => result.map(drop),
        }
    }

    async fn inspect(&self, location: &ObjectPath) -> Result<(u64, Option<Checksum>)> {
        let options = GetOptions {
            head: true,
            ..Default::default()
        };
        let found = self.0.inspecting.get_opts(location, options).await?;
        let headers = found.extensions.get::<AnswerHeaders>();
        let checksum = headers.and_then(|headers| headers.0.get("x-amz-checksum-sha256"));
        let checksum = checksum.and_then(|checksum| checksum.to_str().ok());
        Ok((found.meta.size, checksum.map(Checksum::parse)))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query = vec![
                ("list-type", "2"),
                ("delimiter", "/"),
                ("encoding-type", "url"),
                ("prefix", prefix),
            ];
            query.extend(next.as_deref().map(|next| ("continuation-token", next)));
            let page = lists::objects(&self.ask(&query).await?, prefix);
            let page = page.map_err(AnswerError::generic)?;
            found.extend(page.entries);
            match page.next {
                Some(token) => next = Some(token),
                None => return Ok(found),
            }
        }
    }

    async fn unfinished(&self, location: &ObjectPath) -> Result<Vec<Unfinished>> {
        let key = location.as_ref();
        let mut found = Vec::new();
        let mut next: Option<Marker> = None;
        loop {
            let mut query = vec![("uploads", ""), ("prefix", key)];
            if let Some(next) = &next {
                query.push(("key-marker", &next.key));
                query.push(("upload-id-marker", &next.upload));
            }
            let page = lists::uploads(&self.ask(&query).await?, key);
            let page = page.map_err(AnswerError::generic)?;
            found.extend(page.entries);
            match page.next {
                Some(marker) => next = Some(marker),
                None => return Ok(found),
            }
        }
    }
}
