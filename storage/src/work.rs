//! Work that waits for the disk, and how it fails.

use std::io;
use std::path::Path;

use crate::hash::Content;
use crate::layout::{check_content, check_name};
use crate::{RecordingMetadata, StoreError};

/// Runs `work` where it may wait for the disk.
pub async fn blocking<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| failed("finish work on", name, error))
}

/// Looks a file over before it is sent to an object store: its name can be one there, and it is what
/// its metadata says.
pub async fn examined<C: Content + Send + 'static>(
    path: &Path,
    metadata: &RecordingMetadata,
    digest: impl FnOnce(&Path) -> io::Result<C> + Send + 'static,
) -> Result<C, StoreError> {
    let name = metadata.name.as_str();
    check_name(name).map_err(|detail| failed("take", name, detail))?;
    let source = path.to_path_buf();
    let content = blocking(name, move || digest(&source))
        .await?
        .map_err(|error| failed("read", name, error))?;
    check_content(&(content.size(), content.sha256()), metadata)?;
    Ok(content)
}

/// An error that another try may not meet.
pub fn failed(action: &'static str, name: &str, detail: impl ToString) -> StoreError {
    StoreError::Failed {
        action,
        name: name.into(),
        detail: detail.to_string(),
    }
}
