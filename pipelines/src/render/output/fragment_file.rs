use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::fragment_index::{FragmentIndex, Identity};
use crate::render::mp4::{Head, Piece, ResumePoint, Shift};

/// The fragmented file in the making. The only place that writes media: what is known of syncing
/// and full disks belongs here. It is not synced, as it can be rendered again; what is delivered
/// is made from it and synced there. Each fragment is written in one piece and then listed in an
/// index beside the file, so that a render that died can be gone on with.
pub struct FragmentFile {
    path: PathBuf,
    file: File,
    index: FragmentIndex,
    /// Bytes in the file.
    bytes: u64,
    /// What the muxer gave and is not written yet.
    pending: Vec<u8>,
    /// Bytes that the muxer gave before that.
    muxed: u64,
    /// The fragments of an earlier render that those to come are put behind.
    earlier: Option<Earlier>,
    failure: Option<FileFailure>,
}

struct Earlier {
    head: Head,
    shift: Shift,
}

/// Why nothing is written any more.
#[derive(Debug)]
pub enum FileFailure {
    Io(io::Error),
    /// What the muxer gives does not fit behind what is there.
    Different,
}

impl FragmentFile {
    /// Begins the file anew, over what an earlier render left.
    pub fn create(path: &Path, identity: &Identity) -> io::Result<Self> {
        let index = FragmentIndex::create(path, identity)?;
        Ok(Self::new(path, File::create(path)?, index, 0, None))
    }

    /// Goes on behind the fragments of an earlier render and cuts off the rest.
    pub fn append(path: &Path, point: &ResumePoint) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let index = FragmentIndex::append(path, point.offset)?;
        file.set_len(point.offset)?;
        file.seek(SeekFrom::Start(point.offset))?;
        let earlier = Earlier {
            head: point.head.clone(),
            shift: point.shift.clone(),
        };
        Ok(Self::new(path, file, index, point.offset, Some(earlier)))
    }

    fn new(
        path: &Path,
        file: File,
        index: FragmentIndex,
        bytes: u64,
        earlier: Option<Earlier>,
    ) -> Self {
        Self {
            path: path.into(),
            file,
            index,
            bytes,
            pending: Vec::new(),
            muxed: 0,
            earlier,
            failure: None,
        }
    }

    /// Appends what the muxer gives. After the first failure nothing is written any more.
    pub fn write(&mut self, data: &[u8]) -> Result<(), ()> {
        if self.failure.is_some() {
            return Err(());
        }
        self.pending.extend_from_slice(data);
        self.write_pieces().map_err(|failure| {
            self.failure = Some(failure);
        })
    }

    /// All that the muxer gave is in the file.
    pub fn complete(&mut self) -> io::Result<()> {
        self.index.complete()
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What went wrong, told once.
    pub fn take_failure(&mut self) -> Option<FileFailure> {
        self.failure.take()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write_pieces(&mut self) -> Result<(), FileFailure> {
        while let Some(piece) = Piece::first(&self.pending) {
            let rest = self.pending.split_off(piece.length());
            let mut bytes = std::mem::replace(&mut self.pending, rest);
            let moved = self.bytes as i64 - self.muxed as i64;
            self.muxed += bytes.len() as u64;
            if let Some(earlier) = &self.earlier {
                match piece {
                    Piece::Head(_) if Head::read(&bytes).as_ref() == Some(&earlier.head) => {
                        continue;
                    }
                    Piece::Head(_) => return Err(FileFailure::Different),
                    Piece::Fragment(_) => earlier
                        .shift
                        .apply(&mut bytes, moved)
                        .ok_or(FileFailure::Different)?,
                    Piece::Other(_) => {}
                }
            }
            self.file.write_all(&bytes).map_err(FileFailure::Io)?;
            tapedeck_failpoints::reached("fragment.written");
            self.index
                .list(self.bytes, &bytes)
                .map_err(FileFailure::Io)?;
            tapedeck_failpoints::reached("fragment.listed");
            self.bytes += bytes.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::mp4::resume_point;
    use crate::render::mp4::tests::fragments::{beginning, fragment};
    use crate::render::output::fragment_index::verified;

    fn identity() -> Identity {
        Identity::from_text("test")
    }

    #[test]
    fn a_full_disk_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        // The device that is always full.
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut file = FragmentFile::create(&path, &identity()).unwrap();
        assert!(file.write(&beginning()).is_err());
        assert!(file.write(b"another").is_err());
        let Some(FileFailure::Io(failure)) = file.take_failure() else {
            panic!("the disk is full");
        };
        assert_eq!(failure.kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.bytes(), 0);
    }

    #[test]
    fn leftovers_of_an_earlier_render_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        std::fs::write(&path, [7; 1_000]).unwrap();
        let mut file = FragmentFile::create(&path, &identity()).unwrap();
        file.write(&beginning()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), beginning());
    }

    /// A muxer's output from a second on that is its first.
    fn muxed(seconds: std::ops::Range<u32>, from: u32) -> Vec<u8> {
        let mut all = beginning();
        for second in seconds {
            let since = second - from;
            all.extend(fragment(2, since * 48_000, &[(48_000, 30)], second as u8));
            all.extend(fragment(1, since * 3_000, &[(3_000, 50)], second as u8));
        }
        all
    }

    #[test]
    fn the_fragments_of_two_renders_are_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        let mut file = FragmentFile::create(&path, &identity()).unwrap();
        // Torn in the middle of the third second.
        let whole = muxed(0..5, 0);
        for bytes in muxed(0..3, 0)[..whole.len() / 2].chunks(13) {
            file.write(bytes).unwrap();
        }
        drop(file);
        let length = verified(&path, &identity()).unwrap().length;
        let opened = File::open(&path).unwrap();
        let point = resume_point(&path, &opened, length, 0, u64::MAX)
            .unwrap()
            .unwrap();
        let second = point.picture_end.0 as u32 / 3_000;
        assert!(second > 0);
        let mut file = FragmentFile::append(&path, &point).unwrap();
        file.write(&muxed(second..5, second)).unwrap();
        // But for the sequence numbers, which the fragments made by hand do not have.
        let made = std::fs::read(&path).unwrap();
        assert_eq!(made.len(), whole.len());
        let different = made.iter().zip(&whole).filter(|(one, other)| one != other);
        assert!(different.count() <= 2 * 4);
        assert_eq!(
            verified(&path, &identity()).unwrap().length,
            whole.len() as u64
        );
    }

    #[test]
    fn another_coding_does_not_fit_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        let mut file = FragmentFile::create(&path, &identity()).unwrap();
        file.write(&muxed(0..2, 0)).unwrap();
        let length = file.bytes();
        let opened = File::open(&path).unwrap();
        let point = resume_point(&path, &opened, length, 0, u64::MAX)
            .unwrap()
            .unwrap();
        let mut other = beginning();
        let place = other.windows(4).position(|kind| kind == b"tkhd").unwrap();
        other[place + 4 + 76] ^= 1;
        let mut file = FragmentFile::append(&path, &point).unwrap();
        assert!(file.write(&other).is_err());
        assert!(matches!(file.take_failure(), Some(FileFailure::Different)));
    }
}
