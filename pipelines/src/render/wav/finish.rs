//! Putting finished files in place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::RATE;
use super::header::HEADER_BYTES;
use super::sequence::Part;
use crate::control::OutputFile;
use crate::render::output::OutputError;
use crate::render::{RenderError, hexadecimal};

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;

/// Makes sure that the files are on the disk and gives them their names: the first is `output`, the
/// others stand beside it. The first comes last: while it is in the making, nothing is finished.
///
/// # Errors
/// The disk or the folder cannot be written.
pub fn finish(parts: &[Part], output: &Path) -> Result<Vec<OutputFile>, RenderError> {
    let mut files = Vec::with_capacity(parts.len());
    for part in parts {
        let failed = |source| unfinished(&part.path, source);
        files.push(OutputFile {
            path: beside(output, &part.suffix),
            size_bytes: HEADER_BYTES + part.samples * super::SAMPLE_BYTES,
            duration_ms: (part.samples * 1_000 + RATE / 2) / RATE,
            sha256: hexadecimal(&synced(&part.path).map_err(failed)?),
            width: 0,
            height: 0,
            suffix: part.suffix.clone(),
        });
    }
    for (part, file) in parts.iter().zip(&files).rev() {
        fs::rename(&part.path, &file.path).map_err(|source| unfinished(&file.path, source))?;
    }
    let folder = output.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| unfinished(output, source))?;
    Ok(files)
}

fn unfinished(path: &Path, source: io::Error) -> OutputError {
    OutputError::Write {
        path: path.into(),
        source,
    }
}

/// Syncs a file; returns its SHA-256.
fn synced(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&block[..count]),
        }
    }
}

/// `folder/name{suffix}.extension` for `folder/name.extension`.
fn beside(output: &Path, suffix: &str) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let extension = output.extension().unwrap_or_default().to_string_lossy();
    match suffix {
        "" => output.into(),
        suffix => output.with_file_name(format!("{stem}{suffix}.{extension}")),
    }
}
