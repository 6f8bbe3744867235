use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::config::Data;

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the data folder {} cannot be {action}: {source}; check data.dir (TAPEDECK_DATA_DIR)", folder.display())]
pub struct DataFolderError {
    folder: PathBuf,
    action: &'static str,
    source: io::Error,
}

/// Makes sure that the data folder exists, readable by this user only when it is made here.
/// Returns its absolute path.
///
/// # Errors
/// It cannot be made, or it is no folder.
pub fn prepare(data: &Data) -> Result<PathBuf, DataFolderError> {
    let folder = Path::new(&data.dir);
    let failed = |action| {
        move |source| DataFolderError {
            folder: folder.to_owned(),
            action,
            source,
        }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("made"))?;
    folder.canonicalize().map_err(failed("found"))
}
