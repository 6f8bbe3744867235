use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The fragmented file in the making. The only place that writes media: what is known of syncing
/// and full disks belongs here. It is not synced, as it can be rendered again; what is delivered
/// is made from it and synced there.
pub struct FragmentFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    failure: Option<io::Error>,
}

impl FragmentFile {
    /// Begins the file anew, over what an earlier render left.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.into(),
            file: File::create(path)?,
            bytes: 0,
            failure: None,
        })
    }

    /// Appends. After the first failure nothing is written any more.
    pub fn write(&mut self, data: &[u8]) -> Result<(), ()> {
        if self.failure.is_some() {
            return Err(());
        }
        match self.file.write_all(data) {
            Ok(()) => {
                self.bytes += data.len() as u64;
                tapedeck_failpoints::reached("fragment.written");
                Ok(())
            }
            Err(error) => {
                self.failure = Some(error);
                Err(())
            }
        }
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What went wrong, told once.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told() {
        // The device that is always full.
        let full = Path::new("/dev/full");
        let mut file = FragmentFile::create(full).unwrap();
        assert!(file.write(b"fragment").is_err());
        assert!(file.write(b"another").is_err());
        let failure = file.take_failure().unwrap();
        assert_eq!(failure.kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.bytes(), 0);
    }

    #[test]
    fn leftovers_of_an_earlier_render_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        std::fs::write(&path, [7; 100]).unwrap();
        let mut file = FragmentFile::create(&path).unwrap();
        file.write(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }
}
