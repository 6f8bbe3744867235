//! How a file gets into the store's folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tapedeck_failpoints::reached;

use crate::layout::{check_content, metadata_name};
use crate::{RecordingMetadata, StoreError, durable, hash};

/// Puts the file at `source` into `folder`, metadata first, the file's final name last: what can be
/// listed is complete.
pub fn put(folder: &Path, source: &Path, metadata: &RecordingMetadata) -> Result<(), StoreError> {
    let name = metadata.name.as_str();
    let failed = |error: io::Error| StoreError::Failed {
        action: "store",
        name: name.into(),
        detail: error.to_string(),
    };
    let target = folder.join(name);

    if target.try_exists().map_err(failed)? {
        let stored = hash::of_file(&target).map_err(failed)?;
        if stored != hash::of_file(source).map_err(failed)? {
            return Err(StoreError::Conflict(name.into()));
        }
        check_content(&stored, metadata)?;
        write_metadata(folder, metadata).map_err(failed)?;
        // Whoever put it there may have been stopped before the disk had its name.
        return durable::sync_folder(folder).map_err(failed);
    }

    let temporary = TemporaryFile::beside(&target, &metadata.id).map_err(failed)?;
    // A true copy: a second link would change with its source. The kernel shares the blocks where
    // the file system can.
    fs::copy(source, &temporary.0).map_err(failed)?;
    reached("upload.copied");
    File::open(&temporary.0)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    reached("upload.synced");
    check_content(&hash::of_file(&temporary.0).map_err(failed)?, metadata)?;
    write_metadata(folder, metadata).map_err(failed)?;
    reached("upload.described");
    match rename_new(&temporary.0, &target) {
        Ok(()) => reached("upload.renamed"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(StoreError::Conflict(name.into()));
        }
        Err(error) => return Err(failed(error)),
    }
    durable::sync_folder(folder).map_err(failed)?;
    reached("upload.done");
    Ok(())
}

fn write_metadata(folder: &Path, metadata: &RecordingMetadata) -> io::Result<()> {
    let path = folder.join(metadata_name(&metadata.name));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    durable::replace_file(&path, &serde_json::to_vec_pretty(metadata)?)
}

/// Renames without replacing. File systems that cannot promise that get the check beforehand only.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) if !to.try_exists()? => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        result => Ok(result?),
    }
}

/// Removed again unless it was renamed.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn beside(target: &Path, owner: &str) -> io::Result<Self> {
        let path = durable::temporary_path(target, owner)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self(path)),
        }
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
