//! S3 and what speaks like it: AWS, MinIO, R2 and others.

mod bucket;
mod lists;
mod settings;

pub use bucket::S3;
pub use settings::S3Settings;

use object_store::aws::{AmazonS3Builder, Checksum};

use self::bucket::Clients;
use super::RemoteStore;
use super::client;
use super::errors::Place;
use super::watched::WatchedConnector;
use crate::StoreError;

/// Opens a bucket. Nothing is asked of it yet.
///
/// # Errors
/// The settings do not make sense.
pub fn open_s3(settings: &S3Settings) -> Result<RemoteStore<S3>, StoreError> {
    let at = match settings.endpoint.as_str() {
        "" => format!("AWS, {}", settings.region),
        endpoint => endpoint.to_owned(),
    };
    let connector = WatchedConnector::default();
    let place = Place {
        description: format!("bucket {} at {at}", settings.bucket),
        credentials: match settings.access_key.is_empty() {
            true => {
                "what AWS's usual sources of credentials give (environment, web identity, \
                     container or instance role) and what it may do in the bucket"
            }
            false => "the keys (S3_ACCESS_KEY, S3_SECRET_KEY) and what they may do in the bucket",
        },
        bucket: "that the bucket exists (S3_BUCKET)",
        region: "the region (AWS_REGION) and the address (S3_ENDPOINT)",
        certificate: "s3.ca_file",
        clock: connector.clock.clone(),
    };
    let failed = |error: object_store::Error| StoreError::Failed {
        action: "open",
        name: place.description.clone(),
        detail: error.to_string(),
    };
    let certificates = client::certificates(settings.ca_file.as_deref(), &place)?;
    let build = |builder: AmazonS3Builder, options: object_store::ClientOptions| {
        let options = client::with_certificates(options, &certificates)
            .with_allow_http(settings.endpoint.starts_with("http://"));
        builder
            .with_client_options(options)
            .with_http_connector(connector.clone())
            .build()
            .map_err(failed)
    };
    let plain = build(builder(settings), client::writing())?;
    // The others ask with the same credentials: what a role gives is fetched once.
    let shared = || builder(settings).with_credentials(plain.credentials().clone());
    let reading = build(shared(), client::reading())?;
    let completing = client::header(client::writing(), "if-none-match", "*");
    let completing = build(shared(), completing)?;
    let inspecting = client::header(client::reading(), "x-amz-checksum-mode", "ENABLED");
    let inspecting = build(shared(), inspecting)?;
    let raw = object_store::client::HttpConnector::connect(
        &connector,
        &client::with_certificates(client::writing(), &certificates)
            .with_allow_http(settings.endpoint.starts_with("http://")),
    )
    .map_err(failed)?;
    let bucket = S3::new(Clients {
        plain,
        reading,
        completing,
        inspecting,
        raw,
    });
    RemoteStore::new(bucket, place, &settings.prefix)
}

fn builder(settings: &S3Settings) -> AmazonS3Builder {
    // Keys that are given must not meet a token of the environment.
    let builder = match settings.access_key.is_empty() {
        true => AmazonS3Builder::from_env(),
        false => AmazonS3Builder::new()
            .with_access_key_id(&settings.access_key)
            .with_secret_access_key(&settings.secret_key),
    };
    let mut builder = builder
        .with_bucket_name(&settings.bucket)
        .with_checksum_algorithm(Checksum::SHA256)
        .with_disable_bulk_delete(true)
        .with_retry(client::retries());
    if !settings.region.is_empty() {
        builder = builder.with_region(&settings.region);
    }
    // Path style for servers of one's own, which seldom have a name for each bucket.
    builder = match settings.endpoint.as_str() {
        "" => builder.with_virtual_hosted_style_request(true),
        endpoint => builder
            .with_endpoint(endpoint.trim_end_matches('/'))
            .with_virtual_hosted_style_request(false),
    };
    if !settings.session_token.is_empty() {
        builder = builder.with_token(&settings.session_token);
    }
    builder
}
