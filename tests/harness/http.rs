//! The HTTP client of the tests.

use std::sync::Once;
use std::time::Duration;

/// A client that waits up to 60 s for an answer.
///
/// # Panics
/// The client cannot be made.
pub fn client() -> reqwest::Client {
    install_crypto();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        // Before the server closes it: a request on its way then is not answered.
        .pool_idle_timeout(Duration::from_secs(3))
        .no_proxy()
        .build()
        .expect("an HTTP client")
}

/// Chooses the TLS back end of this process, once.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}
