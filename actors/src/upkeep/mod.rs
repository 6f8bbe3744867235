//! The data folder looked at from outside: what belongs to no recording, what is damaged, and how
//! it is put in order. For commands beside the server; only the survey is also its own.

mod adopt;
mod check;
mod repair;
mod survey;

pub use adopt::{AdoptError, AdoptSettings};
pub use check::{CheckReport, Finding};
pub(crate) use survey::size;
pub use survey::{Orphan, OrphanKind, Survey, Unfinished};

use std::io;
use std::path::{Path, PathBuf};

use crate::folder::DataFolder;
use crate::lock::{FolderHolder, FolderLock, LockError};
use crate::state::Manifests;

/// A data folder and the folder of finished recordings.
#[derive(Clone, Debug)]
pub struct Upkeep {
    folder: DataFolder,
    manifests: Manifests,
    /// The store's folder, if one is or was on this machine.
    store: Option<StoreFolder>,
}

/// A folder of finished recordings.
#[derive(Clone, Debug)]
pub struct StoreFolder {
    /// Absolute.
    pub path: PathBuf,
    /// Whether all that is delivered is there: no recording goes, or went, elsewhere.
    pub has_all: bool,
}

impl Upkeep {
    /// Looks at the data folder `data_dir`, whose finished recordings are in `store`. Nothing is made
    /// or changed.
    pub fn new(data_dir: &Path, store: Option<StoreFolder>) -> Self {
        Self::of(DataFolder::at(data_dir), store)
    }

    pub(crate) fn of(folder: DataFolder, store: Option<StoreFolder>) -> Self {
        Self {
            manifests: Manifests::new(folder.clone()),
            folder,
            store,
        }
    }

    /// The server that uses the folder; the inner `None` is one that did not say who it is.
    ///
    /// # Errors
    /// The lock cannot be looked at.
    pub fn server(&self) -> io::Result<Option<Option<FolderHolder>>> {
        self.folder.holder()
    }

    /// The room on the disk of the data folder; `needed_bytes` shall be free.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn space(&self, needed_bytes: u64) -> io::Result<crate::DiskSpace> {
        self.folder.space(needed_bytes)
    }

    /// The recordings that are delivered.
    ///
    /// # Errors
    /// The folder of folders cannot be read.
    pub fn delivered(&self) -> io::Result<Vec<crate::Manifest>> {
        let mut all = self.manifests.read_all()?;
        all.retain(crate::Manifest::is_delivered);
        Ok(all)
    }

    /// The work folder of a recording.
    pub fn work(&self, id: &str) -> PathBuf {
        self.folder.work(id)
    }

    /// The manifest of a recording.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn manifest(&self, id: &str) -> io::Result<crate::Manifest> {
        self.manifests.read(id)
    }

    /// Keeps servers away while something is changed.
    fn lock(&self) -> Result<FolderLock, LockError> {
        self.folder.lock("")
    }
}

#[cfg(test)]
mod tests {
    use tapedeck_pipelines::control::OutputFile;

    use super::*;
    use crate::fixtures::manifest;
    use crate::{Manifest, RecordingState};

    #[test]
    fn what_is_in_a_bucket_is_not_looked_for_in_the_folder_of_earlier_settings() {
        let data = tempfile::tempdir().unwrap();
        let folder = DataFolder::prepare(data.path()).unwrap();
        let recordings = data.path().join("recordings");
        std::fs::create_dir(&recordings).unwrap();
        let delivered = |id: &str, name: &str| Manifest {
            id: id.into(),
            name: name.into(),
            state: RecordingState::Complete,
            ended_at: Some(2_000),
            completed_at: Some(3_000),
            file: Some(OutputFile {
                path: folder.work(id).join("output.mp4"),
                size_bytes: 4,
                ..OutputFile::default()
            }),
            ..manifest()
        };
        let manifests = Manifests::new(folder.clone());
        for (id, name) in [("EG_on_disk", "disk.mp4"), ("EG_in_bucket", "bucket.mp4")] {
            manifests.write(&delivered(id, name)).unwrap();
        }
        std::fs::write(recordings.join("disk.mp4"), b"film").unwrap();
        let upkeep = |has_all| {
            let path = recordings.clone();
            Upkeep::new(data.path(), Some(StoreFolder { path, has_all }))
        };
        let orphans = upkeep(false).survey().unwrap().orphans;
        assert!(orphans.is_empty(), "{orphans:?}");
        let missing = |has_all| {
            let findings = upkeep(has_all).check().unwrap().findings.into_iter();
            let missing = findings.filter(|found| found.path.ends_with("bucket.mp4"));
            missing.count()
        };
        assert_eq!((missing(false), missing(true)), (0, 1));
    }
}
