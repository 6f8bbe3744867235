//! Objects in a bucket of Google Cloud Storage, by its JSON API. Firebase's emulator speaks that
//! too, but for uploads.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use reqwest::{StatusCode, header};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::{Client, Fault, Service};
use super::encoding;
use crate::StoreError;
use crate::work::failed;

/// The most objects in one answer to a list.
const PAGE: &str = "1000";

/// A bucket.
pub struct Objects {
    /// Scheme and host.
    pub endpoint: String,
    pub bucket: String,
    pub service: Service,
}

/// What is told of an object, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// The whole key.
    pub name: String,
    /// Bytes, as a text.
    size: String,
    /// Changes with the content.
    #[serde(default)]
    pub generation: String,
    /// RFC 3339.
    #[serde(default)]
    updated: String,
    /// CRC32C of the content, big-endian, as base64.
    #[serde(default)]
    pub crc32c: Option<String>,
    #[serde(default)]
    metadata: serde_json::Map<String, serde_json::Value>,
}

impl Object {
    pub fn size(&self) -> u64 {
        self.size.parse().unwrap_or_default()
    }

    /// Unix ms.
    pub fn modified_at(&self) -> i64 {
        OffsetDateTime::parse(&self.updated, &Rfc3339)
            .map_or(0, |time| (time.unix_timestamp_nanos() / 1_000_000) as i64)
    }

    /// What we noted when we stored it.
    pub fn sha256(&self) -> Option<&str> {
        self.metadata.get("sha256")?.as_str()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Object>,
    next_page_token: Option<String>,
}

impl Objects {
    /// The address of an object's description.
    fn address(&self, key: &str) -> String {
        let (bucket, key) = (&self.bucket, encoding::segment(key));
        format!("{}/storage/v1/b/{bucket}/o/{key}", self.endpoint)
    }

    /// None when it is not there.
    pub async fn get(&self, client: &Client, key: &str) -> Result<Option<Object>, Fault> {
        let request = client.http().get(self.address(key));
        match client.send(request).await {
            Ok(response) => json(response).await.map(Some),
            Err(fault) if fault.is_status(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Gone already is success. With `generation`, only that content goes.
    pub async fn delete(
        &self,
        client: &Client,
        key: &str,
        generation: Option<&str>,
    ) -> Result<(), Fault> {
        let mut request = client.http().delete(self.address(key));
        if let Some(generation) = generation {
            request = request.query(&[("ifGenerationMatch", generation)]);
        }
        match client.send(request).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_status(404) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// What lies directly below `prefix`.
    pub async fn list(&self, client: &Client, prefix: &str) -> Result<Vec<Object>, Fault> {
        let address = format!("{}/storage/v1/b/{}/o", self.endpoint, self.bucket);
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut request = client.http().get(&address).query(&[
                ("prefix", prefix),
                ("delimiter", "/"),
                ("maxResults", PAGE),
            ]);
            if let Some(token) = &token {
                request = request.query(&[("pageToken", token)]);
            }
            let page: Page = json(client.send(request).await?).await?;
            found.extend(page.items);
            match page.next_page_token.filter(|token| !token.is_empty()) {
                Some(next) => token = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// The whole of a small object; none when it is not there.
    pub async fn content(&self, client: &Client, key: &str) -> Result<Option<Bytes>, Fault> {
        let request = client.http().get(self.address(key));
        match client.send(request.query(&[("alt", "media")])).await {
            Ok(response) => match response.bytes().await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => Err(Fault::unreachable("the answer was cut", error)),
            },
            Err(fault) if fault.is_status(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The bytes of a range that is not empty; `name` is for errors.
    pub async fn read(
        &self,
        client: &Client,
        key: &str,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let request = client
            .http()
            .get(self.address(key))
            .query(&[("alt", "media")])
            .header(
                header::RANGE,
                format!("bytes={}-{}", range.start, range.end - 1),
            );
        let response = match client.send(request).await {
            Ok(response) => response,
            Err(fault) if fault.is_status(404) => return Err(StoreError::NotFound(name.into())),
            Err(fault) => return Err(self.service.error("read", name, fault)),
        };
        let told = response.headers().get(header::CONTENT_RANGE);
        let told = told.and_then(|told| told.to_str().ok());
        let wanted = format!("bytes {}-{}/", range.start, range.end - 1);
        if response.status() != StatusCode::PARTIAL_CONTENT
            || !told.is_some_and(|told| told.starts_with(&wanted))
        {
            let detail = format!(
                "it has other bytes than {wanted}: {}",
                told.unwrap_or("none")
            );
            return Err(failed("read", name, detail));
        }
        let (service, name) = (self.service.clone(), name.to_owned());
        let bytes = response.bytes_stream();
        Ok(bytes
            .map(move |chunk| {
                chunk.map_err(|error| {
                    let fault = Fault::unreachable("the answer was cut", error);
                    service.error("read", &name, fault)
                })
            })
            .boxed())
    }
}

/// Reads an answer.
pub async fn json<T: serde::de::DeserializeOwned>(response: reqwest::Response) -> Result<T, Fault> {
    let bytes = response
        .bytes()
        .await
        .map_err(|error| Fault::unreachable("the answer was cut", error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Fault::Unreachable(format!("the answer is not understood: {error}")))
}
