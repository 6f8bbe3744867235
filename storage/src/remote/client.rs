//! How stores are asked: how long an answer may take, how often is asked again, whom to trust.

use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

use super::errors::Place;
use crate::StoreError;

/// How long a request may take, a part of an upload included: four parts of 8 MiB at once arrive in
/// time at 1 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may be heard while something is read.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// For requests that send. Their answers come after the last byte, however slow the line.
pub fn writing() -> ClientOptions {
    ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
}

/// For requests that fetch. Whoever watches a long recording takes as long as they like.
pub fn reading() -> ClientOptions {
    ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT)
}

/// With a header for each request.
pub fn header(options: ClientOptions, name: &'static str, value: &'static str) -> ClientOptions {
    let (name, value) = (
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    );
    options.with_default_headers(HeaderMap::from_iter([(name, value)]))
}

/// Whoever asks tries again for as long as it takes: here only short troubles are bridged.
pub fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(30),
    }
}

/// The certificates in a PEM file.
///
/// # Errors
/// It cannot be read or holds none.
pub fn certificates(file: Option<&Path>, place: &Place) -> Result<Vec<Certificate>, StoreError> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let failed = |detail: String| StoreError::Refused {
        action: "open",
        name: place.description.clone(),
        detail: format!("{}: {detail}; check {}", file.display(), place.certificate),
    };
    let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
    match found.is_empty() {
        true => Err(failed("it holds no certificate".into())),
        false => Ok(found),
    }
}

/// Trusts these besides the system's.
pub fn with_certificates(options: ClientOptions, certificates: &[Certificate]) -> ClientOptions {
    let add = |options: ClientOptions, certificate: &Certificate| {
        options.with_root_certificate(certificate.clone())
    };
    certificates.iter().fold(options, add)
}
