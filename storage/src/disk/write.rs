//! How a file gets into the store's folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tapedeck_failpoints::reached;

use crate::layout::{check_content, metadata_name};
use crate::{RecordingMetadata, StoreError, durable, hash};

/// Bytes that are copied before it is looked again whether anybody waits for them.
const COPIED_AT_ONCE: u64 = 64 << 20;

/// Held while a file gets its name.
#[derive(Clone, Debug, Default)]
pub struct Naming(Arc<Mutex<()>>);

impl Naming {
    /// Waits until it is free. A file for which nobody waits any more gets no name afterwards.
    pub fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a file is still to get its name: a thread that copies cannot be stopped from outside.
pub struct Wanted {
    /// Held by whoever waits for the file.
    pub by: Weak<()>,
    pub naming: Naming,
}

impl Wanted {
    fn check(&self) -> io::Result<()> {
        match self.by.strong_count() {
            0 => Err(io::Error::other("it was called off")),
            _ => Ok(()),
        }
    }

    /// The right to give it its name.
    fn naming(&self) -> io::Result<MutexGuard<'_, ()>> {
        let naming = self.naming.hold();
        self.check().map(|()| naming)
    }
}

/// Puts the file at `source` into `folder` as long as it is wanted there, metadata first, the file's
/// final name last: what can be listed is complete.
pub fn put(
    folder: &Path,
    source: &Path,
    metadata: &RecordingMetadata,
    wanted: &Wanted,
) -> Result<(), StoreError> {
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
        let _naming = wanted.naming().map_err(failed)?;
        write_metadata(folder, metadata).map_err(failed)?;
        // Whoever put it there may have been stopped before the disk had its name.
        return durable::sync_folder(folder).map_err(failed);
    }

    let temporary = TemporaryFile::beside(&target, &metadata.id).map_err(failed)?;
    copy(source, &temporary.0, wanted).map_err(failed)?;
    reached("upload.copied");
    File::open(&temporary.0)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    reached("upload.synced");
    check_content(&hash::of_file(&temporary.0).map_err(failed)?, metadata)?;
    let _naming = wanted.naming().map_err(failed)?;
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

/// A true copy: a second link would change with its source. The kernel shares the blocks where the
/// file system can.
fn copy(source: &Path, target: &Path, wanted: &Wanted) -> io::Result<()> {
    let (source, mut target) = (File::open(source)?, File::create_new(target)?);
    target.set_permissions(source.metadata()?.permissions())?;
    loop {
        wanted.check()?;
        if io::copy(&mut (&source).take(COPIED_AT_ONCE), &mut target)? == 0 {
            return Ok(());
        }
    }
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
