//! A disk of a few megabytes, to be filled.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use storage_testing::skipped;
use tempfile::TempDir;

/// A tmpfs of its own; unmounted when dropped, after what uses it.
pub struct SmallDisk {
    mounted: PathBuf,
    _folder: TempDir,
}

impl SmallDisk {
    /// Mounts a disk of so many megabytes; none where mounting is not permitted, which is told.
    ///
    /// # Panics
    /// The command is missing.
    pub fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = folder.path().join("disk");
        fs::create_dir(&mounted).expect("a folder");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(&mounted)
            .status()
            .expect("the command mount");
        if !status.success() {
            skipped("mounting a small disk takes root");
            return None;
        }
        Some(Self {
            mounted,
            _folder: folder,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Fills it until so many bytes are left.
    pub fn fill(&self, left: u64) {
        let chunk = vec![0; 64 << 10];
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .expect("a file");
        while self.free() > left {
            let size = usize::try_from(self.free() - left).unwrap_or(chunk.len());
            if file.write_all(&chunk[..size.min(chunk.len())]).is_err() {
                return;
            }
        }
    }

    /// Gives back what [`SmallDisk::fill`] took.
    pub fn make_room(&self) {
        let _ = fs::remove_file(self.filler());
    }

    /// Free bytes.
    pub fn free(&self) -> u64 {
        let status = rustix::fs::statvfs(&self.mounted).expect("the disk answers");
        status.f_bavail * status.f_frsize
    }

    fn filler(&self) -> PathBuf {
        self.mounted.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process may still be on its way out.
        let _ = Command::new("umount").arg("-l").arg(&self.mounted).status();
    }
}
