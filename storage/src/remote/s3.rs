//! S3 and what speaks like it: AWS, MinIO, R2 and others.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::RemoteStore;
use super::errors::Place;
use crate::StoreError;

/// How long a request may take, a part of an upload included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may be heard while an answer is awaited.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a bucket is, and who asks.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// Address of the server, `http` or `https`; empty for AWS.
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    /// Where recordings lie in the bucket, such as `recordings/`.
    pub prefix: String,
    /// Empty for AWS's usual sources: environment, web identity, container and instance roles.
    pub access_key: String,
    pub secret_key: String,
    /// Of temporary credentials; empty for none.
    pub session_token: String,
}

/// Opens a bucket. Nothing is asked of it yet.
///
/// # Errors
/// The settings do not make sense.
pub fn open_s3(settings: &S3Settings) -> Result<RemoteStore<AmazonS3>, StoreError> {
    let at = match settings.endpoint.as_str() {
        "" => format!("AWS, {}", settings.region),
        endpoint => endpoint.to_owned(),
    };
    let place = Place {
        description: format!("bucket {} at {at}", settings.bucket),
        credentials: "the keys (S3_ACCESS_KEY, S3_SECRET_KEY) and what they may do in the bucket",
        bucket: "that the bucket exists (S3_BUCKET)",
    };
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
        .with_client_options(
            ClientOptions::new()
                .with_allow_http(settings.endpoint.starts_with("http://"))
                .with_timeout(REQUEST_TIMEOUT)
                .with_connect_timeout(CONNECT_TIMEOUT)
                .with_read_timeout(READ_TIMEOUT),
        )
        // Whoever asks tries again for as long as it takes: here only short troubles are bridged.
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(5),
                base: 2.0,
            },
            max_retries: 3,
            retry_timeout: Duration::from_secs(30),
        });
    if !settings.region.is_empty() {
        builder = builder.with_region(&settings.region);
    }
    if !settings.endpoint.is_empty() {
        // Path style: servers of one's own seldom have a name for each bucket.
        builder = builder
            .with_endpoint(settings.endpoint.trim_end_matches('/'))
            .with_virtual_hosted_style_request(false);
    }
    if !settings.session_token.is_empty() {
        builder = builder.with_token(&settings.session_token);
    }
    let objects = builder.build().map_err(|error| StoreError::Failed {
        action: "open",
        name: place.description.clone(),
        detail: error.to_string(),
    })?;
    Ok(RemoteStore::new(objects, place, &settings.prefix))
}
