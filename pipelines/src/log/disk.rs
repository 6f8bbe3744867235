//! A segment's file as its writer uses it. In tests of this crate a disk that fails can take its
//! place; elsewhere it costs nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FallocateFlags;

/// A file that is appended to.
pub(super) struct SegmentFile {
    file: File,
    #[cfg(test)]
    path: std::path::PathBuf,
}

impl SegmentFile {
    /// Opens `path`, which need not be there, mode 0600.
    pub fn open(path: &Path) -> io::Result<Self> {
        #[cfg(test)]
        super::faults::ask(super::faults::Step::Open)?;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            #[cfg(test)]
            path: path.to_path_buf(),
        })
    }

    /// Appends some or all of `bytes`; how many.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(test)]
        let bytes = super::faults::shortened(bytes)?;
        self.file.write(bytes)
    }

    /// Appends all of `bytes`.
    pub fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Cuts it to `length` bytes.
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        #[cfg(test)]
        super::faults::ask(super::faults::Step::Cut)?;
        self.file.set_len(length)
    }

    /// Waits until the disk has its bytes and their number.
    pub fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        super::faults::ask(super::faults::Step::Sync)?;
        self.file.sync_data()?;
        #[cfg(test)]
        super::faults::synced(&self.path);
        Ok(())
    }

    /// Sets space aside for `length` bytes from `from` on; its size stays. Does nothing where the
    /// file system cannot.
    pub fn reserve(&self, from: u64, length: u64) -> io::Result<()> {
        #[cfg(test)]
        super::faults::ask(super::faults::Step::Reserve)?;
        loop {
            match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, from, length) {
                Ok(()) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error @ (rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT)) => {
                    return Err(error.into());
                }
                // Not every file system knows it.
                Err(_) => return Ok(()),
            }
        }
    }
}

/// Waits until the disk has the names of a folder's files.
pub(super) fn sync_folder(folder: &File, path: &Path) -> io::Result<()> {
    #[cfg(test)]
    super::faults::ask(super::faults::Step::SyncFolder)?;
    folder.sync_all()?;
    #[cfg(test)]
    super::faults::folder_synced(path);
    #[cfg(not(test))]
    let _ = path;
    Ok(())
}
