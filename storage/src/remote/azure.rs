//! Azure Blob Storage.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Method, StatusCode, header};
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector, HttpRequestBody};
use object_store::multipart::PartId;
use object_store::path::Path as ObjectPath;
use object_store::signer::Signer;
use object_store::{Attribute, Attributes, ObjectMeta, ObjectStore, ObjectStoreExt, Result};

use super::RemoteStore;
use super::backend::{Backend, Checksum, Listed, Unfinished};
use super::client;
use super::errors::{AnswerError, Place};
use super::watched::WatchedConnector;
use crate::StoreError;

/// How long a signature for a request of our own holds.
const SIGNATURE_VALID: Duration = Duration::from_secs(300);
/// The version of the protocol in which a request of our own is written.
const VERSION: &str = "2021-12-02";

/// Where a container is, and who asks.
#[derive(Clone, Default)]
pub struct AzureSettings {
    /// Address of the account, `http` or `https`; empty for Azure's.
    pub endpoint: String,
    pub account: String,
    pub container: String,
    /// Where recordings lie in the container, such as `recordings/`.
    pub prefix: String,
    /// Base64. Empty for Azure's usual sources: environment, workload identity, managed identity.
    pub account_key: String,
}

/// Opens a container. Nothing is asked of it yet.
///
/// # Errors
/// The settings do not make sense.
pub fn open_azure(settings: &AzureSettings) -> Result<RemoteStore<Azure>, StoreError> {
    let at = match settings.endpoint.as_str() {
        "" => "Azure".to_owned(),
        endpoint => endpoint.to_owned(),
    };
    let (account, container) = (&settings.account, &settings.container);
    let connector = WatchedConnector::default();
    let place = Place {
        description: format!("container {container} of {account} at {at}"),
        credentials: "the account and its key (AZURE_ACCOUNT_NAME, AZURE_ACCOUNT_KEY)",
        bucket: "that the container exists (AZURE_CONTAINER_NAME)",
        region: "the address (AZURE_ENDPOINT)",
        certificate: "the system's certificates",
        clock: connector.clock.clone(),
    };
    let failed = |error: object_store::Error| StoreError::Failed {
        action: "open",
        name: place.description.clone(),
        detail: error.to_string(),
    };
    let allow_http = settings.endpoint.starts_with("http://");
    let build = |options: object_store::ClientOptions| {
        builder(settings)
            .with_client_options(options.with_allow_http(allow_http))
            .with_http_connector(connector.clone())
            .build()
            .map_err(failed)
    };
    let raw = connector.connect(&client::writing().with_allow_http(allow_http));
    let container = Azure {
        plain: build(client::writing())?,
        reading: build(client::reading())?,
        raw: raw.map_err(failed)?,
    };
    RemoteStore::new(container, place, &settings.prefix)
}

fn builder(settings: &AzureSettings) -> MicrosoftAzureBuilder {
    let builder = match settings.account_key.is_empty() {
        true => MicrosoftAzureBuilder::from_env(),
        false => MicrosoftAzureBuilder::new().with_access_key(&settings.account_key),
    };
    let builder = builder
        .with_account(&settings.account)
        .with_container_name(&settings.container)
        .with_retry(client::retries());
    match settings.endpoint.as_str() {
        "" => builder,
        endpoint => builder.with_endpoint(endpoint.trim_end_matches('/').to_owned()),
    }
}

/// A container of Azure Blob Storage. What was sent of a blob waits at the blob's own name, without
/// an id, and Azure removes it after a week.
pub struct Azure {
    plain: MicrosoftAzure,
    /// Fetches for as long as it takes.
    reading: MicrosoftAzure,
    /// For requests that are signed already.
    raw: HttpClient,
}

#[async_trait]
impl Backend for Azure {
    type Objects = MicrosoftAzure;

    fn objects(&self) -> &MicrosoftAzure {
        &self.plain
    }

    fn reading(&self) -> &MicrosoftAzure {
        &self.reading
    }

    async fn begin(&self, _: &ObjectPath, _: &Attributes) -> Result<String> {
        Ok(String::new())
    }

    /// `object_store` would replace a blob that is there, and gives it no attributes.
    /// <https://learn.microsoft.com/rest/api/storageservices/put-block-list>
    async fn complete(
        &self,
        location: &ObjectPath,
        _: &str,
        parts: Vec<PartId>,
        attributes: &Attributes,
    ) -> Result<()> {
        let signed = self
            .plain
            .signed_url(Method::PUT, location, SIGNATURE_VALID);
        let mut url = signed.await?;
        url.query_pairs_mut().append_pair("comp", "blocklist");
        let blocks: String = parts
            .iter()
            .map(|part| {
                let id = BASE64_STANDARD.encode(&part.content_id);
                format!("<Uncommitted>{id}</Uncommitted>")
            })
            .collect();
        let body = format!("<BlockList>{blocks}</BlockList>");
        let mut request = http::Request::put(url.as_str())
            .header(header::IF_NONE_MATCH, "*")
            .header(header::CONTENT_LENGTH, body.len())
            .header("x-ms-version", VERSION);
        for (attribute, value) in attributes {
            request = match attribute {
                Attribute::ContentType => request.header("x-ms-blob-content-type", value.as_ref()),
                Attribute::Metadata(name) => {
                    request.header(format!("x-ms-meta-{name}"), value.as_ref())
                }
                _ => request,
            };
        }
        let request = request
            .body(HttpRequestBody::from(body.into_bytes()))
            .map_err(AnswerError::generic)?;
        let answer = self.raw.execute(request).await;
        let (answer, body) = answer.map_err(AnswerError::generic)?.into_parts();
        let text = body.bytes().await.map_err(AnswerError::generic)?;
        match answer.status {
            StatusCode::CREATED => Ok(()),
            status => Err(AnswerError::new(status, &text).into()),
        }
    }

    /// Azure knows no checksum of a blob that was sent in parts.
    async fn inspect(&self, location: &ObjectPath) -> Result<(u64, Option<Checksum>)> {
        Ok((self.plain.head(location).await?.size, None))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let folder = ObjectPath::parse(prefix)?;
        let found = self.plain.list_with_delimiter(Some(&folder)).await?;
        let listed = |object: ObjectMeta| {
            let name = object.location.filename()?.to_owned();
            Some(Listed {
                name,
                size: object.size,
                etag: object
                    .e_tag
                    .unwrap_or_default()
                    .trim_matches('"')
                    .to_owned(),
                modified_at: object.last_modified.timestamp_millis(),
            })
        };
        Ok(found.objects.into_iter().filter_map(listed).collect())
    }

    async fn unfinished(&self, _: &ObjectPath) -> Result<Vec<Unfinished>> {
        Ok(Vec::new())
    }
}
