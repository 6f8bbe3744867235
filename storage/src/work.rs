//! Work that waits for the disk, and how it fails.

use crate::StoreError;

/// Runs `work` where it may wait for the disk.
pub async fn blocking<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| failed("finish work on", name, error))
}

/// An error that another try may not meet.
pub fn failed(action: &'static str, name: &str, detail: impl ToString) -> StoreError {
    StoreError::Failed {
        action,
        name: name.into(),
        detail: detail.to_string(),
    }
}
