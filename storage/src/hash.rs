//! SHA-256 of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use sha2::{Digest, Sha256};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// SHA-256 of `bytes`.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Size in bytes and SHA-256, lower-case hexadecimal, of the file at `path`.
///
/// # Errors
/// It cannot be read.
pub fn of_file(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let size = read_all(path, |chunk| hasher.update(chunk))?;
    Ok((size, hex(&hasher.finalize())))
}

/// SHA-256 of what comes, lower-case hexadecimal.
///
/// # Errors
/// That of what comes.
pub async fn of_stream<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<String, E> {
    let mut hasher = Sha256::new();
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
    }
    Ok(hex(&hasher.finalize()))
}

/// Size and checksums of a file that is to be stored.
pub trait Content {
    /// Bytes.
    fn size(&self) -> u64;

    /// Lower-case hexadecimal.
    fn sha256(&self) -> String;
}

impl Content for PartedDigest {
    fn size(&self) -> u64 {
        self.size
    }

    fn sha256(&self) -> String {
        self.hex()
    }
}

/// What a file has to be at a store that it went to in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartedDigest {
    /// Bytes.
    pub size: u64,
    whole: [u8; 32],
    parts: Vec<[u8; 32]>,
}

impl PartedDigest {
    /// Of the file at `path`, in parts of so many bytes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of_file(path: &Path, part_bytes: u64) -> io::Result<Self> {
        let (mut whole, mut part) = (Sha256::new(), Sha256::new());
        let (mut parts, mut in_part) = (Vec::new(), 0u64);
        let size = read_all(path, |mut chunk| {
            whole.update(chunk);
            while !chunk.is_empty() {
                let left = usize::try_from(part_bytes - in_part).unwrap_or(usize::MAX);
                let (now, later) = chunk.split_at(left.min(chunk.len()));
                part.update(now);
                in_part += now.len() as u64;
                if in_part == part_bytes {
                    parts.push(part.finalize_reset().into());
                    in_part = 0;
                }
                chunk = later;
            }
        })?;
        if in_part > 0 {
            parts.push(part.finalize().into());
        }
        Ok(Self {
            size,
            whole: whole.finalize().into(),
            parts,
        })
    }

    /// SHA-256 of the file, lower-case hexadecimal.
    pub fn hex(&self) -> String {
        hex(&self.whole)
    }

    /// SHA-256 of the file, base64.
    pub fn base64(&self) -> String {
        BASE64_STANDARD.encode(self.whole)
    }

    /// SHA-256 of the SHA-256s of its parts, base64, and how many parts.
    pub fn of_parts(&self) -> (String, u64) {
        let digest = digest(&self.parts.concat());
        (BASE64_STANDARD.encode(digest), self.parts.len() as u64)
    }
}

/// Hands over a file piece by piece, and tells its size in bytes.
///
/// # Errors
/// It cannot be read.
pub fn read_all(path: &Path, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; CHUNK];
    let mut size = 0u64;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(size);
        }
        take(&buffer[..read]);
        size += read as u64;
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_digested_wherever_they_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (size, part) in [
            (0, 7),
            (7, 7),
            (20, 7),
            (2_100_000, 700_000),
            (2_100_001, 1 << 20),
        ] {
            let content: Vec<u8> = (0..size).map(|byte: u32| (byte % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let found = PartedDigest::of_file(&path, part).unwrap();
            let expected: Vec<_> = content.chunks(part as usize).map(digest).collect();
            assert_eq!(found.parts, expected, "{size} in {part}");
            assert_eq!((found.size, found.hex()), of_file(&path).unwrap());
            assert_eq!(found.of_parts().1, u64::from(size).div_ceil(part));
        }
    }
}
