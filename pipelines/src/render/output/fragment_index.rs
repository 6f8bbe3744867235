use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Of how many of the last bytes the checksums are verified: more than is ever unwritten when
/// power fails. What lies before was read once when it was written and costs time to read again.
const VERIFIED_BYTES: u64 = 256 << 20;

/// What a file was rendered from, and how: it is gone on with only if all of it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(String);

impl Identity {
    /// From a description of everything that the file depends on.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }
}

/// A line of the index.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Identity(Identity),
    /// A piece of the file that was written.
    Piece {
        offset: u64,
        bytes: u64,
        crc32c: u32,
    },
    /// There is no more to come.
    Complete,
}

/// Tells which pieces of a fragmented file are whole: one line of JSON each, in a file beside it.
pub struct FragmentIndex {
    file: File,
}

impl FragmentIndex {
    /// Begins the index of the file at `path`.
    pub fn create(path: &Path, identity: &Identity) -> io::Result<Self> {
        let mut index = Self {
            file: File::create(beside(path))?,
        };
        index.write(&Line::Identity(identity.clone()))?;
        Ok(index)
    }

    /// Forgets what lies behind `end` of the file at `path`.
    pub fn append(path: &Path, end: u64) -> io::Result<Self> {
        let mut reader = BufReader::new(File::open(beside(path))?);
        let mut kept = 0;
        let mut text = String::new();
        while reader.read_line(&mut text)? > 0 {
            match serde_json::from_str(&text) {
                Ok(Line::Piece { offset, bytes, .. }) if offset + bytes > end => break,
                Ok(Line::Complete) | Err(_) => break,
                Ok(_) => kept += text.len() as u64,
            }
            text.clear();
        }
        let file = OpenOptions::new().append(true).open(beside(path))?;
        file.set_len(kept)?;
        Ok(Self { file })
    }

    /// Lists a piece that was written.
    pub fn list(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(&Line::Piece {
            offset,
            bytes: bytes.len() as u64,
            crc32c: crc32c::crc32c(bytes),
        })
    }

    /// Tells that nothing more is to come.
    pub fn complete(&mut self) -> io::Result<()> {
        self.write(&Line::Complete)
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())
    }
}

/// What of a file is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Bytes.
    pub length: u64,
    /// Whether nothing more is to come.
    pub complete: bool,
}

/// How much of the file at `path` is whole; nothing if it is of something else.
///
/// # Errors
/// There is no index or no file, or they cannot be read.
pub fn verified(path: &Path, identity: &Identity) -> io::Result<Verified> {
    let mut lines = BufReader::new(File::open(beside(path))?).lines();
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut found = Verified {
        length: 0,
        complete: false,
    };
    match lines
        .next()
        .transpose()?
        .map(|line| serde_json::from_str(&line))
    {
        Some(Ok(Line::Identity(of))) if of == *identity => {}
        _ => return Ok(found),
    }
    for line in lines.map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Line::Piece {
                offset,
                bytes,
                crc32c,
            }) if offset == found.length && bytes <= size - offset => {
                if size - offset <= VERIFIED_BYTES && checksum(&file, offset, bytes)? != crc32c {
                    break;
                }
                found.length += bytes;
            }
            Ok(Line::Complete) => {
                found.complete = true;
                break;
            }
            _ => break,
        }
    }
    Ok(found)
}

/// Removes the index of the file at `path`.
pub fn remove_index(path: &Path) -> io::Result<()> {
    std::fs::remove_file(beside(path))
}

fn checksum(file: &File, offset: u64, bytes: u64) -> io::Result<u32> {
    let mut piece = vec![0; bytes as usize];
    file.read_exact_at(&mut piece, offset)?;
    Ok(crc32c::crc32c(&piece))
}

/// `part.mp4.index` for `part.mp4`.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".index");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_damaged_and_all_behind_it_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        let identity = Identity::from_text("this");
        let mut index = FragmentIndex::create(&path, &identity).unwrap();
        for piece in 0..3u8 {
            index.list(u64::from(piece) * 10, &[piece; 10]).unwrap();
        }
        index.complete().unwrap();
        let mut content: Vec<u8> = (0..3u8).flat_map(|piece| [piece; 10]).collect();
        let length = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            let found = verified(&path, &identity).unwrap();
            (found.length, found.complete)
        };
        assert_eq!(length(&content), (30, true));
        assert_eq!(length(&content[..29]), (20, false));
        // As a power cut leaves them.
        content[25] = 0;
        assert_eq!(length(&content), (20, false));
        content[3] = 9;
        assert_eq!(length(&content), (0, false));
        let other = Identity::from_text("that");
        assert_eq!(verified(&path, &other).unwrap().length, 0);
    }

    #[test]
    fn a_torn_line_costs_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        let identity = Identity::from_text("this");
        let mut index = FragmentIndex::create(&path, &identity).unwrap();
        index.list(0, &[1; 10]).unwrap();
        index.list(10, &[2; 10]).unwrap();
        let text = std::fs::read(beside(&path)).unwrap();
        std::fs::write(beside(&path), &text[..text.len() - 4]).unwrap();
        std::fs::write(&path, [1; 20]).unwrap();
        assert_eq!(verified(&path, &identity).unwrap().length, 10);
        let mut index = FragmentIndex::append(&path, 10).unwrap();
        index.list(10, &[1; 10]).unwrap();
        assert_eq!(verified(&path, &identity).unwrap().length, 20);
    }
}
