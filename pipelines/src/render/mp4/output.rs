//! Putting the finished file in place: whole or not at all.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tapedeck_failpoints::reached;

use super::Mp4Error;

/// Bytes copied at a time.
const BLOCK: usize = 256 << 10;

/// Writes `head` and then the given ranges of `source` to a file beside `output`, makes sure that
/// they are on the disk, and gives the file its name. Returns the size and the SHA-256 of the
/// whole file.
///
/// # Errors
/// The folder cannot be written or is full; nothing is left behind then.
pub(super) fn write(
    output: &Path,
    head: &[u8],
    source: &File,
    source_path: &Path,
    ranges: &[Range<u64>],
) -> Result<(u64, [u8; 32]), Mp4Error> {
    let size = head.len() as u64
        + ranges
            .iter()
            .map(|range| range.end - range.start)
            .sum::<u64>();
    let unfinished = Unfinished::create(output, size)?;
    let failed = |error| Mp4Error::writing(&unfinished.path, size, error);
    let mut sink = Hashed {
        inner: &unfinished.file,
        hash: Sha256::new(),
    };
    sink.write(head).map_err(failed)?;
    let mut source = source;
    let mut block = vec![0; BLOCK];
    for range in ranges {
        let unread = |error| Mp4Error::io("read", source_path, error);
        source.seek(SeekFrom::Start(range.start)).map_err(unread)?;
        let mut left = range.end - range.start;
        while left > 0 {
            let part = &mut block[..left.min(BLOCK as u64) as usize];
            source.read_exact(part).map_err(unread)?;
            sink.write(part).map_err(failed)?;
            left -= part.len() as u64;
        }
    }
    let sha256 = sink.hash.finalize().into();
    reached("finalise.written");
    unfinished.file.sync_all().map_err(failed)?;
    reached("finalise.synced");
    unfinished.keep(output)?;
    Ok((size, sha256))
}

struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }
}

/// A file that is removed unless it is kept.
struct Unfinished {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Unfinished {
    /// Creates the file, over one that a crash left, and reserves its space, so that a full disk
    /// is told before anything is copied.
    fn create(output: &Path, size: u64) -> Result<Self, Mp4Error> {
        let path = beside(output);
        let file = File::create(&path).map_err(|error| Mp4Error::writing(&path, size, error))?;
        let unfinished = Self {
            path,
            file,
            kept: false,
        };
        let mode = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(&unfinished.file, mode, 0, size) {
            // Not every file system can reserve.
            Err(error) if error != rustix::io::Errno::NOSPC => {}
            Err(error) => return Err(Mp4Error::writing(&unfinished.path, size, error.into())),
            Ok(()) => {}
        }
        Ok(unfinished)
    }

    fn keep(mut self, output: &Path) -> Result<(), Mp4Error> {
        let failed = |error| Mp4Error::io("put in place", output, error);
        std::fs::rename(&self.path, output).map_err(failed)?;
        self.kept = true;
        reached("finalise.renamed");
        let folder = match output.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing more can be done; the next attempt writes over it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// `folder/.name.partial` for `folder/name`.
fn beside(output: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(".partial");
    output.with_file_name(name)
}
