//! Waiting for something to become true, with a generous limit.

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks `probe` every 50 ms until it answers with a value.
///
/// # Panics
/// It does not within `limit`; the message names `what`.
pub async fn until<T, F, R>(what: &str, limit: Duration, mut probe: F) -> T
where
    F: FnMut() -> R,
    R: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
